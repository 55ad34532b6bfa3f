// What opens below an utterance: its alignment, its sound, what the model was given and what it said.

const MEL_HEIGHT = 128;
const UNITS_HEIGHT = 120;
const PALETTE = ["#2f7ed8", "#e06c1f", "#2a9d63", "#c2417c", "#7a5cd6", "#0f9aa8", "#b08400", "#d64545"];
// Dark to bright, as matplotlib's inferno.
const HEAT = [[0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51], [249, 140, 10], [249, 201, 50], [252, 255, 164]];

async function openDetail(cell, utterance) {
  const audio = sound(utterance);
  const play = (seconds) => {
    if (!audio) return;
    audio.currentTime = seconds;
    audio.play().catch(() => {});
  };
  const facts = [
    `${utterance.errors} errors in ${utterance.length} words`,
    utterance.rate ? `${utterance.rate.toFixed(1)} words a second` : null,
    utterance.speaker ? `speaker ${utterance.speaker}` : null,
  ].filter(Boolean);
  cell.append(
    element("p", { class: "muted" }, facts.join(" · ")),
    alignment(utterance, play),
  );
  if (audio) cell.append(element("div", { class: "sound" }, audio));
  const blob = byId(`picture-${utterance.index}`);
  if (!blob) {
    cell.append(element("p", { class: "muted" }, "No picture: the recording is long, or the page has pictures of worse utterances only."));
    return;
  }
  const place = element("div", { class: "timeline-place" });
  cell.append(place);
  try {
    drawTimeline(place, utterance, await unpack(blob.textContent), audio, play);
  } catch (error) {
    place.append(element("p", { class: "muted" }, `The picture can't be shown: ${error.message}`));
  }
}

/** Reference above hypothesis, each pair of words in the colour of its error. */
function alignment(utterance, play) {
  const columns = [];
  for (const { mark, said, heard, at } of pairs(utterance)) {
    const times = at === null ? undefined : utterance.words[at];
    const title = times
      ? `${times[0].toFixed(2)}–${times[1].toFixed(2)} s, confidence ${percent(times[2], 0)} %`
      : null;
    columns.push(
      element(
        "span",
        { class: `pair ${mark === "=" ? "same" : mark}`, title, click: () => times && play(times[0]) },
        element("span", { class: "said" }, said ?? "\u00a0"),
        element("span", { class: "heard" }, heard ?? "\u00a0"),
        element("span", { class: "kind" }, mark === "=" ? "\u00a0" : mark),
      ),
    );
  }
  const key = Object.entries(KINDS).map(([mark, name]) =>
    element("span", {}, element("span", { class: `key ${mark}` }, mark), ` ${name} `),
  );
  return element(
    "div",
    { class: "alignment-place" },
    element("p", { class: "muted legend" }, "reference above hypothesis: ", ...key),
    element("div", { class: "alignment", role: "img", "aria-label": spoken(utterance) }, ...columns),
  );
}

function spoken(utterance) {
  return `Reference: ${utterance.reference.join(" ") || "silence"}. Hypothesis: ${utterance.hypothesis.join(" ") || "nothing"}.`;
}

function sound(utterance) {
  const embedded = byId(`audio-${utterance.index}`);
  const source = embedded ? embedded.textContent : DATA.audio[utterance.index];
  if (!source) return null;
  const audio = element("audio", { controls: true, preload: "metadata", src: source });
  audio.addEventListener("error", () => {
    audio.replaceWith(
      element("p", { class: "muted" }, "The recording can't be played here: ", element("a", { href: source }, utterance.id), " is not beside this page, or in a format that the browser lacks; --report-audio puts recordings into the page."),
    );
  });
  return audio;
}

/** The numbers of a picture; asr/evaluation/report/pictures.py says how they lie. */
async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const header = new DataView(bytes.buffer);
  const [melFrames, melBins, frames, entries] = [0, 4, 8, 12].map((at) => header.getUint32(at, true));
  let at = 16;
  const take = (length) => bytes.subarray(at, (at += length));
  const halves = take(Math.ceil((melFrames * melBins) / 2));
  const mel = new Uint8Array(melFrames * melBins);
  for (let i = 0; i < mel.length; i++) mel[i] = i % 2 ? halves[i >> 1] >> 4 : halves[i >> 1] & 15;
  const pairsOfBytes = take(2 * entries);
  const units = Array.from({ length: entries }, (_, i) => pairsOfBytes[2 * i] + 256 * pairsOfBytes[2 * i + 1]);
  const probabilities = take(entries);
  const counts = take(frames);
  const blanks = take(frames);
  const curves = new Map(); // unit to its probability in each frame where it is seen
  let entry = 0;
  for (let frame = 0; frame < frames; frame++) {
    for (let i = 0; i < counts[frame]; i++, entry++) {
      const unit = units[entry];
      if (!curves.has(unit)) curves.set(unit, new Map());
      curves.get(unit).set(frame, probabilities[entry] / 255);
    }
  }
  return { melFrames, melBins, mel, frames, curves, blanks: Array.from(blanks, (value) => value / 255) };
}

