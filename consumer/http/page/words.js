// Figures as people read them; each has about the same width from one second to the next.

export const number = (value) => Math.round(value).toLocaleString("en");

export function brief(value) {
  if (value === null) return "–";
  return value >= 10 ? number(value) : value.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

export function bytes(value) {
  if (value < 1024 * 1024) return `${number(value / 1024)} KiB`;
  return `${brief(value / 1024 / 1024)} MiB`;
}

export function seconds(value) {
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 120) return `${value.toFixed(1)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return value < 172800 ? `${Math.round(value / 3600)} h` : `${number(value / 86400)} days`;
}
