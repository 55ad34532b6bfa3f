// Totals, charts and the most frequent errors of one data set.

const WIDTH = 520; // of a chart, in the units of its viewBox

/** The figures of a set: how many errors there are, and of which kind. */
function drawSummary(record) {
  const unit = record.scored === "phones" ? "Phone" : "Word";
  const wrong = record.utterances ? record.sentence_errors / record.utterances : 0;
  const facts = [
    [whole(record.utterances), "utterances"],
    [whole(record.words), `${unit.toLowerCase()}s said`],
    [`${percent(wrong, 1)} %`, "utterances with an error"],
    record.cer === null ? null : [`${percent(record.cer)} %`, "character error rate"],
    record.audio_seconds ? [clock(record.audio_seconds), "of audio"] : null,
    record.rtf ? [`${(1 / record.rtf).toFixed(0)} ×`, "real time"] : null,
    record.silence.utterances
      ? [whole(record.silence.insertions), `inserted in ${whole(record.silence.utterances)} silent ones`]
      : null,
  ].filter(Boolean);
  const over = record.wer_interval
    ? `95 % interval ${range(record.wer_interval, 2)}, over ${record.interval_units} ${record.interval_over}`
    : "no interval: too few utterances";
  byId("summary").replaceChildren(
    element(
      "div",
      { class: "total" },
      element("p", { class: "label" }, `${unit} error rate`),
      element("p", { class: "big" }, percent(record.wer), element("small", {}, " %")),
      element("p", { class: "label" }, over),
    ),
    element("div", {}, composition(record), element("dl", { class: "facts" }, ...facts.map(fact))),
  );
}

function fact([value, name]) {
  return element("div", {}, element("dd", {}, value), element("dt", {}, name));
}

/** A bar of all errors by kind. */
function composition(record) {
  const kinds = [
    ["S", record.substitutions],
    ["D", record.deletions],
    ["I", record.insertions],
  ];
  const total = kinds.reduce((sum, [, count]) => sum + count, 0);
  const parts = kinds.map(([mark, count]) =>
    element("span", { class: `part ${mark}`, style: `flex-grow:${count || 0.001}` }),
  );
  const names = kinds.map(([mark, count]) =>
    element(
      "li",
      {},
      element("span", { class: `key ${mark}` }, mark),
      ` ${whole(count)} ${KINDS[mark]} `,
      element("span", { class: "muted" }, total ? `(${percent(count / total, 0)} %)` : ""),
    ),
  );
  return element(
    "div",
    { class: "composition" },
    element("div", { class: "bar", "aria-hidden": "true" }, ...parts),
    element("ul", {}, ...names),
  );
}

/** All charts of a set; ``choose(kind, label, test)`` filters the table when a mark is clicked. */
function drawCharts(record, choose) {
  const byName = (key, name) => (group) => ({
    ...group,
    choose: () => choose(key, `${name} ${group.name}`, member(key, group.name)),
  });
  const charts = [
    record.speakers.length > 1 ? speakerChart(record.speakers.map(byName("speaker", "speaker"))) : null,
    record.lengths.length
      ? columnChart(
          "WER by length",
          "words in the reference",
          record.lengths.map(byName("length", "length")),
        )
      : null,
    record.speaking_rates.length
      ? columnChart(
          "WER by speaking rate",
          "words a second",
          record.speaking_rates.map(byName("rate", "words/s")),
        )
      : null,
    record.confidence.length > 1 ? calibrationChart(record.confidence) : null,
  ].filter(Boolean);
  byId("charts").replaceChildren(...charts);
}

/** Whether an utterance belongs to the group of this name. */
function member(key, name) {
  if (key === "speaker") return (utterance) => utterance.speaker === name;
  const value = key === "length" ? (utterance) => utterance.length : (utterance) => utterance.rate;
  const numbers = name.match(/[\d.]+/g).map(Number);
  if (key === "length") {
    const last = name.endsWith("+") ? Infinity : numbers[numbers.length - 1];
    return (utterance) => value(utterance) >= numbers[0] && value(utterance) <= last;
  }
  const low = name.startsWith("<") ? 0 : numbers[0];
  const high = name.startsWith(">") ? Infinity : numbers[numbers.length - 1];
  return (utterance) => utterance.rate !== null && utterance.rate >= low && utterance.rate < high;
}

function figure(title, note, drawing, head, rows) {
  const table = element(
    "details",
    { class: "numbers" },
    element("summary", {}, "Numbers"),
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
      element(
        "tbody",
        {},
        ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell)))),
      ),
    ),
  );
  return element(
    "figure",
    {},
    element("figcaption", {}, element("h2", {}, title), element("p", { class: "muted" }, note)),
    drawing,
    table,
  );
}

