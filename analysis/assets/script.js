"use strict";
// What the page can do besides being read: sort tables, fold chapters, show pictures in full size.

const NUMBER = /^[+\-\u2212]?(\d[\d,]*)?\.?\d+(e[+\-]?\d+)?/i;
const NOTHING = new Set(["", "none", "unknown", "not scored", "not run"]);

function numberOf(text) {
  const found = text.trim().replace(/^(approx\.|about|<|>|\u2264|\u2265)\s*/, "").match(NUMBER);
  return found ? Number(found[0].replace(/,/g, "").replace("\u2212", "-")) : null;
}

// Sorts numbers as numbers where a column has any, words behind them; what says that there is nothing comes last.
function compareCells(hasNumbers, sign) {
  return (a, b) => {
    if (a.empty || b.empty) return a.empty - b.empty;
    if (hasNumbers && (a.number === null || b.number === null)) return (a.number === null) - (b.number === null);
    const order = hasNumbers ? a.number - b.number : a.text.localeCompare(b.text, "en", { numeric: true });
    return sign * order;
  };
}

function sortTable(table, column, sign) {
  const body = table.tBodies[0];
  table.firstOrder ??= [...body.rows];
  const rows = table.firstOrder.map((row) => {
    const text = row.cells[column].textContent.trim();
    const empty = NOTHING.has(text.toLowerCase());
    return { row, text, empty, number: empty ? null : numberOf(text) };
  });
  if (sign) rows.sort(compareCells(rows.some((row) => row.number !== null), sign));
  body.append(...rows.map((item) => item.row));
}

const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
const SIGNS = { none: 0, ascending: 1, descending: -1 };

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "sort by this column";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const order = NEXT[head.getAttribute("aria-sort") ?? "none"];
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (order !== "none") head.setAttribute("aria-sort", order);
      sortTable(table, column, SIGNS[order]);
    });
  });
}

function makeZoomable(dialog) {
  const large = dialog.querySelector("img");
  for (const button of document.querySelectorAll("button.zoom")) {
    button.addEventListener("click", () => {
      const small = button.querySelector("img");
      large.src = small.src;
      large.alt = small.alt;
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", () => dialog.close());
}

function foldAll(open) {
  for (const details of document.querySelectorAll("section details")) details.open = open;
}

function unfoldTo(element) {
  for (let outer = element; outer; outer = outer.parentElement) if (outer.tagName === "DETAILS") outer.open = true;
}

// Adds to the contents what every chapter holds: its titles, folded away.
function listTitles(section, entry) {
  const titles = [...section.querySelectorAll("h3")];
  if (!titles.length) return;
  const list = document.createElement("ol");
  titles.forEach((title, place) => {
    title.id ||= `${section.id}-${place + 1}`;
    const link = document.createElement("a");
    link.href = `#${title.id}`;
    link.textContent = title.textContent;
    link.addEventListener("click", () => unfoldTo(title));
    const item = document.createElement("li");
    item.append(link);
    list.append(item);
  });
  const folded = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = `${titles.length} ${titles.length === 1 ? "part" : "parts"}`;
  folded.append(summary, list);
  entry.append(folded);
}

document.querySelectorAll("section table").forEach(makeSortable);
makeZoomable(document.querySelector("dialog"));
document.querySelectorAll("section").forEach((section) => {
  listTitles(section, document.querySelector(`nav a[href="#${section.id}"]`).parentElement);
});
document.querySelector("#unfold").addEventListener("click", () => foldAll(true));
document.querySelector("#fold").addEventListener("click", () => foldAll(false));

let foldedBefore = [];
window.addEventListener("beforeprint", () => {
  foldedBefore = [...document.querySelectorAll("section details:not([open])")];
  foldedBefore.forEach((details) => { details.open = true; });
});
window.addEventListener("afterprint", () => foldedBefore.forEach((details) => { details.open = false; }));
