// Charts of the last five minutes, a point a second, drawn as SVG paths.

import { svg } from "./write.js";

export const SECONDS = 300;

// The scale is a round number, and shrinks only when the highest point has long been far below it: a chart that
// breathes with every value cannot be read.
function niceTop(highest, before) {
  const power = 10 ** Math.floor(Math.log10(Math.max(highest, 1)));
  const top = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((candidate) => candidate >= highest) ?? power;
  return before && highest <= before && highest > before / 3 ? before : top;
}

function points(values, top) {
  const first = SECONDS - values.length;
  return values.map((value, second) => [((first + second) / (SECONDS - 1)) * 300, 98 - (Math.min(value, top) / top) * 94]);
}

// A second in which nothing was delivered has no latency: the line has a gap there.
function line(values, top) {
  let pen = "M";
  return points(values, top)
    .map(([x, y], second) => {
      if (values[second] === null) {
        pen = "M";
        return "";
      }
      const step = `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = "L";
      return step;
    })
    .join("");
}

export class Chart {
  // *lines* names each series by its class of colour; *filled* is the one with an area below it.
  constructor(frame, { lines, filled, topLabel, says }) {
    this.top = 0;
    this.topLabel = topLabel;
    this.says = says;
    this.paths = new Map();
    for (const y of [4, 51]) frame.append(svg("path", { class: "grid", d: `M0 ${y}H300` }));
    this.area = filled && { name: filled, path: svg("path", { class: "area" }) };
    if (this.area) frame.append(this.area.path);
    for (const name of lines) {
      this.paths.set(name, svg("path", { class: name }));
      frame.append(this.paths.get(name));
    }
  }

  // *series* has the values of each line, oldest first; null where there is none.
  draw(series, { unit, sentence }) {
    this.top = niceTop(Math.max(1, ...Object.values(series).flat()), this.top);
    for (const [name, path] of this.paths) path.setAttribute("d", line(series[name], this.top));
    if (this.area) {
      const values = series[this.area.name];
      const outline = points(values, this.top).map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`);
      const left = points(values, this.top)[0]?.[0] ?? 0;
      this.area.path.setAttribute("d", outline.length ? `M${left.toFixed(1)} 98L${outline.join("L")}L300 98Z` : "");
    }
    this.topLabel.textContent = `${this.top.toLocaleString("en")}${unit}`;
    this.says.textContent = sentence;
  }
}
