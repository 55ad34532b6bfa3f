// What all parts of the page use: the data, elements, and numbers as text.

const DATA = JSON.parse(document.getElementById("data").textContent);

const KINDS = { S: "substituted", D: "deleted", I: "inserted" };

/** An HTML element; attributes that are functions listen to the event of their name. */
function element(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/** An SVG element. */
function shape(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function furnish(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function byId(id) {
  return document.getElementById(id);
}

/** 0.12345 as 12.35. */
function percent(fraction, digits = 2) {
  return fraction === null || !Number.isFinite(fraction) ? "–" : (100 * fraction).toFixed(digits);
}

/** Both ends of an interval in per cent. */
function range(ends, digits = 1) {
  return ends ? `${percent(ends[0], digits)}–${percent(ends[1], digits)}` : "–";
}

function whole(number) {
  return number.toLocaleString("en-US");
}

function clock(seconds) {
  const rest = Math.round(seconds % 60);
  const minutes = Math.floor(seconds / 60) % 60;
  const hours = Math.floor(seconds / 3600);
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${rest} s` : `${rest} s`;
}

/** An utterance as the page shows it: texts split into words, errors counted, once for all. */
function prepared(raw, index) {
  const reference = raw.reference ? raw.reference.split(" ") : [];
  const hypothesis = raw.hypothesis ? raw.hypothesis.split(" ") : [];
  const counts = { "=": 0, S: 0, D: 0, I: 0 };
  for (const mark of raw.edits) counts[mark] += 1;
  const errors = counts.S + counts.D + counts.I;
  const confidences = raw.words.map((word) => word[2]);
  return {
    ...raw,
    index,
    reference,
    hypothesis,
    counts,
    errors,
    length: reference.length,
    wer: reference.length ? errors / reference.length : errors ? Infinity : 0,
    rate: reference.length && raw.seconds ? reference.length / raw.seconds : null,
    confidence: confidences.length
      ? confidences.reduce((sum, value) => sum + value, 0) / confidences.length
      : null,
    text: `${raw.id}\n${raw.reference}\n${raw.hypothesis}`.toLowerCase(),
  };
}

/** Pairs of words of an utterance: mark, word said, word heard, index of the latter. */
function* pairs(utterance) {
  let said = 0;
  let heard = 0;
  for (const mark of utterance.edits) {
    yield {
      mark,
      said: mark === "I" ? null : utterance.reference[said++],
      at: mark === "D" ? null : heard,
      heard: mark === "D" ? null : utterance.hypothesis[heard++],
    };
  }
}

const UTTERANCES = DATA.utterances.map(prepared);
