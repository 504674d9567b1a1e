import { ago, byId, element, labelList, showError } from "./api.js";

const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31536000 };
const badge = (text, kind) => element("span", { className: "state " + kind }, text.toUpperCase());
const form = byId("form");
const fields = Object.fromEntries(["matchers", "duration", "author", "comment"].map((name) => [name, byId(name)]));
const MOST_ROWS = 500; // of alerts, in all groups: more would only make the page slow
let alerts = [];
let serverIsAhead = 0; // milliseconds: a silence begins by the server's clock

// Alertmanager's API answers without an envelope; its errors are a text, or an object with a message.
async function ask(path, method = "GET", body = undefined) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  let answer;
  try {
    answer = await fetch("api/v2/" + path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Error("The server can't be reached.");
  }
  const date = Date.parse(answer.headers.get("Date"));
  const difference = date - Date.now();
  serverIsAhead = Math.abs(difference) > 2000 ? difference : 0; // the header has whole seconds; no header: NaN
  const text = await answer.text();
  let value;
  try {
    value = text && JSON.parse(text);
  } catch {
    value = text.trim();
  }
  if (answer.ok) return value;
  throw Object.assign(new Error((value && value.message) || value || String(answer.status)), { status: answer.status });
}

// On a phone each row is a card, and each cell has its head before it.
function table(heads, rows) {
  for (const row of rows) heads.forEach((head, i) => { row.cells[i].dataset.head = head; });
  return element("div", { className: "panel scroll" }, element("table", { className: "cards" },
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...rows)));
}

const cell = (...children) => element("td", {}, ...children);

// ---- alerts ----

function stateOf(alert) {
  const { silencedBy, inhibitedBy, mutedBy } = alert.status;
  return silencedBy.length ? "silenced" : inhibitedBy.length ? "inhibited" : mutedBy.length ? "muted" : "active";
}