/** Log-mel, posteriors and words above each other, on one axis of time. */
function drawTimeline(place, utterance, picture, audio, play) {
  const seconds = utterance.seconds || picture.melFrames / DATA.melRate;
  const perSecond = Math.max(140, Math.min(280, (place.clientWidth - 70) / seconds));
  const width = Math.ceil(seconds * perSecond);
  const words = element("div", { class: "said-words", style: `width:${width}px` }, ...wordBoxes(utterance, perSecond, play));
  const line = element("div", { class: "playhead", hidden: true });
  const strip = element(
    "div",
    { class: "strip", style: `width:${width}px` },
    canvas(width, MEL_HEIGHT, "Log-mel energies", (context) => drawMel(context, picture, width, perSecond)),
    canvas(width, UNITS_HEIGHT, "Posteriors of the units", (context) => drawUnits(context, picture, width, perSecond)),
    words,
    canvas(width, 20, "Seconds", (context) => drawAxis(context, seconds, perSecond)),
    line,
  );
  strip.addEventListener("click", (event) => {
    if (!event.target.closest(".word")) play((event.clientX - strip.getBoundingClientRect().left) / perSecond);
  });
  const labels = element(
    "div",
    { class: "labels muted" },
    element("span", { style: `height:${MEL_HEIGHT}px` }, "log-mel", element("br"), "0–8 kHz"),
    element("span", { style: `height:${UNITS_HEIGHT}px` }, "CTC", element("br"), "posteriors", element("br"), "(grey: blank)"),
    element("span", {}, utterance.words.length ? "words" : "words: no times"),
    element("span", {}, "seconds"),
  );
  place.append(element("div", { class: "timeline" }, labels, element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Timeline" }, strip)));
  if (audio) follow(audio, line, perSecond);
}

/** A box for each word, as long as there is place for its name; the bar below it lasts as it does. */
function wordBoxes(utterance, perSecond, play) {
  const marks = [];
  for (const { mark, at } of pairs(utterance)) if (at !== null) marks[at] = mark;
  return utterance.words.map(([start, end, confidence], index) => {
    const next = utterance.words[index + 1];
    const room = Math.max(end, Math.min(next ? next[0] : Infinity, end + 0.5)) - start;
    const title = `${utterance.hypothesis[index]}: ${start.toFixed(2)}–${end.toFixed(2)} s, confidence ${percent(confidence, 0)} %`;
    return element(
      "button",
      {
        type: "button",
        class: `word ${marks[index] === "=" ? "same" : marks[index]}`,
        style: `left:${start * perSecond}px;width:${Math.max(4, room * perSecond - 2)}px`,
        title,
        "aria-label": title,
        click: () => play(start),
      },
      utterance.hypothesis[index],
      element("span", { class: "lasts", style: `width:${Math.max(2, (end - start) * perSecond - 2)}px` }),
    );
  });
}

function follow(audio, line, perSecond) {
  const move = () => {
    line.hidden = false;
    line.style.transform = `translateX(${audio.currentTime * perSecond}px)`;
    if (!audio.paused && line.isConnected) requestAnimationFrame(move);
  };
  for (const name of ["play", "seeked", "pause"]) audio.addEventListener(name, move);
}

/** A canvas as sharp as the screen; drawn anew when the screen turns dark or light. */
function canvas(width, height, label, draw) {
  const sharpness = Math.min(devicePixelRatio || 1, 16000 / width);
  const node = element("canvas", { role: "img", "aria-label": label, width: Math.round(width * sharpness), height: Math.round(height * sharpness), style: `width:${width}px;height:${height}px` });
  const paint = () => {
    const context = node.getContext("2d");
    context.setTransform(sharpness, 0, 0, sharpness, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context);
  };
  // Colours are taken from the style, which applies once the canvas is in the page.
  requestAnimationFrame(paint);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", function again() {
    if (node.isConnected) paint();
    else dark.removeEventListener("change", again);
  });
  return node;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function drawMel(context, picture, width, perSecond) {
  const image = new ImageData(picture.melFrames, picture.melBins);
  for (let frame = 0; frame < picture.melFrames; frame++) {
    for (let bin = 0; bin < picture.melBins; bin++) {
      const level = picture.mel[frame * picture.melBins + bin] / 15;
      const [red, green, blue] = heat(level);
      const at = 4 * ((picture.melBins - 1 - bin) * picture.melFrames + frame);
      image.data.set([red, green, blue, 255], at);
    }
  }
  const small = new OffscreenCanvas(picture.melFrames, picture.melBins);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, (picture.melFrames / DATA.melRate) * perSecond, MEL_HEIGHT);
}

