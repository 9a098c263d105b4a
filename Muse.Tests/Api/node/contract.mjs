// The official Node client, unchanged, against the API at process.argv[2]. Prints "ok" at the end, or throws.
import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";

const baseURL = `${process.argv[2]}v1`;
const client = new OpenAI({ baseURL, apiKey: "unused" });
const once = new OpenAI({ baseURL, apiKey: "unused", maxRetries: 0 });
const fields = { model: "gpt-image-1", prompt: "a fox" };

const models = await client.models.list();
assert.equal(models.data[0].id, "scenes");
console.log("models");

const plain = await client.images.generate({ ...fields, seed: 7 });
assert.ok(Buffer.from(plain.data[0].b64_json, "base64").subarray(1, 4).equals(Buffer.from("PNG")));
assert.equal(plain.seed, 7);
console.log("plain");

const four = await client.images.generate({ ...fields, n: 4 });
assert.equal(four.data.length, 4);
console.log("n: 4");

const linked = await client.images.generate({ ...fields, response_format: "url" });
const file = await fetch(linked.data[0].url);
assert.equal(file.headers.get("content-type"), "image/png");
console.log("url");

for (const output_format of ["png", "jpeg", "webp"])
  assert.equal((await client.images.generate({ ...fields, output_format })).output_format, output_format);
console.log("formats");

const stream = await client.images.generate({ ...fields, prompt: "a fox, stepwise", stream: true, partial_images: 3 });
const events = [];
for await (const event of stream) {
  events.push(event);
  // The worker goes on once this is read.
  if (event.type === "image_generation.partial_image") console.log("partial");
}
assert.deepEqual(events.map(event => event.type), [...Array(3).fill("image_generation.partial_image"), "image_generation.completed"]);
assert.deepEqual(events.map(event => event.partial_image_index), [0, 1, 2, undefined]);
assert.equal(new Set(events.map(event => event.b64_json)).size, 4);
console.log("stream with 3 partials");

const image = () => toFile(Buffer.from(plain.data[0].b64_json, "base64"), "fox.png", { type: "image/png" });
const edit = await client.images.edit({ ...fields, image: await image(), n: 2 });
assert.equal(edit.data.length, 2);
assert.equal(edit.usage.input_tokens_details.image_tokens, 256);
const editing = await client.images.edit({
  ...fields, prompt: "a fox, stepwise", image: [await image()], stream: true, partial_images: 1,
});
const editEvents = [];
for await (const event of editing) {
  editEvents.push(event.type);
  if (event.type === "image_edit.partial_image") console.log("partial");
}
assert.deepEqual(editEvents, ["image_edit.partial_image", "image_edit.completed"]);
await assert.rejects(client.images.edit({ ...fields, image: await toFile(Buffer.from("no image"), "a.png") }), error =>
  error instanceof OpenAI.BadRequestError && error.param === "image");
console.log("edits");

const failing = await client.images.generate({ ...fields, prompt: "explode", stream: true });
await assert.rejects(async () => { for await (const _ of failing); }, error => error instanceof OpenAI.APIError);
console.log("error in a stream");

await assert.rejects(client.images.generate({ ...fields, size: "100x100" }), error =>
  error instanceof OpenAI.BadRequestError && error.param === "size" && error.requestID.startsWith("req_"));
await assert.rejects(client.images.generate({ ...fields, model: "unheard-of" }), OpenAI.NotFoundError);
await assert.rejects(once.images.generate({ ...fields, prompt: "explode" }), OpenAI.InternalServerError);
console.log("errors");

const hangup = new AbortController();
const held = client.images.generate({ ...fields, prompt: "hold it" }, { signal: hangup.signal });
setTimeout(() => hangup.abort(), 300);
await assert.rejects(held, OpenAI.APIUserAbortError);
console.log("cancel");
console.log("ok");