/** A mark that can be clicked and reached by the keyboard. */
function target(group, label, ...shapes) {
  const activate = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    group.choose();
  };
  return shape(
    "g",
    { class: "target", role: "button", tabindex: 0, "aria-label": label, click: activate, keydown: activate },
    shape("title", {}, label),
    ...shapes,
  );
}

function describe(name, group) {
  const ends = group.wer_interval ? ` (${range(group.wer_interval)})` : "";
  return `${name} ${group.name}: ${percent(group.wer, 1)} %${ends}, ${whole(group.utterances)} utterances, ${whole(group.words)} words`;
}

function numbers(groups) {
  return groups.map((group) => [
    group.name,
    whole(group.utterances),
    whole(group.words),
    percent(group.wer),
    range(group.wer_interval),
  ]);
}

/**
 * A round number at or above the largest rate, and the steps up to it. It ends at 100 %, or the few
 * words of a group where it is twice that would make all others look alike; see `over`.
 */
function scale(groups) {
  const rates = groups.map((group) => Math.max(group.wer ?? 0, group.wer_interval ? group.wer_interval[1] : 0));
  const top = Math.min(Math.max(...rates, 0.01), 1);
  const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2].find((size) => top / size <= 6) ?? 0.2;
  const count = Math.ceil(top / step - 1e-9);
  const ticks = Array.from({ length: count + 1 }, (_, index) => index * step);
  return { top: count * step, ticks, digits: step < 0.01 ? 1 : 0 };
}

/** The rate of a group that is beyond the chart, at its upper edge. */
function over(group, top, x, upper) {
  if (group.wer !== null && group.wer <= top) return null;
  const anchor = x < 60 ? "start" : "middle"; // beside the axis, not across it
  return shape("text", { class: "over", x, y: upper - 7, "text-anchor": anchor }, `↑${percent(group.wer, 0)}`);
}

/** A dot with its interval for each speaker, from the worst to the best. */
function speakerChart(groups) {
  const { top, ticks, digits } = scale(groups);
  const height = 240;
  const [left, right, upper, lower] = [40, WIDTH - 16, 20, height - 34];
  const y = (rate) => lower - (Math.min(rate ?? 0, top) / top) * (lower - upper);
  const step = (right - left) / groups.length;
  const marks = groups.map((group, index) => {
    const x = left + step * (index + 0.5);
    const ends = group.wer_interval;
    return target(
      group,
      describe("speaker", group),
      shape("rect", { class: "touch", x: x - step / 2, y: upper, width: step, height: lower - upper }),
      ends ? shape("line", { class: "whisker", x1: x, x2: x, y1: y(ends[0]), y2: y(ends[1]) }) : null,
      shape("circle", { class: "dot", cx: x, cy: y(group.wer), r: Math.min(4.5, Math.max(1.5, step / 2.4)) }),
      over(group, top, x, upper),
      step >= 11
        ? shape("text", { class: "tick", transform: `translate(${x + 3} ${lower + 6}) rotate(-90)`, "text-anchor": "end", "font-size": 9 }, group.name)
        : null,
    );
  });
  const drawing = shape(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height}`, role: "group", "aria-label": "Word error rate of each speaker" },
    ...grid(ticks, y, left, right, digits),
    ...marks,
  );
  const note = `${whole(groups.length)} speakers, worst first, 95 % intervals over their utterances`;
  return figure("WER by speaker", note, drawing, ["speaker", "utterances", "words", "WER %", "95 %"], numbers(groups));
}

/** A column with its interval for each group. */
function columnChart(title, axis, groups) {
  const { top, ticks, digits } = scale(groups);
  const height = 240;
  const [left, right, upper, lower] = [40, WIDTH - 16, 20, height - 44];
  const y = (rate) => lower - (Math.min(rate ?? 0, top) / top) * (lower - upper);
  const step = (right - left) / groups.length;
  const marks = groups.map((group, index) => {
    const x = left + step * (index + 0.5);
    const ends = group.wer_interval;
    return target(
      group,
      describe(axis, group),
      shape("rect", { class: "touch", x: x - step / 2, y: upper, width: step, height: height - upper }),
      shape("rect", { class: "column", x: x - step * 0.32, width: step * 0.64, y: y(group.wer), height: lower - y(group.wer) }),
      ends ? shape("line", { class: "whisker", x1: x, x2: x, y1: y(ends[0]), y2: y(ends[1]) }) : null,
      over(group, top, x, upper),
      shape("text", { class: "tick", x, y: lower + 14, "text-anchor": "middle" }, group.name),
      shape("text", { class: "tick faint", x, y: lower + 27, "text-anchor": "middle" }, whole(group.utterances)),
    );
  });
  const drawing = shape(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height}`, role: "group", "aria-label": title },
    ...grid(ticks, y, left, right, digits),
    ...marks,
  );
  const note = `${axis}; utterances in grey; 95 % intervals`;
  return figure(title, note, drawing, [axis, "utterances", "words", "WER %", "95 %"], numbers(groups));
}

