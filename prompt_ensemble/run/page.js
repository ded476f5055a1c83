"use strict";

const cards = [...document.querySelectorAll("article")];
const list = document.getElementById("cards");
const field = document.getElementById("search");
const order = document.getElementById("order");
const told = document.getElementById("status");
let texts = null;

// What a reader would look for in each card; gathered when first wanted, since it takes a moment.
function searchable() {
  texts ??= cards.map((card) => [...card.querySelectorAll("h2, .prompt, dd, li")].map(
    (part) => part.textContent).join("\n").toLowerCase());
  return texts;
}

function search() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length ? searchable().map((text) => words.every((w) => text.includes(w)))
    : cards.map(() => true);
  cards.forEach((card, number) => { card.hidden = !found[number]; });
  told.textContent = `${found.filter(Boolean).length} shown`;
}

// Cards without a prompt come last either way. Chromium takes half a minute to move thousands of
// cards one by one, and a moment to replace them all.
function sort() {
  const down = order.value === "down";
  const trust = (card) => Number(card.dataset.trust ?? (down ? -Infinity : Infinity));
  const sorted = order.value === "name" ? cards
    : [...cards].sort((a, b) => (down ? trust(b) - trust(a) : trust(a) - trust(b)) || 0);
  list.replaceChildren(...sorted);
}

// Browsers that keep the clipboard from pages on the disk still copy what is selected.
function copySelected(part) {
  getSelection().selectAllChildren(part);
  const copied = document.execCommand("copy");
  if (copied) getSelection().removeAllRanges();
  return copied;
}

async function copy(button) {
  const prompt = button.closest("article").querySelector(".prompt");
  let copied = true;
  try {
    await navigator.clipboard.writeText(prompt.textContent);
  } catch {
    copied = copySelected(prompt);
  }
  told.textContent = copied ? "Copied" : "Selected; copy it with Ctrl+C or ⌘C";
  button.textContent = copied ? "Copied" : "Selected";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

document.documentElement.classList.add("scripted");
document.getElementById("controls").hidden = false;
document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
field.addEventListener("input", search);
order.addEventListener("change", sort);
list.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) copy(button);
});
