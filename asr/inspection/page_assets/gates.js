// One utterance over time: what was heard, and what chosen units did; memory and followers by layer.

const UNIT_HEIGHT = 132;
const GATES_HEIGHT = 72; // of it; the rest is the state's
const GATE_COLOURS = { forget: "--forget", update: "--forget", input: "--input", reset: "--input", output: "--output" };
const GATE_NAMES = { forget: "forget gate f", input: "input gate i", output: "output gate o", update: "update gate z (keeps)", reset: "reset gate r" };
const READS = { "→": "reads from left to right", "←": "reads from right to left" };

const STATE_NAME = ["gru", "rnn"].includes(DATA.cell) ? "hidden state h" : "cell state c";
const DRAWN = DATA.layers.filter((layer) => layer.shown.length);

function signed(number) {
  return (number < 0 ? "−" : "+") + Math.abs(number).toFixed(2);
}

function duration(milliseconds) {
  return milliseconds < 10000 ? `${Math.round(milliseconds)} ms` : `${Math.round(milliseconds / 1000)} s`;
}

function header() {
  byId("title").textContent = DATA.audio;
  byId("origin").textContent = `What the memory of ${DATA.model} does while it listens: ${DATA.layers.length} layers of ${DATA.cell}, ${DATA.seconds.toFixed(1)} s of audio.`;
  byId("text").textContent = DATA.text;
}

function chooser(picture, audio) {
  const buttons = DRAWN.map((layer) =>
    element("button", { type: "button", click: () => choose(layer) }, `Layer ${layer.number}`),
  );
  function choose(layer) {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", DRAWN[i] === layer));
    const scrolled = document.querySelector("#time .scroll")?.scrollLeft ?? 0;
    byId("time").replaceChildren(...timeline(layer, picture, audio));
    document.querySelector("#time .scroll").scrollLeft = scrolled;
    byId("charts").replaceChildren(...(layer.memory ? [memoryFigure(layer)] : []), followersFigure(layer));
  }
  if (DRAWN.length > 1) byId("layers").append(...buttons);
  choose(DRAWN[0]);
}

