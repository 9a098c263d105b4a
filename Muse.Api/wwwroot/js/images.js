// Shows an image of the API in an <img>. With a key, it is fetched with the key first.

import { key, request } from "./http.js";

/** Object URLs by path. They are kept as long as the page: a gallery is a few small files. */
const fetched = new Map();

/** A URL from which an <img> can load the image. */
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

/** Loads the path into the <img>; `failed` is called if it can't be loaded. */
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
