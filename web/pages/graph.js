import { ask, byId, element, seriesName, showError } from "./api.js";
import { Chart, colour } from "./chart.js";

// Links of notifications name Alertmanager's pages, below the root.
if (/^#\/(alerts|silences)/.test(location.hash)) location.replace("delivery" + location.hash);

const MAX_ROWS = 1000;
const MAX_LINES = 100;
const UNITS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31536000 };

const form = byId("form");
const fields = { expr: byId("expr"), range: byId("range"), end: byId("end"), step: byId("step") };
const chart = new Chart(byId("canvas"), byId("hover"));
let view = "table";
let running = null;

// Seconds of "1h30m" or "90"; NaN when it is neither.
function duration(text) {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!/^(\d+(ms|[smhdwy]))+$/.test(text)) return NaN;
  return [...text.matchAll(/(\d+)(ms|[smhdwy])/g)].reduce((sum, [, n, unit]) => sum + n * UNITS[unit], 0);
}

// The API's values are text, with "+Inf" where JavaScript says "Infinity".
const number = (text) => Number(text.replace("Inf", "Infinity"));

// "1:5: parse error: ..." gets the query's line with the place marked.
function showQueryError(message, expr) {
  showError(message);
  const [, line, column] = /(?:^|: )(\d+):(\d+): parse error/.exec(message) || [];
  const text = expr.split("\n")[line - 1];
  if (text === undefined) return;
  const at = Math.min(column - 1, text.length);
  byId("error").append(element("pre", {}, text.slice(0, at), element("mark", {}, text.slice(at, at + 1) || " "),
    text.slice(at + 1)));
}

function showNotes(envelope, more) {
  const notes = [...(envelope.warnings || []), ...(envelope.infos || []), ...more];
  byId("notes").textContent = notes.join("\n");
  byId("notes").classList.toggle("hidden", !notes.length);
}

function tableRows({ resultType, result }) {
  if (resultType === "scalar" || resultType === "string") return [[resultType, [result]]];
  return result.map((one) => [seriesName(one.metric), one.values || [one.value]]);
}

function showTable(data) {
  const rows = tableRows(data);
  const many = data.resultType === "matrix";
  const cell = ([time, value]) => (many ? value + " @ " + new Date(time * 1000).toLocaleString() : value);
  const body = rows.slice(0, MAX_ROWS).map(([name, points]) => element("tr", {},
    element("td", { className: "series" }, name),
    element("td", { className: "value" }, ...points.flatMap((point) => [cell(point), element("br")]).slice(0, -1))));
  byId("table").replaceChildren(rows.length
    ? element("table", {}, element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Series"),
      element("th", { scope: "col", className: "value" }, "Value"))), element("tbody", {}, ...body))
    : element("p", { className: "quiet" }, "Nothing matches at this time."));
  return rows.length;
}

function showLegend(series) {
  byId("legend").replaceChildren(...series.map((one, index) => {
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = colour(index);
    const button = element("button", { type: "button", "aria-pressed": "true", title: "Show or hide" }, swatch, one.name);
    button.addEventListener("click", () => {
      one.hidden = !one.hidden;
      button.setAttribute("aria-pressed", String(!one.hidden));
      chart.draw();
    });
    return element("li", {}, button);
  }));
}

function showGraph(result, range) {
  const series = result.slice(0, MAX_LINES).map((one) => ({
    name: seriesName(one.metric),
    points: one.values.map(([time, text]) => [time, number(text)]),
    hidden: false,
  }));
  chart.show(series, range);
  showLegend(series);
  if (!series.length) byId("legend").append(element("li", { className: "quiet" }, "Nothing matches in this range."));
  return result.length;
}

function readRange() {
  const length = duration(fields.range.value.trim());
  if (!(length > 0)) throw new Error("The range is not a duration such as 30m or 1h.");
  const end = fields.end.value ? new Date(fields.end.value) / 1000 : Math.floor(Date.now() / 1000);
  const step = fields.step.value.trim() ? duration(fields.step.value.trim()) : Math.max(1, Math.ceil(length / 300));
  if (!(step > 0)) throw new Error("The step is not a duration such as 15s.");
  // On multiples of the step, so that a graph that is drawn again does not flicker.
  const last = Math.floor(end / step) * step;
  return { start: last - Math.floor(length / step) * step, end: last, step };
}

async function run() {
  const query = fields.expr.value.trim();
  remember(query);
  if (!query) return;
  running?.abort();
  const mine = (running = new AbortController());
  byId("status").textContent = "Running";
  const begun = performance.now();
  try {
    let count;
    let envelope;
    if (view === "graph") {
      const range = readRange();
      envelope = await ask("query_range", { query, ...range }, mine.signal);
      count = showGraph(envelope.data.result, range);
    } else {
      const time = fields.end.value ? { time: new Date(fields.end.value) / 1000 } : {};
      envelope = await ask("query", { query, ...time }, mine.signal);
      count = showTable(envelope.data);
    }
    const shown = view === "graph" ? MAX_LINES : MAX_ROWS;
    showError("");
    showNotes(envelope, count > shown ? [`Only the first ${shown} of ${count} series are shown.`] : []);
    byId("status").textContent = `${count} series in ${(performance.now() - begun).toFixed(0)} ms`;
  } catch (failure) {
    if (failure.name === "AbortError") return;
    showNotes({}, []);
    showQueryError(failure.message, query);
    byId("status").textContent = "";
  }
}

// The address names the query, so that it can be shared.
function remember(query) {
  const state = new URLSearchParams({ expr: query, view, range: fields.range.value });
  if (fields.end.value) state.set("end", fields.end.value);
  if (fields.step.value) state.set("step", fields.step.value);
  history.replaceState(null, "", query ? "?" + state : location.pathname);
}

// Links made for Prometheus's page: bookmarks, Grafana, alerts. Of several panels the first is shown.
function fromPrometheus(state) {
  const get = (name) => state.get("g0." + name) || "";
  // Its times are UTC, the field's are local.
  const end = new Date((get("end_input") || get("moment_input")).replace(" ", "T") + "Z");
  const local = isNaN(end) ? "" : new Date(end - end.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
  const graph = get("tab") === "0" || get("tab") === "graph";
  return new URLSearchParams({ expr: get("expr"), view: graph ? "graph" : "table", range: get("range_input"), end: local,
    step: get("step_input") || get("res_step") });
}

function recall() {
  let state = new URLSearchParams(location.search);
  if (state.has("g0.expr")) state = fromPrometheus(state);
  for (const [name, field] of Object.entries(fields)) if (state.get(name)) field.value = state.get(name);
  if (state.get("view") === "graph") select("graph");
}

function select(name) {
  view = name;
  for (const one of ["table", "graph"]) {
    const tab = byId("tab-" + one);
    tab.setAttribute("aria-selected", String(one === name));
    tab.tabIndex = one === name ? 0 : -1;
    byId("view-" + one).classList.toggle("hidden", one !== name);
  }
}

for (const name of ["table", "graph"]) {
  byId("tab-" + name).addEventListener("click", () => { select(name); run(); });
}
document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  select(view === "table" ? "graph" : "table");
  byId("tab-" + view).focus();
  run();
});
form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
fields.expr.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); run(); }
});
recall();
run();
