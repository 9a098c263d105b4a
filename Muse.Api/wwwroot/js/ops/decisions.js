// The autoscaler's latest decision with its reason, and the earlier ones.

import { byId, h, keyed } from "../dom.js";
import { ago, clock, many } from "../format.js";

/** Draws into #decision and #decisions. */
export function showDecisions([latest, ...earlier]) {
  const root = byId("decision");
  const name = latest ? `${latest.at.getTime()}` : "none";
  if (root.dataset.shown !== name) {
    root.dataset.shown = name;
    root.replaceChildren(...(latest
      ? [
        h("span", { class: "wanted", "aria-hidden": "true" }, String(latest.workers)),
        h("div", {},
          h("p", {}, h("strong", {}, `${many(latest.workers, "worker")} wanted`)),
          h("p", { class: "why" }, latest.reason),
          h("p", { class: "note" }, h("span", { class: "ago" }), `, by the policy “${latest.policy}”`)),
      ]
      : [h("p", { class: "note" }, "The autoscaler has not decided anything yet. Without one, workers are started by hand.")]));
  }
  if (latest) root.querySelector(".ago").textContent = ago(latest.at);
  byId("decisions").hidden = earlier.length === 0;
  keyed(byId("decisions"), earlier, decision => decision.at.getTime(), decision => h("li", {},
    h("time", { datetime: decision.at.toISOString() }, clock(decision.at)),
    h("b", {}, String(decision.workers)),
    h("span", {}, decision.reason)));
}
