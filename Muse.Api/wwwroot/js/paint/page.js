// The page at "/": wires the form, the easel and the gallery to the jobs API.

import { byId, setText } from "../dom.js";
import { duration } from "../format.js";
import { ApiError, Unreachable, pause } from "../http.js";
import * as jobsApi from "../jobs.js";
import { isFinal } from "../jobs.js";
import { askForKey } from "../key.js";
import { source } from "../pictures.js";
import { composer } from "./composer.js";
import { gallery } from "./gallery.js";
import { announcer } from "./announcer.js";
import { stage } from "./stage.js";

const jobs = new Map();
let selected = null;
let older = null;
let wish = null;
let following = null;
let polling = false;

const announce = announcer(byId("announcer"));
const form = composer({ onPaint: paint });
const wall = gallery({ onOpen: id => { select(id); byId("stage").scrollIntoView({ behavior: "smooth", block: "nearest" }); byId("stage").focus({ preventScroll: true }); }, onOlder: () => attempt(loadOlder) });
const easel = stage({
  cancel: () => attempt(cancel),
  stop: () => wish?.controller.abort(),
  edit: form.focus,
  retry: job => paint({ ...job, seed: null, sampler: job.sampler ?? undefined }),
  again(job, picture) { form.fill(job, picture.seed); announce.say(`Seed ${picture.seed} and its settings are in the form. Change something and paint.`); },
  use(job) { form.fill(job); announce.say("The settings are in the form."); },
  idea(text) { form.setPrompt(text); form.submit(); },
  download: (job, picture) => attempt(() => download(job, picture)),
  copyLink: (picture, button) => attempt(() => copyLink(picture, button)),
});

/** Sends a wish, waits while the server has no room, and then follows the job. */
async function paint(wanted) {
  wish?.controller.abort();
  const controller = new AbortController();
  const mine = wish = { wanted, controller };
  stopFollowing();
  selected = null;
  draw();
  easel.pending(wanted, "Sending …");
  if (matchMedia("(max-width: 860px)").matches) byId("stage").scrollIntoView({ behavior: "smooth", block: "start" });
  try {
    const job = await jobsApi.paint(wanted, { signal: controller.signal, onWaiting: (seconds, error) => countDown(mine, seconds, error) });
    if (wish === mine) wish = null;
    jobs.set(job.id, job);
    if (wish === null) select(job.id);
  } catch (error) {
    if (wish !== mine) return;
    wish = null;
    if (controller.signal.aborted) { draw(); return announce.say("Stopped trying."); }
    if (error instanceof ApiError && error.needsKey) {
      draw();
      if (await askForKey(error.message)) { start(); paint(wanted); }
      return;
    }
    easel.refused(wanted, error.message);
    if (error instanceof ApiError) form.showError(error.field, error.message);
  }
}

/** Says how long until the next try, second by second. */
async function countDown(mine, seconds, error) {
  const why = error instanceof Unreachable ? "Muse does not answer" : error.status === 429 ? "Muse is busy" : "Muse is getting ready";
  announce.say(`${why}. Your request waits and is sent again in ${duration(Math.ceil(seconds))}.`);
  for (let left = Math.ceil(seconds); left > 0; left--) {
    easel.pending(mine.wanted, `${why}. Your request waits; next try in ${left} s`);
    try { await pause(1000, mine.controller.signal); } catch { return; }
    if (wish !== mine) return;
  }
  easel.pending(mine.wanted, `${why}. Trying again …`);
}

/** Puts a job on the easel and follows it while it is not final. */
function select(id) {
  selected = id;
  wish?.controller.abort();
  wish = null;
  history.replaceState(null, "", id ? `#${id}` : location.pathname);
  stopFollowing();
  const job = jobs.get(id);
  draw();
  if (!job || isFinal(job)) return;
  const controller = new AbortController();
  following = controller;
  jobsApi.follow(id, {
    signal: controller.signal,
    onJob(now) { jobs.set(id, now); announce.job(now); draw(); },
    onDown(error) { if (error && following === controller && jobs.has(id)) easel.job(jobs.get(id), "The connection is lost. Muse goes on painting; looking again …"); },
  }).then(keepPolling, error => attempt(() => { throw error; }));
}

