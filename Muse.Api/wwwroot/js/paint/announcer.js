// What a screen reader is told: turning points, not every step.

import { sentence } from "./stage.js";
import { isFinal } from "../jobs.js";

/** Speaks through a polite live region. */
export function announcer(region) {
  let last = "";
  const say = text => { region.textContent = text; };
  return {
    say,
    /** Says where a job stands when that is news: another place in the queue, begun, half done, ended. */
    job(job) {
      const steps = job.pictures.reduce((sum, each) => sum + (each.steps || 0), 0);
      const done = job.pictures.reduce((sum, each) => sum + each.step, 0);
      const point = job.state === "running" ? `running ${steps && done / steps >= 0.5 ? "half" : "begun"}` : `${job.state} ${job.ahead}`;
      if (`${job.id} ${point}` === last) return;
      last = `${job.id} ${point}`;
      say(isFinal(job) || job.state === "queued" ? sentence(job) : point === "running half" ? "Half painted" : "Painting has begun");
    },
  };
}
