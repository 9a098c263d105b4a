// The current job, from waiting in the queue to the finished images.

import { byId, h, icon, keyed, setText } from "../dom.js";
import { tidySampler } from "../format.js";
import { isFinal } from "../jobs.js";
import { palette } from "../palette.js";
import { examplePrompts } from "./examplePrompts.js";
import { frame, updateFrame } from "./frame.js";
import { progress, statusText } from "./jobStatus.js";

/**
 * Draws into #current-job. `actions` has a function for each button: cancel, stop, edit, retry, sameSeed, sameSettings, example, download,
 * copyLink, editImage.
 */
export function currentJob(actions) {
  const root = byId("current-job");
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
          h("p", {}, "Describe an image, press Paint, and watch it come out of the noise, step by step. Or begin with one of these:"),
          h("div", { class: "examples" }, examplePrompts.map(text => button("plain", () => actions.example(text), text)))),
      }));
    },

    /** A request that the server has not accepted yet. */
    pending(request, text) {
      const { status } = view("pending", () => {
        const status = h("p", { class: "status-text" });
        const frames = h("div", { class: "image-grid", "data-columns": columns(request.count) },
          Array.from({ length: request.count }, () => {
            const empty = frame(request.width, request.height);
            empty.style.display = "block";
            empty.firstElementChild.dataset.state = "queued";
            return empty;
          }));
        return {
          status,
          element: h("div", { class: "job" },
            h("div", { class: "status" }, status, button("plain", actions.stop, icon("close"), "Stop trying")),
            frames,
            jobInfo(request)),
        };
      });
      setText(status, text);
    },

    /** A request that the server has rejected. */
    rejected(request, message) {
      view(`rejected ${message}`, () => ({
        element: h("div", { class: "job" },
          h("div", { class: "problem", role: "alert" },
            h("strong", {}, "This could not be generated"),
            h("p", { class: "words" }, message),
            button("plain small", () => actions.edit(), "Change the request")),
          jobInfo(request)),
      }));
    },

    /** A job; `before` is the image that it started from, where this page knows it. */
    job(job, notice, before) {
      const parts = view(`job ${job.id}`, () => {
        const status = h("p", { class: "status-text" });
        const cancel = button("plain", actions.cancel, icon("close"), "Cancel");
        const barAttributes = { class: "bar", role: "progressbar", "aria-label": "Progress", "aria-valuemin": 0, "aria-valuemax": 100 };
        const bar = h("div", barAttributes, h("i"));
        const problem = h("div", { class: "problem", role: "alert", hidden: true });
        const images = h("div", { class: "image-grid", "data-columns": columns(job.count) });
        const compare = before
          ? h("div", { class: "compare" },
            h("figure", { class: "before" }, h("img", { src: before, alt: "The image before" }), h("figcaption", {}, "Before")), images)
          : images;
        const info = h("div");
        const element = h("div", { class: "job" }, h("div", { class: "status" }, status, cancel, bar), problem, compare, info);
        return { status, cancel, bar, problem, images, info, element };
      });
      const ended = isFinal(job);
      const done = progress(job);
      setText(parts.status, notice ?? statusText(job));
      if (ended && parts.cancel.contains(document.activeElement)) root.focus();
      parts.cancel.hidden = ended;
      parts.bar.hidden = ended;
      parts.bar.style.setProperty("--done", done.toFixed(3));
      parts.bar.setAttribute("aria-valuenow", Math.round(done * 100));
      parts.bar.setAttribute("aria-valuetext", statusText(job));
      showProblem(parts.problem, job);
      keyed(parts.images, job.images, image => image.index, () => imageWithTools(job), (element, each) => updateImage(element, job, each));
      if (parts.infoState !== job.state) {
        parts.info.replaceChildren(jobInfo(job, ended ? () => actions.sameSettings(job) : null));
        parts.infoState = job.state;
      }
    },
  };

  function imageWithTools(job) {
    return h("div", { class: "image" }, frame(job.width, job.height), h("div", { class: "tools", hidden: true }));
  }

  function updateImage(element, job, each) {
    const [framed, tools] = element.children;
    updateFrame(framed, job, each);
    if (each.state !== "succeeded" || !tools.hidden) return;
    const name = job.count > 1 ? ` image ${each.index + 1}` : "";
    const tool = (symbol, text, onclick) => h("button", { type: "button", class: "quiet", title: text, onclick },
      icon(symbol), h("span", { class: "label" }, text, h("span", { class: "hidden" }, name)));
    tools.append(
      tool("download", "Download", () => actions.download(job, each)),
      tool("link", "Copy link", event => actions.copyLink(each, event.currentTarget)),
      tool("again", "Again with this seed", () => actions.sameSeed(job, each)),
      actions.canEdit() ? tool("brush", "Change this image", () => actions.editImage(job, each)) : "");
    tools.hidden = false;
  }

  function showProblem(element, job) {
    const failed = job.images.find(each => each.error) ?? null;
    const cutOff = job.images.find(each => each.cutOff)?.cutOff;
    const flagged = job.images.some(each => each.flagged);
    const notes = [
      failed ? failed.error.message : null,
      cutOff ? `The model could not read all of the prompt. It left out: “${cutOff}”` : null,
      flagged ? "The safety checker made an image black." : null,
    ].filter(Boolean);
    if (element.dataset.text === notes.join("\n")) return;
    element.dataset.text = notes.join("\n");
    element.hidden = notes.length === 0;
    element.classList.toggle("warning", !failed);
    element.replaceChildren(...notes.map(note => h("p", { class: "words" }, note)),
      failed ? button("plain small", () => actions.retry(job), icon("again"), "Try again") : "");
  }
}

const button = (style, onclick, ...children) => h("button", { type: "button", class: style, onclick }, ...children);

const columns = n => n === 1 ? 1 : n <= 4 ? 2 : n <= 9 ? 3 : 4;

/** The prompt and settings of a job. */
function jobInfo(job, onSameSettings = null) {
  const fact = (name, value) => value == null || value === "" ? null : h("div", {}, h("dt", {}, name), h("dd", {}, String(value)));
  return h("div", { class: "job-info" },
    h("p", { class: "words", dir: "auto", tabindex: job.prompt.length > 400 ? 0 : null }, job.prompt),
    job.negative ? h("p", { class: "left-out words", dir: "auto" }, `without: ${job.negative}`) : null,
    h("dl", { class: "facts" },
      fact("size", job.width ? `${job.width} × ${job.height}` : null),
      fact("steps", job.steps),
      fact("guidance", job.guidance),
      fact("sampler", job.sampler ? tidySampler(job.sampler) : null),
      fact("seed", job.seed ?? (job.id ? null : "random"))),
    onSameSettings ? h("p", {}, button("plain small", onSameSettings, icon("sliders"), "Use these settings")) : null);
}
