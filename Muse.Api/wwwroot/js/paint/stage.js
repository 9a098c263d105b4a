// The easel: the job at hand, from waiting in the queue to the finished pictures.

import { byId, h, icon, keyed, setText } from "../dom.js";
import { count, duration, tidySampler } from "../format.js";
import { isFinal } from "../jobs.js";
import { frame, updateFrame } from "./frame.js";
import { palette } from "../palette.js";
import { starters } from "./ideas.js";

/** Draws into #stage. Actions: cancel(), retry(), again(job, picture), use(job), idea(text), stop(). */
export function stage(actions) {
  const root = byId("stage");
  let current = null;

  /** Builds a view once for each key, and keeps it while the key stays. */
  function view(key, build) {
    if (current?.key !== key) {
      current = { key, ...build() };
      root.replaceChildren(current.element);
    }
    return current;
  }

  return {
    empty() {
      view("empty", () => ({
        element: h("div", { class: "empty" },
          palette(),
          h("h2", {}, "An empty easel"),
          h("p", {}, "Describe a picture, press Paint, and watch it come out of the noise, step by step. Or begin with one of these:"),
          h("div", { class: "ideas" }, starters.map(text => h("button", { type: "button", class: "plain", onclick: () => actions.idea(text) }, text)))),
      }));
    },

    /** A wish that the server has not taken yet: sending, or waiting until it has room. */
    pending(wish, text) {
      const { where } = view("pending", () => {
        const where = h("p", { class: "where" });
        const frames = h("div", { class: "hang", "data-columns": columns(wish.count) },
          Array.from({ length: wish.count }, () => {
            const empty = frame(wish.width, wish.height);
            empty.style.display = "block";
            empty.firstElementChild.dataset.state = "queued";
            return empty;
          }));
        return {
          where,
          element: h("div", { class: "easel" },
            h("div", { class: "status" }, where, h("button", { type: "button", class: "plain", onclick: actions.stop }, icon("close"), "Stop trying")),
            frames, placard(wish)),
        };
      });
      setText(where, text);
    },

    /** What kept a wish from becoming a job. */
    refused(wish, message) {
      view(`refused ${message}`, () => ({
        element: h("div", { class: "easel" },
          h("div", { class: "trouble", role: "alert" }, h("strong", {}, "This could not be painted"), h("p", { class: "words" }, message),
            h("button", { type: "button", class: "plain small", onclick: () => actions.edit() }, "Change the request")),
          placard(wish)),
      }));
    },

    job(job, notice) {
      const parts = view(`job ${job.id}`, () => {
        const where = h("p", { class: "where" });
        const cancel = h("button", { type: "button", class: "plain", onclick: actions.cancel }, icon("close"), "Cancel");
        const bar = h("div", { class: "bar", role: "progressbar", "aria-label": "Painting", "aria-valuemin": 0, "aria-valuemax": 100 }, h("i"));
        const trouble = h("div", { class: "trouble", role: "alert", hidden: true });
        const hang = h("div", { class: "hang", "data-columns": columns(job.count) });
        const card = h("div");
        return { where, cancel, bar, trouble, hang, card, element: h("div", { class: "easel" }, h("div", { class: "status" }, where, cancel, bar), trouble, hang, card) };
      });
      const ended = isFinal(job);
      const done = progress(job);
      setText(parts.where, notice ?? sentence(job));
      if (ended && parts.cancel.contains(document.activeElement)) root.focus();
      parts.cancel.hidden = ended;
      parts.bar.hidden = ended;
      parts.bar.style.setProperty("--done", done.toFixed(3));
      parts.bar.setAttribute("aria-valuenow", Math.round(done * 100));
      parts.bar.setAttribute("aria-valuetext", sentence(job));
      showTrouble(parts.trouble, job);
      keyed(parts.hang, job.pictures, picture => picture.index, () => picture(job), (element, each) => updatePicture(element, job, each));
      if (parts.drawn !== job.state) {
        parts.card.replaceChildren(placard(job, ended ? () => actions.use(job) : null));
        parts.drawn = job.state;
      }
    },
  };

  function picture(job) {
    return h("div", { class: "picture" }, frame(job.width, job.height), h("div", { class: "tools", hidden: true }));
  }

  function updatePicture(element, job, each) {
    const [framed, tools] = element.children;
    updateFrame(framed, job, each);
    if (each.state !== "succeeded" || !tools.hidden) return;
    const name = job.count > 1 ? ` picture ${each.index + 1}` : "";
    const tool = (symbol, text, onclick) => h("button", { type: "button", class: "quiet", title: text, onclick }, icon(symbol), h("span", { class: "label" }, text, h("span", { class: "hidden" }, name)));
    tools.append(
      tool("download", "Download", () => actions.download(job, each)),
      tool("link", "Copy link", event => actions.copyLink(each, event.currentTarget)),
      tool("again", "Again with this seed", () => actions.again(job, each)));
    tools.hidden = false;
  }

  function showTrouble(element, job) {
    const failed = job.pictures.find(each => each.error) ?? null;
    const cut = job.pictures.find(each => each.cutOff)?.cutOff;
    const flagged = job.pictures.some(each => each.flagged);
    const notes = [
      failed ? failed.error.message : null,
      cut ? `The model could not read all of the prompt. It left out: “${cut}”` : null,
      flagged ? "The safety checker blurred a picture." : null,
    ].filter(Boolean);
    if (element.dataset.text === notes.join("\n")) return;
    element.dataset.text = notes.join("\n");
    element.hidden = notes.length === 0;
    element.classList.toggle("patience", !failed);
    element.replaceChildren(...notes.map(note => h("p", { class: "words" }, note)),
      failed ? h("button", { type: "button", class: "plain small", onclick: () => actions.retry(job) }, icon("again"), "Try again") : "");
  }
}

