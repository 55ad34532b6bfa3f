// From the data to the page.

const table = new Table();
const choose = (kind, label, test) => table.filter(kind, label, test);

function show(index) {
  const record = DATA.sets[index];
  drawSummary(record);
  drawCharts(record, choose);
  drawConfusions(record, choose);
  table.choose(index < DATA.own ? index : null); // behind the sets stands their pool
  for (const [number, button] of [...byId("sets").children].entries()) {
    button.setAttribute("aria-pressed", String(number === index));
  }
}

{
  const [first] = DATA.sets;
  byId("title").textContent = document.title;
  byId("origin").textContent = [
    `Model ${DATA.model}`,
    `${first.decoder} on ${first.device}`,
    `asr ${DATA.version}, ${DATA.date}`,
  ].join(" · ");
  if (DATA.sets.length > 1) {
    byId("sets").replaceChildren(
      ...DATA.sets.map((record, index) =>
        element("button", { type: "button", click: () => show(index) }, record.name),
      ),
    );
  }
  show(0);
}