/** How often words are right, by how sure the recogniser was. */
function calibrationChart(groups) {
  const height = 240;
  const [left, right, upper, lower] = [40, WIDTH - 16, 20, height - 44];
  const x = (value) => left + value * (right - left);
  const y = (value) => lower - value * (lower - upper);
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1];
  const points = groups.map((group) => [group.confidence, group.right / group.words]);
  const line = points.map(([said, true_], index) => `${index ? "L" : "M"}${x(said)} ${y(true_)}`).join("");
  const most = Math.max(...groups.map((group) => group.words));
  const dots = groups.map((group, index) =>
    shape(
      "circle",
      { class: "dot", cx: x(points[index][0]), cy: y(points[index][1]), r: 3 + 3 * Math.sqrt(group.words / most) },
      shape("title", {}, `confidence ${percent(points[index][0], 1)} %: ${percent(points[index][1], 1)} % of ${whole(group.words)} words right`),
    ),
  );
  const drawing = shape(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": "Confidence against accuracy" },
    ...grid(ticks, y, left, right, 0),
    ...ticks.map((tick) => shape("text", { class: "tick", x: x(tick), y: lower + 14, "text-anchor": "middle" }, percent(tick, 0))),
    shape("text", { class: "tick", x: (left + right) / 2, y: lower + 32, "text-anchor": "middle" }, "confidence, %"),
    shape("line", { class: "ideal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
    shape("path", { class: "curve", d: line }),
    ...dots,
  );
  const words = groups.reduce((sum, group) => sum + group.words, 0);
  const apart = groups.reduce((sum, group) => sum + Math.abs(group.right - group.confidence * group.words), 0);
  const note = `share of words that are right, %; off by ${percent(apart / words, 1)} points on average`;
  const rows = groups.map((group) => [
    percent(group.confidence, 1),
    whole(group.words),
    percent(group.right / group.words, 1),
  ]);
  return figure("Confidence and accuracy", note, drawing, ["confidence %", "words", "right %"], rows);
}

function grid(ticks, y, left, right, digits) {
  return ticks.flatMap((tick) => [
    shape("line", { class: "grid", x1: left, x2: right, y1: y(tick), y2: y(tick) }),
    shape("text", { class: "tick", x: left - 6, y: y(tick) + 3.5, "text-anchor": "end" }, percent(tick, digits)),
  ]);
}

/** The words that are mistaken most; each leads to the utterances with it. */
function drawConfusions(record, choose) {
  const lists = [
    ["S", "Substituted", record.confusions.substitutions],
    ["D", "Deleted", record.confusions.deletions],
    ["I", "Inserted", record.confusions.insertions],
  ];
  byId("confusions").replaceChildren(
    ...lists.map(([mark, title, entries]) => {
      const rows = entries.slice(0, 12).map((entry) => confusion(mark, entry, choose));
      const empty = rows.length ? null : element("p", { class: "muted" }, "none");
      return element("div", {}, element("h2", {}, title), element("ol", { class: "words" }, ...rows), empty);
    }),
  );
}

function confusion(mark, entry, choose) {
  const said = mark === "S" ? entry.reference : mark === "D" ? entry.word : null;
  const heard = mark === "S" ? entry.hypothesis : mark === "I" ? entry.word : null;
  const label = mark === "S" ? `${said} → ${heard}` : entry.word;
  const test = (utterance) => {
    for (const pair of pairs(utterance)) {
      if (pair.mark === mark && pair.said === said && pair.heard === heard) return true;
    }
    return false;
  };
  const name = `${label} ${KINDS[mark]}`;
  return element(
    "li",
    {},
    element(
      "button",
      { type: "button", "aria-label": `${name} ${entry.count} times: show`, click: () => choose("word", name, test) },
      element("span", { class: `key ${mark}` }, whole(entry.count)),
      ` ${label}`,
    ),
  );
}
