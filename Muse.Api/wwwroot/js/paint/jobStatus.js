// A job's progress and state, as a number and as a sentence.

import { count, duration } from "../format.js";
import { isFinal } from "../jobs.js";

/** From 0 to 1 over all images of a job. */
export function progress(job) {
  const parts = job.images.map(each => isFinal(each) ? 1 : each.steps ? each.step / each.steps : 0);
  return parts.reduce((sum, part) => sum + part, 0) / Math.max(1, parts.length);
}

/** The state of a job, in a sentence. */
export function statusText(job) {
  const ready = job.images.filter(each => each.state === "succeeded").length;
  if (job.state === "queued") {
    const position = positionText(job.ahead);
    return job.wait === null ? position : `${position}, about ${duration(Math.max(1, Math.round(job.wait)))}`;
  }
  if (job.state === "running") {
    const running = job.images.filter(each => each.state === "running");
    const least = running.sort((a, b) => a.step / (a.steps || 1) - b.step / (b.steps || 1))[0];
    const step = least?.steps ? `step ${least.step} of ${least.steps}` : "beginning";
    return job.count === 1 ? `Generating: ${step}` : `Generating: ${ready} of ${job.count} done${least ? `, ${step}` : ""}`;
  }
  if (job.state === "cancelled") return ready ? `Cancelled, with ${ready} of ${job.count} generated` : "Cancelled";
  if (job.state === "failed") return ready ? `${ready} of ${job.count} generated` : "Not generated";
  const timed = job.images.filter(each => each.generationSeconds !== null);
  if (!timed.length) return "Generated";
  const waited = Math.max(...timed.map(each => each.waitedSeconds ?? 0));
  const generation = Math.max(...timed.map(each => each.generationSeconds));
  return `Generated in ${duration(generation)}${waited < 0.05 ? "" : `, after waiting ${duration(waited)}`}`;
}

function positionText(ahead) {
  if (ahead === null) return "Waiting in the queue";
  return ahead === 0 ? "Next in the queue" : `Position ${count(ahead + 1)} in the queue`;
}
