// The live page: the state once, and then an event a second. Whatever it writes is text, never markup.

import { Chart, SECONDS } from "./chart.js";
import { brief, bytes, number, seconds } from "./words.js";
import { cells, fill, put, svg } from "./write.js";

const STALE_MS = 5000;
const RETRY_MS = 10000; // after a refusal, which the browser takes for the last word
const SLOTS_MAX = 16;
const ROW_SECONDS = 30;

const by = (id) => document.getElementById(id);

const throughput = new Chart(by("throughput"), {
  lines: ["good", "bad"], filled: "good", topLabel: by("throughput-top"), says: by("throughput-says"),
});
const latency = new Chart(by("latency"), {
  lines: ["good", "high"], topLabel: by("latency-top"), says: by("latency-says"),
});

let history = { batches: [], rejections: [], p50_ms: [], p99_ms: [] };
let second = -1; // how many of them the history has heard of
let slots = 0;
const busy = new Map(); // seconds that each worker has worked, a second ago

function showHealth({ troubles }) {
  by("health").dataset.state = troubles.length ? "trouble" : "ready";
  put("health-text", troubles.length ? `not ready: ${troubles.join("; ")}` : "ready");
}

function showFigures(state) {
  const lag = state.lanes.reduce((sum, lane) => sum + lane.lag, 0);
  put("rate", number(state.last_second.batches));
  put("total", number(state.batches));
  put("p50", brief(state.last_second.p50_ms));
  put("p99", brief(state.last_second.p99_ms));
  put("lag", number(lag));
  put("lag-unit", lag === 1 ? "record" : "records");
  put("chunks", number(state.in_flight_chunks));
  put("chunks-max", number(state.in_flight_chunks_max));
  put("bytes", bytes(state.in_flight_bytes));
  put("bytes-max", bytes(state.in_flight_bytes_max));
  put("rejected", number(state.rejections));
}

function showCharts() {
  const last = (name) => history[name].at(-1) ?? 0;
  const highest = (name) => Math.max(0, ...history[name]);
  throughput.draw({ good: history.batches, bad: history.rejections.map((value) => value || null) }, {
    unit: "",
    sentence: `${number(last("batches"))} batches a second now, at most ${number(highest("batches"))} in the last five minutes`,
  });
  latency.draw({ good: history.p50_ms, high: history.p99_ms }, {
    unit: " ms",
    sentence: `p99 is ${brief(last("p99_ms"))} ms now, and was at most ${brief(highest("p99_ms"))} ms in the last five minutes`,
  });
}

function showMinutes() {
  if (!by("minutes").closest("details").open) return;
  const rows = [];
  for (let end = history.batches.length; end > 0; end -= ROW_SECONDS) {
    const part = (name) => history[name].slice(Math.max(0, end - ROW_SECONDS), end);
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const measured = part("p50_ms").filter((value) => value !== null);
    rows.push([
      `${history.batches.length - end} to ${history.batches.length - end + part("batches").length}`,
      number(mean(part("batches"))),
      number(mean(part("rejections"))),
      brief(measured.length ? mean(measured) : null),
      brief(measured.length ? Math.max(...part("p99_ms")) : null),
    ]);
  }
  fill(by("minutes"), rows, () => document.createElement("tr"), (row, texts) => cells(row, texts, [1, 2, 3, 4]));
}

function makeLane() {
  const row = document.createElement("tr");
  cells(row, ["", "", "", "", "", "", ""], [0, 2, 3, 5, 6]);
  const drawn = document.createElement("span");
  drawn.className = "slots";
  drawn.setAttribute("role", "img");
  row.cells[1].append(drawn);
  return row;
}

function showLane(row, lane) {
  const [oldest] = lane.chunks;
  const steps = lane.chunks.map(({ step }) => step);
  const drawn = row.cells[1].firstChild;
  drawn.ariaLabel = steps.length ? steps.join(", ") : "nothing";
  fill(drawn, Array.from({ length: slots }, (_, place) => steps[place] ?? ""), makeSlot, (slot, step) => {
    slot.dataset.step = step;
  });
  const texts = {
    0: String(lane.partition),
    4: oldest ? `${oldest.step} for ${seconds(oldest.seconds)}` : "–",
    2: number(lane.lag),
    3: lane.oldest_s === null ? "–" : seconds(lane.oldest_s),
    5: number(lane.done_offset),
    6: lane.committed_offset === null ? "–" : number(lane.committed_offset),
  };
  for (const [column, text] of Object.entries(texts)) {
    if (row.cells[column].textContent !== text) row.cells[column].textContent = text;
  }
}

