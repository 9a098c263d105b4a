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
      const items = jobs.flatMap(job => job.images.filter(image => image.state !== "cancelled").map(image => ({ job, image })));
      if (items.length) list.querySelector(".no-images")?.remove();
      keyed(list, items, ({ job, image }) => `${job.id}/${image.index}`, makeItem, (element, { job, image }) => {
        const button = element.firstElementChild;
        updateFrame(button.firstElementChild, job, image);
        if (job.id === selected) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
        setText(element.querySelector(".when"), note(job, image));
      });
      if (!items.length && !list.children.length) list.append(h("li", { class: "no-images" }, "Your images appear here, newest first."));
      setText(byId("gallery-note"), items.length ? many(items.length, "image") + (hasOlder ? " so far" : "") : "");
      older.hidden = !hasOlder;
    },
  };

  function makeItem({ job, image }) {
    return h("li", {},
      h("button", { type: "button", class: "open-job", onclick: () => onOpen(job.id) },
        frame(job.width, job.height),
        h("span", { class: "caption" }, h("span", { class: "words", dir: "auto" }, short(job.prompt)), h("span", { class: "when" }))));
  }
}

/** When a finished image was requested, or how far an unfinished one is. */
function note(job, image) {
  if (isFinal(image)) return `${ago(job.created)}, seed ${image.seed}`;
  return image.steps ? `step ${image.step} of ${image.steps}` : "waiting";
}

/** The first characters of a prompt. The spread operator splits between code points, never within one. */
function short(prompt) {
  const characters = [...prompt.slice(0, 500)];
  return prompt.length > 200 ? `${characters.slice(0, 200).join("")} …` : prompt;
}