function timeline(layer, picture, audio) {
  const play = (seconds) => {
    audio.currentTime = seconds;
    audio.play().catch(() => {});
  };
  const place = byId("time").clientWidth - 170;
  const perSecond = Math.max(100, Math.min(280, place / DATA.seconds));
  const width = Math.ceil(DATA.seconds * perSecond);
  const heard = {
    words: DATA.words.map((word) => word.slice(1)),
    hypothesis: DATA.words.map((word) => word[0]),
    reference: DATA.words.map((word) => word[0]),
    edits: "=".repeat(DATA.words.length),
  };
  const line = element("div", { class: "playhead", hidden: true });
  const strip = element(
    "div",
    { class: "strip", style: `width:${width}px` },
    canvas(width, MEL_HEIGHT, "Log-mel energies", (context) => drawMel(context, picture, width, perSecond)),
    canvas(width, UNITS_HEIGHT, "Probabilities of the recognised units", (context) => drawUnits(context, picture, width, perSecond)),
    element("div", { class: "said-words", style: `width:${width}px` }, ...wordBoxes(heard, perSecond, play)),
    ...layer.shown.map((unit) =>
      canvas(width, UNIT_HEIGHT, `Gates and state of unit ${unit.unit}`, (context) => drawUnit(context, unit, layer, width, perSecond)),
    ),
    canvas(width, 20, "Seconds", (context) => drawAxis(context, DATA.seconds, perSecond)),
    line,
  );
  strip.addEventListener("click", (event) => {
    if (!event.target.closest(".word")) play((event.clientX - strip.getBoundingClientRect().left) / perSecond);
  });
  const labels = element(
    "div",
    { class: "labels muted" },
    element("span", { style: `height:${MEL_HEIGHT}px` }, "log-mel", element("br"), "0–8 kHz"),
    element("span", { style: `height:${UNITS_HEIGHT}px` }, "CTC posteriors", element("br"), "(grey: blank)"),
    element("span", {}, DATA.words.length ? "words" : ""),
    ...layer.shown.map(unitLabel),
    element("span", {}, "seconds"),
  );
  follow(audio, line, perSecond);
  const gates = Object.keys(layer.shown[0].gates);
  const legend = element(
    "p",
    { class: "muted legend" },
    `Of each unit above its gates, from 0 to 1, below its ${STATE_NAME}:`,
    ...gates.flatMap((gate) => [element("span", { class: "line", style: `--mark:var(${GATE_COLOURS[gate]})` }), GATE_NAMES[gate]]),
    element("span", { class: "line", style: "--mark:var(--state)" }),
    STATE_NAME,
  );
  return [
    element("div", { class: "sound" }, audio),
    legend,
    element("div", { class: "timeline" }, labels, element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Timeline" }, strip)),
  ];
}

function unitLabel(unit) {
  const follows = Object.entries(unit.follows).map(([event, value]) => [element("br"), `${event} ${signed(value)}`]);
  return element(
    "span",
    { style: `height:${UNIT_HEIGHT}px`, title: READS[unit.reads] },
    element("b", {}, `unit ${unit.unit} ${unit.reads}`),
    ...(unit.remembers === null ? [] : [element("br"), `remembers ${duration(unit.remembers)}`]),
    ...follows.flat(),
  );
}

/** Gates as lines, and below them the state as an area around zero. */
function drawUnit(context, unit, layer, width, perSecond) {
  const x = (frame) => (frame + 0.5) * layer.frame * perSecond;
  const y = (gate) => GATES_HEIGHT - 2 - gate * (GATES_HEIGHT - 10);
  const middle = (GATES_HEIGHT + UNIT_HEIGHT) / 2;
  const reach = Math.max(1e-6, ...unit.state.map(Math.abs));
  const height = (UNIT_HEIGHT - GATES_HEIGHT) / 2 - 5;
  context.strokeStyle = colour("--grid");
  for (const level of [y(0), y(0.5), y(1), middle]) {
    context.beginPath();
    context.moveTo(0, level);
    context.lineTo(width, level);
    context.stroke();
  }
  context.strokeStyle = colour("--line");
  context.strokeRect(-1, 0.5, width + 2, UNIT_HEIGHT);
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  for (const [gate, course] of Object.entries(unit.gates)) {
    context.strokeStyle = colour(GATE_COLOURS[gate]);
    context.beginPath();
    course.forEach((value, frame) => context[frame ? "lineTo" : "moveTo"](x(frame), y(value)));
    context.stroke();
  }
  context.strokeStyle = context.fillStyle = colour("--state");
  context.beginPath();
  unit.state.forEach((value, frame) => context[frame ? "lineTo" : "moveTo"](x(frame), middle - (value / reach) * height));
  context.stroke();
  context.lineTo(x(unit.state.length - 1), middle);
  context.lineTo(x(0), middle);
  context.globalAlpha = 0.2;
  context.fill();
  context.globalAlpha = 1;
  context.font = "10px system-ui, sans-serif";
  context.fillStyle = colour("--muted");
  context.fillText(`±${reach.toFixed(reach < 10 ? 2 : 0)}`, 2, GATES_HEIGHT + 10);
}

function figure(title, note, ...content) {
  return element("figure", {}, element("figcaption", {}, element("h2", {}, title), element("p", { class: "muted" }, note)), ...content);
}

/** How many units of the layer remember how long, and the spread of every layer below. */
function memoryFigure(layer) {
  const [width, left, right] = [560, 64, 536];
  const [top, bottom] = [16, 130];
  const edges = DATA.bins;
  const scale = (ms) => left + ((Math.log(ms) - Math.log(edges[0])) / (Math.log(edges[edges.length - 1]) - Math.log(edges[0]))) * (right - left);
  const clamped = (ms) => scale(Math.min(Math.max(ms, edges[0]), edges[edges.length - 1]));
  const most = Math.max(...layer.memory.counts);
  const bars = layer.memory.counts.map((count, i) => {
    const height = (count / most) * (bottom - top);
    return shape("rect", { class: "column", x: scale(edges[i]), y: bottom - height, width: Math.max(1, scale(edges[i + 1]) - scale(edges[i]) - 1), height }, shape("title", {}, `${count} units: ${duration(edges[i])} to ${duration(edges[i + 1])}`));
  });
  const rows = DATA.layers.flatMap((each, row) => {
    const y = bottom + 44 + 22 * row;
    const [low, lower, median, upper, high] = each.memory.quantiles.map(clamped);
    const said = `layer ${each.number}: median ${duration(each.memory.quantiles[2])}, the middle 80 % ${duration(each.memory.quantiles[0])} to ${duration(each.memory.quantiles[4])}`;
    return [
      shape("text", { class: each === layer ? "over" : "tick", x: 2, y: y + 4 }, `layer ${each.number}`),
      shape("line", { class: "whisker", x1: low, x2: high, y1: y, y2: y }),
      shape("rect", { class: each === layer ? "box this" : "box", x: lower, y: y - 5, width: Math.max(1, upper - lower), height: 10, rx: 2 }, shape("title", {}, said)),
      shape("line", { class: "median", x1: median, x2: median, y1: y - 7, y2: y + 7 }),
      shape("text", { class: "tick", x: high + 6, y: y + 4 }, duration(each.memory.quantiles[2])),
    ];
  });
  const ticks = [10, 100, 1000, 10000, 100000].flatMap((ms) => [
    shape("line", { class: "grid", x1: scale(ms), x2: scale(ms), y1: top, y2: bottom + 4 }),
    shape("text", { class: "tick", x: scale(ms), y: bottom + 18, "text-anchor": "middle" }, duration(ms)),
  ]);
  const height = bottom + 44 + 22 * DATA.layers.length;
  return figure(
    `How long the units of layer ${layer.number} remember`,
    "Time constant −T / ln f of each unit, with the median of its forget gate (of the GRU, its update gate) over the utterance and T from frame to frame. Below: each layer's middle half, its middle 80 %, and its median.",
    shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Memory of layer ${layer.number}` }, ...ticks, ...bars, ...rows),
  );
}

function followersFigure(layer) {
  const columns = layer.follows.map(({ event, chance, units }) =>
    element(
      "table",
      {},
      element("caption", {}, element("b", {}, event)),
      element(
        "tbody",
        {},
        ...units.map(([unit, value]) =>
          element("tr", { class: Math.abs(value) > chance ? null : "by-chance" }, element("td", {}, `unit ${unit}`), element("td", {}, signed(value))),
        ),
        element("tr", { class: "by-chance", title: "What the strongest unit reaches by chance in 95 of 100 cases: the event is turned round in time." }, element("td", {}, "chance"), element("td", {}, chance.toFixed(2))),
      ),
    ),
  );
  return figure(
    `Units of layer ${layer.number} that follow what a person can name`,
    "Correlation of a unit's output with it over the utterance, strongest first; beside it what chance gives the strongest unit.",
    element("div", { class: "follows" }, ...columns),
  );
}

header();
unpack(byId("picture").textContent).then((picture) => {
  const audio = element("audio", { controls: true, preload: "metadata", src: byId("recording").textContent });
  chooser(picture, audio);
  document.body.dataset.drawn = "yes";
});