function stopFollowing() {
  following?.abort();
  following = null;
}

async function cancel() {
  const id = selected;
  await jobsApi.cancel(id);
  jobs.set(id, await jobsApi.find(id));
  announce.job(jobs.get(id));
  draw();
}

/** Jobs that go on while another one is on the easel. */
async function keepPolling() {
  if (polling) return;
  polling = true;
  try {
    while ([...jobs.values()].some(job => !isFinal(job) && !(job.id === selected && following))) {
      await pause(2000);
      await refresh();
    }
  } finally {
    polling = false;
  }
}

async function refresh() {
  const page = await jobsApi.list();
  for (const job of page.jobs) if (job.id !== selected || !following) jobs.set(job.id, job);
  older ??= page.next;
  draw();
}

async function loadOlder() {
  const page = await jobsApi.list(older);
  for (const job of page.jobs) jobs.set(job.id, job);
  older = page.next;
  draw();
}

async function download(job, picture) {
  const link = document.createElement("a");
  link.href = await source(picture.path);
  link.download = `muse-${picture.seed}${job.count > 1 ? `-${picture.index + 1}` : ""}.${job.format}`;
  link.click();
}

async function copyLink(picture, button) {
  await navigator.clipboard.writeText(picture.link);
  const label = button.querySelector(".label").firstChild;
  const before = label.data;
  label.data = "Copied";
  announce.say("The picture's link is copied.");
  await pause(1500);
  label.data = before;
}

/** Runs an action; what goes wrong is said in the banner, and a missing key is asked for. */
async function attempt(action) {
  try {
    await action();
  } catch (error) {
    if (error instanceof ApiError && error.needsKey) {
      if (await askForKey(error.message)) start();
    } else if (error instanceof ApiError && error.status === 404 && selected) {
      jobs.delete(selected);
      select(null);
      say("That picture is not there any more. Muse keeps pictures for a limited time.");
    } else {
      say(error.message);
    }
  }
}

function say(text) {
  setText(byId("banner"), text);
  byId("banner").hidden = !text;
}

function draw() {
  const newestFirst = [...jobs.values()].sort((a, b) => b.created - a.created);
  wall.show(newestFirst, selected, older !== null);
  if (wish) return;
  if (selected && jobs.has(selected)) easel.job(jobs.get(selected));
  else easel.empty();
}

/** Learns what the model can do, as soon as a worker has said so. */
async function learnModel() {
  while (true) {
    let text = "No painter has reported for work yet. You can send a request: it waits for the first one.";
    try {
      const card = await jobsApi.model();
      if (card) { form.useModel(card); say(""); return; }
    } catch (error) {
      if (error instanceof ApiError && error.needsKey) throw error;
      text = error instanceof Unreachable ? "Muse does not answer. Looking again until it does." : error.message;
    }
    say(text);
    await pause(2000);
  }
}

/** The gallery; waits until the server answers. */
async function loadGallery() {
  while (true) {
    try {
      await refresh();
      break;
    } catch (error) {
      if (error instanceof ApiError && !error.isBusy && error.status < 500) throw error;
      await pause((error.retryAfter ?? 2) * 1000);
    }
  }
  const wanted = location.hash.slice(1);
  if (wanted && !jobs.has(wanted) && !wish && !selected) {
    try { const job = await jobsApi.find(wanted); jobs.set(job.id, job); } catch { /* expired or not one's own: the newest will do */ }
  }
  const running = [...jobs.values()].find(job => !isFinal(job));
  const choice = jobs.has(wanted) ? wanted : running?.id;
  if (choice && !wish && !selected) select(choice);
  keepPolling();
}

function start() {
  attempt(learnModel);
  attempt(loadGallery);
}

draw();
start();
