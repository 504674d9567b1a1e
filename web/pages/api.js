// What the pages share: asking the API, making elements, writing series and numbers.

export async function ask(path, parameters, signal) {
  const body = new URLSearchParams(parameters);
  const options = { signal, method: parameters ? "POST" : "GET", body: parameters ? body : undefined };
  let answer;
  try {
    answer = await fetch("api/v1/" + path, options);
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    throw new Error("The server can't be reached.");
  }
  const type = answer.headers.get("Content-Type") || "";
  if (!type.startsWith("application/json")) throw new Error(answer.status + " " + (await answer.text()).trim());
  const envelope = await answer.json();
  if (envelope.status !== "success") throw new Error(envelope.error);
  return envelope;
}

// Text only: no markup from data ever reaches the page.
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role" || key === "scope") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

export const byId = (id) => document.getElementById(id);

const isPlainName = (name) => /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);

export function seriesName(labels) {
  const { __name__: metric = "", ...rest } = labels;
  const parts = Object.entries(rest).map(([name, value]) =>
    (isPlainName(name) ? name : JSON.stringify(name)) + "=" + JSON.stringify(value));
  if (metric && !isPlainName(metric)) parts.unshift(JSON.stringify(metric));
  const head = isPlainName(metric) ? metric : "";
  return head + (parts.length || !head ? "{" + parts.join(", ") + "}" : "");
}

export function showError(text) {
  const box = byId("error");
  box.replaceChildren(text);
  box.classList.toggle("hidden", !text);
}

export const seconds = (value) => (value < 1 ? (value * 1000).toFixed(1) + " ms" : value.toFixed(2) + " s");

export function ago(time) {
  const then = new Date(time);
  if (then.getUTCFullYear() < 1970) return "never";
  const past = Math.max(0, (Date.now() - then) / 1000);
  if (past < 90) return past.toFixed(0) + " s ago";
  return past < 5400 ? (past / 60).toFixed(0) + " min ago" : then.toLocaleString();
}

export function labelList(labels) {
  return Object.entries(labels).map(([name, value]) => element("span", { className: "label" }, `${name}="${value}"`));
}