function heat(level) {
  const place = level * (HEAT.length - 1);
  const low = Math.min(HEAT.length - 2, Math.floor(place));
  const part = place - low;
  return HEAT[low].map((value, i) => value + part * (HEAT[low + 1][i] - value));
}

function drawUnits(context, picture, width, perSecond) {
  const [upper, lower] = [16, UNITS_HEIGHT - 4];
  const x = (frame) => (frame + 0.5) * DATA.secondsPerFrame * perSecond;
  const y = (probability) => lower - probability * (lower - upper);
  context.strokeStyle = colour("--grid");
  for (const level of [0, 0.5, 1]) {
    context.beginPath();
    context.moveTo(0, y(level));
    context.lineTo(width, y(level));
    context.stroke();
  }
  context.strokeStyle = colour("--faint");
  context.setLineDash([3, 3]);
  context.beginPath();
  picture.blanks.forEach((value, frame) => context[frame ? "lineTo" : "moveTo"](x(frame), y(value)));
  context.stroke();
  context.setLineDash([]);
  for (const [unit, curve] of picture.curves) drawCurve(context, curve, PALETTE[unit % PALETTE.length], x, y);
  // Labels last, or later curves would cross them; strong ones first, where two would overlap.
  context.font = "600 11px system-ui, sans-serif";
  context.textAlign = "center";
  const peaks = [...picture.curves].flatMap(([unit, curve]) => peaksOf(curve).map(([frame, value]) => ({ unit, frame, value })));
  const taken = [];
  for (const { unit, frame, value } of peaks.sort((a, b) => b.value - a.value)) {
    const name = DATA.units[unit] === " " ? "␣" : DATA.units[unit];
    const half = context.measureText(name).width / 2 + 1;
    const [left, right, top] = [x(frame) - half, x(frame) + half, y(value) - 4];
    if (taken.some((other) => left < other.right && right > other.left && Math.abs(top - other.top) < 10)) continue;
    taken.push({ left, right, top });
    context.fillStyle = PALETTE[unit % PALETTE.length];
    context.fillText(name, x(frame), top);
  }
}

/** The probability of one unit; where it is not seen it is next to nothing. */
function drawCurve(context, curve, hue, x, y) {
  const frames = [...curve.keys()].sort((a, b) => a - b);
  context.strokeStyle = context.fillStyle = hue;
  let start = 0;
  for (let i = 1; i <= frames.length; i++) {
    if (i < frames.length && frames[i] === frames[i - 1] + 1) continue;
    const part = frames.slice(start, i);
    context.beginPath();
    context.moveTo(x(part[0] - 1), y(0));
    for (const frame of part) context.lineTo(x(frame), y(curve.get(frame)));
    context.lineTo(x(part[part.length - 1] + 1), y(0));
    context.globalAlpha = 0.25;
    context.fill();
    context.globalAlpha = 1;
    context.stroke();
    start = i;
  }
}

function peaksOf(curve) {
  return [...curve].filter(
    ([frame, value]) => value >= 0.25 && value >= (curve.get(frame - 1) ?? 0) && value > (curve.get(frame + 1) ?? 0),
  );
}

function drawAxis(context, seconds, perSecond) {
  context.fillStyle = context.strokeStyle = colour("--muted");
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "center";
  for (let tick = 0; tick <= seconds * 2; tick++) {
    const x = Math.max(0.5, (tick / 2) * perSecond);
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, tick % 2 ? 3 : 5);
    context.stroke();
    if (tick % 2 === 0) context.fillText(String(tick / 2), Math.max(4, x), 17);
  }
}
