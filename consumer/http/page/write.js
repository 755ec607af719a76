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

// An element of text, or of whatever can be appended.
export function element(tag, content = [], style = "") {
  const made = document.createElement(tag);
  made.append(...[content].flat());
  if (style) made.className = style;
  return made;
}

export function link(to, text) {
  const made = element("a", text);
  made.href = to;
  return made;
}

// Paragraphs, in which `code` stands between backticks.
export function prose(text = "") {
  const paragraphs = text.split("\n\n").filter(Boolean);
  return paragraphs.map((words) => element("p", words.split("`").map((part, place) => (place % 2 ? element("code", part) : part))));
}

// *rows* have lists of what their cells hold.
export function table(label, heads, rows) {
  const made = element("table");
  const first = made.createTHead().insertRow();
  for (const head of heads) first.append(Object.assign(element("th", head), { scope: "col" }));
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const cell of row) line.insertCell().append(...cell);
  }
  const frame = element("div", made, "scrolls");
  for (const [name, value] of Object.entries({ tabindex: "0", role: "group", "aria-label": label })) frame.setAttribute(name, value);
  return frame;
}
