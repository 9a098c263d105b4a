// Puts a picture of the API into an <img>, fetching it with the caller's key where there is one.

import { key, request } from "./http.js";

/** An object URL or the path itself. Object URLs live as long as the page: a gallery's worth of small files. */
const fetched = new Map();

/** Where an <img> can load the picture from. */
export async function source(path) {
  if (!key.get() || !path.startsWith("/")) return path;
  if (!fetched.has(path)) fetched.set(path, request(path).then(async response => URL.createObjectURL(await response.blob())));
  try {
    return await fetched.get(path);
  } catch (error) {
    fetched.delete(path);
    throw error;
  }
}

/** Shows the picture in the image once it can be; `failed` is called when it can't. */
export async function show(image, path, failed = () => { }) {
  if (image.dataset.path === path) return;
  image.dataset.path = path;
  image.onerror = failed;
  try {
    const url = await source(path);
    if (image.dataset.path === path) image.src = url;
  } catch {
    failed();
  }
}
