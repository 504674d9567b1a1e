import { ago, ask, byId, element, labelList, seconds, showError } from "./api.js";

const stateClass = { firing: "down", pending: "unknown", inactive: "up", ok: "up", err: "down", unknown: "unknown" };
const badge = (text) => element("span", { className: "state " + stateClass[text] }, text.toUpperCase());

function table(heads, rows) {
  return element("div", { className: "panel scroll" }, element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...rows)));
}

function queryLink(query) {
  return element("a", { href: "graph?" + new URLSearchParams({ "g0.expr": query, "g0.tab": "1" }) }, query);
}

function alertRow(alert) {
  const texts = Object.entries(alert.annotations).map(([name, text]) =>
    element("div", {}, element("span", { className: "quiet" }, name + ": "), text));
  return element("tr", {},
    element("td", {}, badge(alert.state)),
    element("td", {}, ...labelList(alert.labels)),
    element("td", {}, ...texts),
    element("td", { title: alert.activeAt }, ago(alert.activeAt)),
    element("td", { className: "value" }, String(Number(alert.value))));
}

function ruleRow(rule) {
  return element("tr", {},
    element("td", {}, badge(rule.type === "alerting" && rule.health !== "err" ? rule.state : rule.health)),
    element("td", {}, element("strong", {}, rule.name), " ", ...labelList(rule.labels || {})),
    element("td", {}, queryLink(rule.query), rule.duration ? ` for ${rule.duration} s` : ""),
    element("td", { title: rule.lastEvaluation }, ago(rule.lastEvaluation)),
    element("td", { className: "value" }, seconds(rule.evaluationTime)),
    element("td", {}, rule.lastError || ""));
}

function groupSection(group) {
  const note = `${group.file}, every ${group.interval} s, took ${seconds(group.evaluationTime)}`;
  return element("section", {},
    element("h2", {}, group.name + " ", element("span", { className: "quiet" }, note)),
    table(["State", "Rule", "Expression", "Evaluated", "Took", "Error"], group.rules.map(ruleRow)));
}

async function refresh() {
  try {
    const { data } = await ask("rules");
    const alerts = data.groups.flatMap((group) => group.rules).flatMap((rule) => rule.alerts || []);
    alerts.sort((a, b) => (a.state === b.state ? (a.activeAt < b.activeAt ? -1 : 1) : a.state === "firing" ? -1 : 1));
    const firing = alerts.filter((alert) => alert.state === "firing").length;
    byId("summary").textContent = data.groups.length
      ? `${firing} alerts are firing, ${alerts.length - firing} are pending.`
      : "There are no rules. Name files with rule_files in the configuration file.";
    byId("alerts").replaceChildren(...(alerts.length
      ? [table(["State", "Labels", "Annotations", "Active", "Value"], alerts.map(alertRow))] : []));
    byId("groups").replaceChildren(...data.groups.map(groupSection));
    showError("");
  } catch (failure) {
    showError(failure.message);
  }
}

refresh();
setInterval(() => document.hidden || refresh(), 5000);
