// The table of utterances: filtered, sorted, and built only as far as it is scrolled to.

const CHUNK = 60; // rows that are added at a time

const COLUMNS = [
  { key: "id", name: "Utterance", value: (u) => u.id },
  { key: "speaker", name: "Speaker", value: (u) => u.speaker ?? "", if: () => UTTERANCES.some((u) => u.speaker) },
  { key: "seconds", name: "Seconds", number: true, value: (u) => u.seconds ?? -1, show: (u) => (u.seconds === null ? "–" : u.seconds.toFixed(1)) },
  { key: "length", name: "Words", number: true, value: (u) => u.length },
  { key: "errors", name: "Errors", number: true, value: (u) => u.errors },
  { key: "wer", name: "WER %", number: true, value: (u) => u.wer, show: (u) => (u.wer === Infinity ? "∞" : percent(u.wer, 1)) },
  { key: "confidence", name: "Confidence", number: true, value: (u) => u.confidence ?? -1, show: (u) => percent(u.confidence, 0), if: () => UTTERANCES.some((u) => u.confidence !== null) },
  { key: "text", name: "What was heard, errors marked", value: (u) => u.hypothesis.join(" ") },
];

class Table {
  constructor() {
    this.set = 0; // an index of DATA.sets that has utterances, or null for all of them
    this.sorting = { key: "wer", descending: true };
    this.chips = new Map(); // filters chosen in the charts: kind to label and test
    this.columns = COLUMNS.filter((column) => !column.if || column.if());
    this.shown = [];
    this.built = 0;
    this.headings();
    byId("search").addEventListener("input", () => this.refresh());
    byId("wrong").addEventListener("change", () => this.refresh());
    byId("speaker").addEventListener("change", () => this.refresh());
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.grow(), {
      rootMargin: "800px",
    }).observe(byId("more"));
  }

  headings() {
    const cells = this.columns.map((column) => {
      const sort = () => this.sort(column);
      return element(
        "th",
        { scope: "col", class: column.number ? "number" : `of-${column.key}`, "data-key": column.key },
        element("button", { type: "button", click: sort }, column.name),
      );
    });
    byId("columns").replaceChildren(element("th", { class: "opener" }, element("span", { class: "hidden" }, "Details")), ...cells);
  }

  /** Shows another set: its speakers to choose from, and none of the filters of the last one. */
  choose(set) {
    this.set = set;
    this.chips.clear();
    const names = new Set(UTTERANCES.filter((u) => this.belongs(u) && u.speaker).map((u) => u.speaker));
    const options = [...names].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    byId("speaker").replaceChildren(element("option", { value: "" }, "all"), ...options.map((name) => element("option", {}, name)));
    byId("speaker-label").hidden = options.length < 2;
    this.refresh();
  }

  /** Adds a filter of the charts, which replaces the last one of its kind. */
  filter(kind, label, test) {
    if (kind === "speaker") byId("speaker").value = label.replace(/^speaker /, "");
    else this.chips.set(kind, { label, test });
    this.refresh();
    byId("utterances").scrollIntoView({ block: "start" });
    byId("utterances").focus({ preventScroll: true });
  }

  sort(column) {
    const same = this.sorting.key === column.key;
    this.sorting = { key: column.key, descending: same ? !this.sorting.descending : Boolean(column.number) };
    this.refresh();
  }

  belongs(utterance) {
    return this.set === null || utterance.set === this.set;
  }

  refresh() {
    const wanted = byId("search").value.trim().toLowerCase();
    const speaker = byId("speaker").value;
    const onlyWrong = byId("wrong").checked;
    const tests = [...this.chips.values()].map((chip) => chip.test);
    this.shown = UTTERANCES.filter(
      (u) =>
        this.belongs(u) &&
        (!wanted || u.text.includes(wanted)) &&
        (!speaker || u.speaker === speaker) &&
        (!onlyWrong || u.errors > 0) &&
        tests.every((test) => test(u)),
    );
    this.order();
    this.built = 0;
    byId("rows").replaceChildren();
    this.grow();
    this.tell();
  }

  order() {
    const { value } = COLUMNS.find((column) => column.key === this.sorting.key);
    const sign = this.sorting.descending ? -1 : 1;
    const keyed = this.shown.map((u) => [value(u), u]);
    const compare = typeof keyed[0]?.[0] === "string"
      ? new Intl.Collator("en", { numeric: true }).compare
      : (a, b) => (a === b ? 0 : a < b ? -1 : 1);
    // What is equal stands as in the data: the worst first.
    keyed.sort((a, b) => sign * compare(a[0], b[0]) || a[1].index - b[1].index);
    this.shown = keyed.map(([, u]) => u);
    for (const cell of byId("columns").querySelectorAll("[data-key]")) {
      const sorted = cell.dataset.key === this.sorting.key;
      if (sorted) cell.setAttribute("aria-sort", this.sorting.descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
  }

  /** Adds the next rows; more follow when the end comes into view. */
  grow() {
    const next = this.shown.slice(this.built, this.built + CHUNK);
    if (!next.length) return;
    this.built += next.length;
    byId("rows").append(...next.map((utterance) => this.row(utterance)));
    // The end may still be in view, and then the observer has nothing new to report.
    requestAnimationFrame(() => {
      if (byId("more").getBoundingClientRect().top < innerHeight + 400) this.grow();
    });
  }

  row(utterance) {
    const opener = element(
      "button",
      { type: "button", "aria-expanded": "false", "aria-label": `Details of ${utterance.id}` },
      "▸",
    );
    const cells = this.columns.map((column) =>
      column.key === "text"
        ? element("td", { class: "of-text" }, ...marked(utterance))
        : element("td", { class: column.number ? "number" : `of-${column.key}` }, String((column.show ?? column.value)(utterance))),
    );
    const row = element("tr", { class: "utterance", "data-id": utterance.id }, element("td", { class: "opener" }, opener), ...cells);
    row.addEventListener("click", (event) => {
      if (event.target.closest("button") !== opener && String(getSelection())) return; // text was selected
      this.toggle(row, opener, utterance);
    });
    return row;
  }

  toggle(row, opener, utterance) {
    const open = opener.getAttribute("aria-expanded") === "true";
    opener.setAttribute("aria-expanded", String(!open));
    row.classList.toggle("open", !open);
    if (open) {
      row.nextElementSibling.remove();
      return;
    }
    const cell = element("td", { colspan: this.columns.length + 1 });
    row.after(element("tr", { class: "detail" }, cell));
    openDetail(cell, utterance);
  }

  tell() {
    const words = this.shown.reduce((sum, u) => sum + u.length, 0);
    const errors = this.shown.reduce((sum, u) => sum + u.errors, 0);
    const all = UTTERANCES.filter((u) => this.belongs(u)).length;
    const rate = words ? `, WER ${percent(errors / words)} %` : "";
    byId("count").textContent = `${whole(this.shown.length)} of ${whole(all)}${rate}`;
    byId("chips").replaceChildren(
      ...[...this.chips].map(([kind, chip]) =>
        element(
          "button",
          {
            type: "button",
            class: "chip",
            "aria-label": `Remove the filter ${chip.label}`,
            click: () => {
              this.chips.delete(kind);
              this.refresh();
            },
          },
          `${chip.label} ×`,
        ),
      ),
    );
  }
}

/** What was heard, as it reads, with the errors marked. */
function marked(utterance) {
  const parts = [];
  for (const { mark, said, heard } of pairs(utterance)) {
    if (parts.length) parts.push(" ");
    if (mark === "=") parts.push(heard);
    else parts.push(element(mark === "D" ? "del" : "span", { class: `mark ${mark}` }, heard ?? said));
  }
  return parts;
}
