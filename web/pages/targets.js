import { ago, ask, byId, element, labelList, seconds, showError } from "./api.js";

function targetRow(target) {
  const isHttp = /^https?:\/\//.test(target.globalUrl);
  const link = isHttp ? element("a", { href: target.globalUrl, rel: "noreferrer" }, target.scrapeUrl) : target.scrapeUrl;
  return element("tr", {},
    element("td", {}, element("span", { className: "state " + target.health }, target.health.toUpperCase())),
    element("td", {}, link),
    element("td", {}, ...labelList(target.labels)),
    element("td", { title: target.lastScrape }, ago(target.lastScrape)),
    element("td", { className: "value", title: `every ${target.scrapeInterval}, timeout ${target.scrapeTimeout}` },
      seconds(target.lastScrapeDuration)),
    element("td", {}, target.lastError));
}

function poolSection(name, targets, dropped) {
  const up = targets.filter((target) => target.health === "up").length;
  const heads = ["State", "Address", "Labels", "Last scrape", "Took", "Last error"];
  const table = element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map((head) =>
      element("th", { scope: "col", className: head === "Took" ? "value" : "" }, head)))),
    element("tbody", {}, ...targets.map(targetRow)));
  const note = dropped ? `, ${dropped} dropped by relabelling` : "";
  return element("section", {},
    element("h2", {}, name + " ", element("span", { className: "quiet" }, `${up} of ${targets.length} up${note}`)),
    element("div", { className: "panel scroll" }, table));
}

async function refresh() {
  try {
    const { data } = await ask("targets?state=active");
    const pools = new Map(Object.keys(data.droppedTargetCounts).map((name) => [name, []]));
    for (const target of data.activeTargets) {
      if (!pools.has(target.scrapePool)) pools.set(target.scrapePool, []);
      pools.get(target.scrapePool).push(target);
    }
    byId("pools").replaceChildren(...[...pools].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, targets]) =>
      poolSection(name, targets, data.droppedTargetCounts[name])));
    const up = data.activeTargets.filter((target) => target.health === "up").length;
    const count = data.activeTargets.length;
    byId("summary").textContent = count ? `${up} of ${count} targets are up.` : "There are no targets. Name some in the configuration file.";
    showError("");
  } catch (failure) {
    showError(failure.message);
  }
}

refresh();
setInterval(() => document.hidden || refresh(), 5000);
