// What a screen reader is told: changes of state, not every step.

import { isFinal } from "../jobs.js";
import { statusText } from "./jobStatus.js";

/** Writes into a polite live region. */
export function announcer(region) {
  let last = "";
  const say = text => { region.textContent = text; };
  return {
    say,
    /** Announces a job's state when it changes: another position in the queue, started, half done, ended. */
    job(job) {
      const steps = job.images.reduce((sum, each) => sum + (each.steps || 0), 0);
      const done = job.images.reduce((sum, each) => sum + each.step, 0);
      const state = job.state === "running" ? `running ${steps && done / steps >= 0.5 ? "half" : "started"}` : `${job.state} ${job.ahead}`;
      if (`${job.id} ${state}` === last) return;
      last = `${job.id} ${state}`;
      say(isFinal(job) || job.state === "queued" ? statusText(job) : state === "running half" ? "Half done" : "Generation has started");
    },
  };
}
