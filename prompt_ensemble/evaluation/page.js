"use strict";

// A column's cells sort as numbers where all of them carry one, as words elsewhere.
function valueOf(row, column) {
  const cell = row.cells[column];
  if ("value" in cell.dataset) return Number(cell.dataset.value);
  return cell.textContent ? cell.textContent.toLowerCase() : -Infinity;
}

function compare(first, second) {
  if (typeof first === typeof second) return (first > second) - (first < second);
  return typeof first === "number" ? -1 : 1;
}

function sortBy(header) {
  const table = header.closest("table");
  const down = header.getAttribute("aria-sort") !== "descending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  const column = header.cellIndex;
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => (down ? -1 : 1) * compare(valueOf(a, column), valueOf(b, column)));
  table.tBodies[0].append(...rows);
}

function search(field) {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of document.querySelectorAll(".images tbody tr")) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    if (!row.hidden) shown += 1;
  }
  document.getElementById("shown").textContent = `${shown} shown`;
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}
const field = document.getElementById("search");
if (field) field.addEventListener("input", () => search(field));