const columns = n => n === 1 ? 1 : n <= 4 ? 2 : n <= 9 ? 3 : 4;

/** From 0 to 1 over all pictures. */
export function progress(job) {
  const parts = job.pictures.map(each => isFinal(each) ? 1 : each.steps ? each.step / each.steps : 0);
  return parts.reduce((sum, part) => sum + part, 0) / Math.max(1, parts.length);
}

/** Where the job stands, in a sentence. */
export function sentence(job) {
  const ready = job.pictures.filter(each => each.state === "succeeded").length;
  if (job.state === "queued") {
    const place = job.ahead === null ? "Waiting in the queue" : job.ahead === 0 ? "Next in the queue" : `Position ${count(job.ahead + 1)} in the queue`;
    return job.wait === null ? place : `${place}, about ${duration(Math.max(1, Math.round(job.wait)))}`;
  }
  if (job.state === "running") {
    const running = job.pictures.filter(each => each.state === "running");
    const least = running.sort((a, b) => a.step / (a.steps || 1) - b.step / (b.steps || 1))[0];
    const step = least?.steps ? `step ${least.step} of ${least.steps}` : "beginning";
    return job.count === 1 ? `Painting: ${step}` : `Painting: ${ready} of ${job.count} done${least ? `, ${step}` : ""}`;
  }
  if (job.state === "cancelled") return ready ? `Cancelled, with ${ready} of ${job.count} painted` : "Cancelled";
  if (job.state === "failed") return ready ? `${ready} of ${job.count} painted` : "Not painted";
  const timed = job.pictures.filter(each => each.painted !== null);
  if (!timed.length) return "Painted";
  const waited = Math.max(...timed.map(each => each.waited ?? 0));
  return `Painted in ${duration(Math.max(...timed.map(each => each.painted)))}${waited < 0.05 ? "" : `, after waiting ${duration(waited)}`}`;
}

/** The label beside a picture, as in a museum. */
function placard(job, use = null) {
  const fact = (name, value) => value == null || value === "" ? null : h("div", {}, h("dt", {}, name), h("dd", {}, String(value)));
  return h("div", { class: "placard" },
    h("p", { class: "words", dir: "auto", tabindex: job.prompt.length > 400 ? 0 : null }, job.prompt),
    job.negative ? h("p", { class: "left-out words", dir: "auto" }, `without: ${job.negative}`) : null,
    h("dl", { class: "facts" },
      fact("size", job.width ? `${job.width} × ${job.height}` : null),
      fact("steps", job.steps),
      fact("guidance", job.guidance),
      fact("sampler", job.sampler ? tidySampler(job.sampler) : null),
      fact("seed", job.seed ?? (job.id ? null : "random"))),
    use ? h("p", {}, h("button", { type: "button", class: "plain small", onclick: use }, icon("sliders"), "Use these settings")) : null);
}