const nameText = (name) => (/^[^\s=!~,{}"]+$/.test(name) ? name : JSON.stringify(name));

function silenceThis(labels) {
  fields.matchers.value = Object.entries(labels).map(([name, value]) => `${nameText(name)}=${JSON.stringify(value)}`).join(", ");
  countMatched();
  form.scrollIntoView();
  fields.comment.focus();
}

function alertRow(alert) {
  const texts = Object.entries(alert.annotations).map(([name, text]) =>
    element("div", {}, element("span", { className: "quiet" }, name + ": "), text));
  const button = element("button", { type: "button", "aria-label": "Silence " + alert.labels.alertname }, "Silence");
  button.addEventListener("click", () => silenceThis(alert.labels));
  return element("tr", {},
    cell(badge(stateOf(alert), stateOf(alert) === "active" ? "down" : "unknown")), cell(...labelList(alert.labels)), cell(...texts),
    element("td", { title: alert.startsAt }, ago(alert.startsAt)), cell(button));
}

function groupSections(groups) {
  let left = MOST_ROWS;
  const sections = [];
  for (const group of groups) {
    if (left <= 0) break;
    sections.push(groupSection({ ...group, alerts: group.alerts.slice(0, left) }));
    left -= group.alerts.length;
  }
  if (left < 0 || sections.length < groups.length) {
    sections.push(element("p", { className: "quiet" }, `Only the first ${MOST_ROWS} are shown; pipit alert list has all.`));
  }
  return sections;
}

function groupSection(group) {
  const labels = labelList(group.labels);
  return element("section", {},
    element("h2", {}, group.receiver.name + " ", ...(labels.length ? labels : [element("span", { className: "quiet" }, "one group")])),
    table(["State", "Labels", "Annotations", "Since", ""], group.alerts.map(alertRow)));
}

// ---- silences ----

const TEXT = '"(?:[^"\\\\]|\\\\.)*"';
const MATCHER = new RegExp(`\\s*([^\\s=!~,{}"]+|${TEXT})\\s*(=~|!~|!=|=)\\s*(${TEXT}|[^,\\n"]*?)\\s*(?:[,\\n]|$)`, "y");

function parseMatchers(text) {
  text = text.trim().replace(/^\{([^]*)\}$/, "$1").trim().replace(/,$/, "");
  const found = [];
  const plain = (part) => (part.startsWith('"') ? JSON.parse(part) : part);
  for (MATCHER.lastIndex = 0; MATCHER.lastIndex < text.length;) {
    const at = MATCHER.lastIndex;
    const match = MATCHER.exec(text);
    if (!match) throw new Error("This is no matcher: " + text.slice(at));
    const [, name, sign, value] = match;
    found.push({ name: plain(name), value: plain(value), isRegex: sign.includes("~"), isEqual: !sign.includes("!") });
  }
  return found;
}

function matches(matcher, labels) {
  const value = Object.hasOwn(labels, matcher.name) ? labels[matcher.name] : "";
  const same = matcher.isRegex ? new RegExp(`^(?:${matcher.value})$`, "s").test(value) : value === matcher.value;
  return same === matcher.isEqual;
}

// A preview; what the server's regular expressions say counts.
function countMatched() {
  let text = "";
  try {
    const matchers = parseMatchers(fields.matchers.value);
    const count = alerts.filter((alert) => matchers.every((matcher) => matches(matcher, alert.labels))).length;
    if (matchers.length) text = `matches ${count} of ${alerts.length} alerts`;
  } catch {
    text = "";
  }
  byId("matched").textContent = text;
}

function matcherText({ name, value, isRegex, isEqual }) {
  return element("span", { className: "label" }, nameText(name) + (isEqual ? "=" : "!") + (isRegex ? "~" : isEqual ? "" : "=") + JSON.stringify(value));
}

function silenceRow(silence) {
  const button = element("button", { type: "button", "aria-label": "Expire the silence of " + silence.createdBy }, "Expire");
  button.addEventListener("click", () => act(() => ask("silence/" + encodeURIComponent(silence.id), "DELETE")));
  const time = (text) => element("td", { title: text }, new Date(text).toLocaleString());
  return element("tr", {},
    cell(badge(silence.status.state, silence.status.state === "active" ? "up" : "quiet")), cell(...silence.matchers.map(matcherText)), time(silence.startsAt),
    time(silence.endsAt), cell(silence.createdBy), cell(silence.comment),
    cell(silence.status.state === "expired" ? "" : button));
}

async function act(work) {
  const box = byId("form-error");
  try {
    await work();
    box.classList.add("hidden");
  } catch (failure) {
    box.textContent = failure.message;
    box.classList.remove("hidden");
  }
  await refresh();
}

function silenceOfForm() {
  const length = [...fields.duration.value.matchAll(/(\d+)([ywdhms])/g)].reduce((sum, [, n, unit]) => sum + n * UNITS[unit], 0);
  const now = Date.now() + serverIsAhead;
  return {
    matchers: parseMatchers(fields.matchers.value), comment: fields.comment.value, createdBy: fields.author.value,
    startsAt: new Date(now).toISOString(), endsAt: new Date(now + length * 1000).toISOString(),
  };
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  act(async () => {
    await ask("silences", "POST", silenceOfForm());
    fields.matchers.value = fields.comment.value = "";
  });
});
fields.matchers.addEventListener("input", countMatched);

// ---- receivers ----

function integrationRow(integration) {
  const tried = integration.lastNotifyAttempt;
  return element("tr", {},
    cell(integration.receiver), cell(integration.name),
    element("td", { title: tried || "" }, tried ? ago(tried) : "not yet"),
    cell(integration.lastError ? element("span", { className: "state down" }, integration.lastError) : tried ? "ok" : ""));
}

async function refresh() {
  try {
    const [groups, silences, integrations] = await Promise.all([ask("alerts/groups"), ask("silences"), ask("integrations")]);
    alerts = [...new Map(groups.flatMap((group) => group.alerts).map((alert) => [alert.fingerprint, alert])).values()];
    const quiet = alerts.filter((alert) => stateOf(alert) !== "active").length;
    byId("summary").textContent = alerts.length
      ? `Told of: ${alerts.length - quiet}. Silenced, inhibited or muted: ${quiet}.` : "There are no alerts.";
    byId("groups").replaceChildren(...groupSections(groups));
    byId("silences").replaceChildren(...(silences.length
      ? [table(["State", "Matchers", "From", "Until", "Who", "Why", ""], silences.slice(0, 200).map(silenceRow))] : []));
    byId("integrations").replaceChildren(table(["Receiver", "Kind", "Last tried", "How it went"], integrations.map(integrationRow)));
    byId("delivered").classList.remove("hidden");
    countMatched();
    showError("");
  } catch (failure) {
    if (failure.status === 404) {
      byId("summary").textContent = "Pipit tells nobody of alerts itself. Start it with --alertmanager.config.file, in Alertmanager's format.";
    } else {
      showError(failure.message);
    }
  }
}

// Links of notifications to Alertmanager's pages come here: silences/new?filter={a="b"}.
const wanted = /^#\/silences\/new\?.*?filter=([^&]*)/.exec(location.hash);
if (wanted) {
  try {
    fields.matchers.value = decodeURIComponent(wanted[1].replaceAll("+", " ")).replace(/^\{([^]*)\}$/, "$1");
  } catch {
    fields.matchers.value = "";
  }
}
refresh();
setInterval(() => document.hidden || form.contains(document.activeElement) || refresh(), 5000);