function makeSlot() {
  const slot = document.createElement("span");
  slot.className = "slot";
  return slot;
}

function makePair(tag, mark) {
  return () => {
    const line = document.createElement("li");
    line.append(document.createElement(mark), document.createElement(tag));
    return line;
  };
}

function makeWorker() {
  const tile = makePair("span", "strong")();
  const bar = svg("svg", { class: "share", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true", width: "100%" });
  bar.append(svg("rect", { height: "4", width: "0" }));
  tile.append(bar);
  return tile;
}

function showWorkers(state) {
  const times = state.rebuilds === 1 ? "once" : `${number(state.rebuilds)} times`;
  put("rebuilds", state.rebuilds ? `replaced ${times}, ${number(state.convictions)} batches convicted` : "");
  const busyBefore = new Map([...busy]);
  busy.clear();
  fill(by("workers"), state.workers, makeWorker, (tile, worker) => {
    busy.set(worker.pid, worker.busy_s);
    const share = Math.min(1, Math.max(0, worker.busy_s - (busyBefore.get(worker.pid) ?? worker.busy_s)));
    const [name, now, bar] = tile.children;
    tile.dataset.busy = String(worker.at !== null);
    tile.dataset.quarantined = String(worker.quarantined);
    name.textContent = worker.quarantined ? `quarantine, pid ${worker.pid}` : `pid ${worker.pid}`;
    const at = worker.at === null ? "waits" : `at ${worker.at} for ${seconds(worker.seconds)}`;
    now.textContent = `${Math.round(100 * share)} % busy, ${at}`;
    bar.firstChild.setAttribute("width", String(100 * share));
  });
}

function showLog(id, entries, mark) {
  fill(by(id), entries.slice(0, 8), makePair("span", mark), (line, entry) => {
    line.firstChild.textContent = entry.what;
    const where = entry.where.split("/").slice(-2).join("/"); // of the one topic that all of them are from
    line.lastChild.textContent = `${where} at ${new Date(entry.at * 1000).toLocaleTimeString("en-GB")}`;
  });
}

function show(state) {
  showHealth(state);
  showFigures(state);
  showCharts();
  showMinutes();
  fill(by("lanes"), state.lanes, makeLane, showLane);
  showWorkers(state);
  showLog("results", state.results, "span");
  showLog("letters", state.dead_letters, "b");
}

// Events that were missed, by a sleeping tab or a restart of the instance, are the server's to tell again.
async function begin() {
  const response = await fetch("state");
  if (!response.ok) throw new Error(response.statusText);
  const state = await response.json();
  history = state.history;
  second = state.second;
  slots = Math.min(SLOTS_MAX, Number(state.settings.lane_chunks_max));
  put("version", state.version);
  by("send").hidden = !state.form;
  const makeRow = () => document.createElement("tr");
  fill(by("settings"), Object.entries(state.settings), makeRow, (row, setting) => cells(row, setting));
  show(state);
}

function hear(state) {
  if (state.second === second) return;
  if (state.second !== second + 1) {
    begin().catch(lost);
    return;
  }
  second = state.second;
  for (const [name, values] of Object.entries(history)) {
    values.push(state.last_second[name]);
    if (values.length > SECONDS) values.shift();
  }
  show(state);
}

function lost() {
  by("health").dataset.state = "lost";
  put("health-text", "connection lost, trying again");
}

function listen() {
  let timer = setTimeout(lost, STALE_MS);
  const events = new EventSource("events");
  events.onopen = () => begin().catch(lost);
  events.onerror = () => {
    lost();
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS);
  };
  events.onmessage = ({ data }) => {
    clearTimeout(timer);
    timer = setTimeout(lost, STALE_MS);
    hear(JSON.parse(data));
  };
}

async function send(event) {
  event.preventDefault();
  const button = by("form").querySelector("button");
  const answer = by("answer");
  button.disabled = true;
  try {
    const response = await fetch("process_batch", {
      method: "POST", headers: { "content-type": "application/json" }, body: by("request").value,
    });
    const text = await response.text();
    answer.dataset.state = response.ok ? "complete" : "failed";
    answer.textContent = response.ok ? text : problem(response.status, text);
  } catch {
    answer.dataset.state = "failed";
    answer.textContent = "The instance cannot be reached.";
  } finally {
    button.disabled = false;
  }
}

function problem(status, text) {
  try {
    const { title, detail, details = [] } = JSON.parse(text);
    const faults = details.map(({ path, message }) => `${path || "the document"}: ${message}`);
    return [`${status} ${title}`, detail, ...faults].filter(Boolean).join("\n");
  } catch {
    return String(status);
  }
}

by("form").addEventListener("submit", send);
listen();
