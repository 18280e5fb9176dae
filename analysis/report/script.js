"use strict";
// What the page can do besides being read: sort tables, fold chapters, show pictures in full size.

const NUMBER = /^[+\-\u2212]?(\d[\d,]*)?\.?\d+(e[+\-]?\d+)?/i;
const NOTHING = new Set(["", "none", "unknown", "not scored", "not run", "\u2013"]);

function numberOf(text) {
  const found = text.trim().replace(/^(approx\.|about|<|>|\u2248|\u2264|\u2265)\s*/, "").match(NUMBER);
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
  if (table.tHead.rows.length > 1) return; // crossed: its rows are in an order of their own
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

// Shows as much of the restored image, or of the original, over the JPEG one as the slider says.
function makeSlider(slider) {
  const input = slider.querySelector("input");
  const show = () => slider.querySelectorAll(".over").forEach((over) => {
    over.style.clipPath = `inset(0 0 0 ${100 - input.value}%)`;
  });
  input.addEventListener("input", show);
  show();
}

document.querySelectorAll("section table").forEach(makeSortable);
makeZoomable(document.querySelector("dialog"));
document.querySelectorAll(".slider").forEach(makeSlider);
document.querySelector("#unfold").addEventListener("click", () => foldAll(true));
document.querySelector("#fold").addEventListener("click", () => foldAll(false));

let foldedBefore = [];
window.addEventListener("beforeprint", () => {
  foldedBefore = [...document.querySelectorAll("section details:not([open])")];
  foldedBefore.forEach((details) => { details.open = true; });
});
window.addEventListener("afterprint", () => foldedBefore.forEach((details) => { details.open = false; }));
