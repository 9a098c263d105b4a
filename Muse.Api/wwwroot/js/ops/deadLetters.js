// The dead letters: images that were given up, each with a button to requeue it.

import { byId, h } from "../dom.js";
import { ago } from "../format.js";

/** Draws into #dead; onRequeue(letter, button) is called when its button is pressed. */
export function deadLetters(onRequeue) {
  const root = byId("dead");
  return {
    show(letters) {
      const name = letters.map(letter => letter.id).join(" ") || "none";
      if (root.dataset.shown === name) return;
      const focused = root.contains(document.activeElement);
      root.dataset.shown = name;
      root.replaceChildren(letters.length ? table(letters) : h("p", { class: "note" }, "None: nothing has been given up."));
      if (focused) (root.querySelector("button") ?? byId("workers")).focus();
    },
  };

  function table(letters) {
    return h("table", { class: "letters" },
      h("thead", {}, h("tr", {},
        ["Since", "Image", "Why"].map(text => h("th", { scope: "col" }, text)),
        h("th", { scope: "col" }, h("span", { class: "hidden" }, "Action")))),
      h("tbody", {}, letters.map(letter => h("tr", {},
        h("td", {}, h("time", { datetime: letter.at.toISOString(), title: letter.at.toLocaleString() }, ago(letter.at))),
        h("td", {}, letter.job ? h("code", {}, `${letter.job.slice(0, 16)} / ${letter.index + 1}`) : "unreadable"),
        h("td", { class: "words" }, letter.reason),
        h("td", {}, letter.job ? requeueButton(letter) : null)))));
  }

  function requeueButton(letter) {
    return h("button", {
      type: "button",
      class: "plain small",
      "aria-label": `Requeue image ${letter.index + 1} of job ${letter.job.slice(0, 8)}`,
      onclick: event => onRequeue(letter, event.currentTarget),
    }, "Requeue");
  }
}
