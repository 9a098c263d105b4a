// The caller's images, newest first.

import { byId, h, keyed, setText } from "../dom.js";
import { ago, many } from "../format.js";
import { isFinal } from "../jobs.js";
import { frame, updateFrame } from "./frame.js";

/** Draws into #gallery-list. onOpen(id) is called with the job of an image that is clicked, onOlder() by "Show older". */
export function gallery({ onOpen, onOlder }) {
  const list = byId("gallery-list");
  const older = byId("older");
  older.addEventListener("click", onOlder);
  return {
    show(jobs, selected, hasOlder) {
      const items = jobs.flatMap(job => job.pictures.filter(picture => picture.state !== "cancelled").map(picture => ({ job, picture })));
      if (items.length) list.querySelector(".no-images")?.remove();
      keyed(list, items, ({ job, picture }) => `${job.id}/${picture.index}`, makeItem, (element, { job, picture }) => {
        const button = element.firstElementChild;
        updateFrame(button.firstElementChild, job, picture);
        if (job.id === selected) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
        setText(element.querySelector(".when"), note(job, picture));
      });
      if (!items.length && !list.children.length) list.append(h("li", { class: "no-images" }, "What you paint hangs here, newest first."));
      setText(byId("gallery-note"), items.length ? many(items.length, "picture") + (hasOlder ? " so far" : "") : "");
      older.hidden = !hasOlder;
    },
  };

  function makeItem({ job, picture }) {
    return h("li", {},
      h("button", { type: "button", class: "open-job", onclick: () => onOpen(job.id) },
        frame(job.width, job.height),
        h("span", { class: "caption" }, h("span", { class: "words", dir: "auto" }, short(job.prompt)), h("span", { class: "when" }))));
  }
}

/** When a finished image was requested, or how far an unfinished one is. */
function note(job, picture) {
  if (isFinal(picture)) return `${ago(job.created)}, seed ${picture.seed}`;
  return picture.steps ? `step ${picture.step} of ${picture.steps}` : "waiting";
}

/** The first characters of a prompt. The spread operator splits between code points, never within one. */
function short(prompt) {
  const characters = [...prompt.slice(0, 500)];
  return prompt.length > 200 ? `${characters.slice(0, 200).join("")} …` : prompt;
}
