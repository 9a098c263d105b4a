// One's own pictures, newest first.

import { byId, h, keyed, setText } from "../dom.js";
import { ago, many } from "../format.js";
import { isFinal } from "../jobs.js";
import { frame, updateFrame } from "./frame.js";

/** Draws into #wall; onOpen(job) is called when a picture is chosen. */
export function gallery({ onOpen, onOlder }) {
  const wall = byId("wall");
  const older = byId("older");
  older.addEventListener("click", onOlder);
  return {
    show(jobs, selected, hasOlder) {
      const hung = jobs.flatMap(job => job.pictures.filter(picture => picture.state !== "cancelled").map(picture => ({ job, picture })));
      if (hung.length) wall.querySelector(".nothing")?.remove();
      keyed(wall, hung, ({ job, picture }) => `${job.id}/${picture.index}`, hang, (element, { job, picture }) => {
        const button = element.firstElementChild;
        updateFrame(button.firstElementChild, job, picture);
        if (job.id === selected) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
        setText(element.querySelector(".when"), isFinal(picture) ? `${ago(job.created)}, seed ${picture.seed}` : picture.steps ? `step ${picture.step} of ${picture.steps}` : "waiting");
      });
      if (!hung.length && !wall.children.length) wall.append(h("li", { class: "nothing" }, "What you paint hangs here, newest first."));
      setText(byId("gallery-note"), hung.length ? many(hung.length, "picture") + (hasOlder ? " so far" : "") : "");
      older.hidden = !hasOlder;
    },
  };

  function hang({ job, picture }) {
    return h("li", {},
      h("button", { type: "button", class: "hook", onclick: () => onOpen(job.id) },
        frame(job.width, job.height),
        h("span", { class: "caption" }, h("span", { class: "words", dir: "auto" }, short(job.prompt)), h("span", { class: "when" }))));
  }
}

/** A gallery's label is short; the easel shows the whole prompt. Cut between characters, not within one. */
function short(prompt) {
  const characters = [...prompt.slice(0, 500)];
  return prompt.length > 200 ? `${characters.slice(0, 200).join("")} …` : prompt;
}
