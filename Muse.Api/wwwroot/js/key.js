// The dialog that asks for an API key.

import { byId, h, icon } from "./dom.js";
import { key } from "./http.js";

let asking = null;

/** Shows one dialog, however many requests need a key. Resolves to whether a key was entered. */
export function askForKey(why, title = "An API key, please") {
  asking ??= ask(why, title).finally(() => { asking = null; });
  return asking;
}

function ask(why, title) {
  const dialog = byId("key-dialog");
  const input = h("input", {
    type: "password",
    id: "key-input",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    "aria-describedby": "key-why",
  });
  dialog.replaceChildren(h("form", { method: "dialog" },
    h("h2", { id: "key-title" }, title),
    h("p", { id: "key-why", class: "words" }, why),
    h("div", {}, h("label", { for: "key-input" }, "Key"), input),
    h("p", { class: "note" }, "It stays in this tab and is forgotten when you close it."),
    h("div", { class: "row" },
      h("button", { type: "button", class: "plain", onclick: () => dialog.close("") }, "Not now"),
      h("button", { type: "submit", class: "primary", value: "given" }, icon("key"), "Use this key"))));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise(resolve => dialog.addEventListener("close", () => {
    const given = dialog.returnValue === "given" && input.value.trim() !== "";
    if (given) key.set(input.value.trim());
    dialog.replaceChildren();
    resolve(given);
  }, { once: true }));
}
