// The page at "/": connects the form, the current job and the gallery to the jobs API.

import { byId, setText } from "../dom.js";
import { duration } from "../format.js";
import { ApiError, Unreachable, pause, request } from "../http.js";
import * as jobsApi from "../jobs.js";
import { isFinal } from "../jobs.js";
import { askForKey } from "../key.js";
import { source } from "../images.js";
import { announcer } from "./announcer.js";
import { composer } from "./composer.js";
import { currentJob } from "./currentJob.js";
import { gallery } from "./gallery.js";

const jobs = new Map();
let selected = null;
/** The cursor of the next page of older jobs. */
let older = null;
/** The request that the server has not accepted yet. */
let pending = null;
let following = null;
let polling = false;
/** What the jobs of this visit started from, by job. */
const starts = new Map();
let takesImages = false;

const announce = announcer(byId("announcer"));
const form = composer({ onSubmit: submit });
const galleryView = gallery({ onOpen: open, onOlder: () => attempt(loadOlder) });
const jobView = currentJob({
  cancel: () => attempt(cancel),
  stop: () => pending?.controller.abort(),
  edit: form.focus,
  retry: job => submit({ ...job, seed: null, sampler: job.sampler ?? undefined, start: starts.get(job.id) }),
  sameSeed(job, image) {
    form.fill(job, image.seed);
    announce.say(`Seed ${image.seed} and its settings are in the form. Change something and press Paint.`);
  },
  sameSettings(job) {
    form.fill(job);
    announce.say("The settings are in the form.");
  },
  example(text) {
    form.setPrompt(text);
    form.submit();
  },
  canEdit: () => takesImages,
  editImage: (job, image) => attempt(() => editImage(job, image)),
  download: (job, image) => attempt(() => download(job, image)),
  copyLink: (image, button) => attempt(() => copyLink(image, button)),
});

/** Submits a request, waits while the server has no room, and then follows the job. */
async function submit(request) {
  pending?.controller.abort();
  const controller = new AbortController();
  const mine = pending = { request, controller };
  stopFollowing();
  selected = null;
  draw();
  jobView.pending(request, "Sending …");
  if (matchMedia("(max-width: 860px)").matches) byId("current-job").scrollIntoView({ behavior: "smooth", block: "start" });
  try {
    const onWaiting = (seconds, error) => countDown(mine, seconds, error);
    const job = await jobsApi.submit(request, { signal: controller.signal, onWaiting });
    if (pending === mine) pending = null;
    jobs.set(job.id, job);
    if (request.start) starts.set(job.id, request.start);
    if (pending === null) select(job.id);
  } catch (error) {
    if (pending !== mine) return;
    pending = null;
    if (controller.signal.aborted) { draw(); return announce.say("Stopped trying."); }
    if (error instanceof ApiError && error.needsKey) {
      draw();
      if (await askForKey(error.message)) { start(); submit(request); }
      return;
    }
    jobView.rejected(request, error.message);
    if (error instanceof ApiError) form.showError(error.field, error.message);
  }
}

/** Shows the seconds until the next try. */
async function countDown(mine, seconds, error) {
  const why = error instanceof Unreachable ? "Muse does not answer" : error.status === 429 ? "Muse is busy" : "Muse is getting ready";
  announce.say(`${why}. Your request waits and is sent again in ${duration(Math.ceil(seconds))}.`);
  for (let left = Math.ceil(seconds); left > 0; left--) {
    jobView.pending(mine.request, `${why}. Your request waits; next try in ${left} s`);
    try { await pause(1000, mine.controller.signal); } catch { return; }
    if (pending !== mine) return;
  }
  jobView.pending(mine.request, `${why}. Trying again …`);
}

/** Selects a job that was clicked, and scrolls to it. */
function open(id) {
  select(id);
  byId("current-job").scrollIntoView({ behavior: "smooth", block: "nearest" });
  byId("current-job").focus({ preventScroll: true });
}

/** Makes a job the current one, and follows it while it is not final. */
function select(id) {
  selected = id;
  pending?.controller.abort();
  pending = null;
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
    onDown(error) {
      if (!error || following !== controller || !jobs.has(id)) return;
      jobView.job(jobs.get(id), "The connection is lost. Muse goes on generating; looking again …");
    },
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

/** Polls while jobs other than the current one are not final. */
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

async function download(job, image) {
  const link = document.createElement("a");
  link.href = await source(image.path);
  link.download = `muse-${image.seed}${job.count > 1 ? `-${image.index + 1}` : ""}.${job.format}`;
  link.click();
}

async function editImage(job, image) {
  const response = await request(image.path);
  await form.startFrom(await response.blob(), job.prompt);
  announce.say("The image is in the form. Brush over what shall change, and say what the image shall show.");
}

async function copyLink(image, button) {
  await navigator.clipboard.writeText(image.link);
  const label = button.querySelector(".label").firstChild;
  const before = label.data;
  label.data = "Copied";
  announce.say("The image's link is copied.");
  await pause(1500);
  label.data = before;
}

/** Runs an action. Shows an error in the banner, or asks for the key that is missing. */
async function attempt(action) {
  try {
    await action();
  } catch (error) {
    if (error instanceof ApiError && error.needsKey) {
      if (await askForKey(error.message)) start();
    } else if (error instanceof ApiError && error.status === 404 && selected) {
      jobs.delete(selected);
      select(null);
      showBanner("That image is not there any more. Muse keeps images for a limited time.");
    } else {
      showBanner(error.message);
    }
  }
}

function showBanner(text) {
  setText(byId("banner"), text);
  byId("banner").hidden = !text;
}

function draw() {
  const newestFirst = [...jobs.values()].sort((a, b) => b.created - a.created);
  galleryView.show(newestFirst, selected, older !== null);
  if (pending) return;
  if (selected && jobs.has(selected)) jobView.job(jobs.get(selected), undefined, starts.get(selected)?.image);
  else jobView.empty();
}

/** Reads the limits of the model, as soon as a worker has reported them. */
async function loadModel() {
  while (true) {
    let text = "No worker is running yet. You can send a request: it waits for the first worker.";
    try {
      const card = await jobsApi.model();
      if (card) {
        takesImages = card.takesImages;
        form.useModel(card);
        showBanner("");
        return draw();
      }
    } catch (error) {
      if (error instanceof ApiError && error.needsKey) throw error;
      text = error instanceof Unreachable ? "Muse does not answer. Looking again until it does." : error.message;
    }
    showBanner(text);
    await pause(2000);
  }
}

/** Loads the gallery, with retries until the server answers. */
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
  if (wanted && !jobs.has(wanted) && !pending && !selected) {
    try {
      const job = await jobsApi.find(wanted);
      jobs.set(job.id, job);
    } catch { /* The job has expired or belongs to another caller: another one is shown. */ }
  }
  const running = [...jobs.values()].find(job => !isFinal(job));
  const choice = jobs.has(wanted) ? wanted : running?.id;
  if (choice && !pending && !selected) select(choice);
  keepPolling();
}

function start() {
  attempt(loadModel);
  attempt(loadGallery);
}

draw();
start();
