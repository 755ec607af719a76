// What is there is kept and only its text changed: nothing jumps, and no selection or focus is lost.

export function put(id, text) {
  const element = document.getElementById(id);
  if (element.textContent !== text) element.textContent = text;
}

export function cells(row, texts, numbers = []) {
  texts.forEach((text, column) => {
    const cell = row.cells[column] ?? row.insertCell();
    if (numbers.includes(column)) cell.className = "number";
    if (cell.textContent !== text) cell.textContent = text;
  });
}

export function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// As many children as there are items.
export function fill(parent, items, make, update) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  items.forEach((item, place) => update(parent.children[place] ?? parent.appendChild(make()), item));
}
