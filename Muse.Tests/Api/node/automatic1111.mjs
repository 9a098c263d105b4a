// A client of AUTOMATIC1111's API, unchanged, against the API at process.argv[2]. Prints "ok" at the end, or throws.
import assert from "node:assert/strict";
import { StableDiffusionApi } from "stable-diffusion-api";

const client = new StableDiffusionApi({ baseUrl: process.argv[2].replace(/\/$/, ""), defaultSampler: "Euler a", defaultStepCount: 5 });
assert.deepEqual((await client.getSamplers()).map(sampler => sampler.name), ["DDIM", "Euler"]);
assert.equal((await client.getSdModels())[0].model_name, "scenes");
assert.equal((await client.getOptions()).sd_model_checkpoint, "scenes");
await client.setOptions({ sd_model_checkpoint: "scenes" });
for (const list of [client.getUpscalers(), client.getHypernetworks(), client.getFaceRestorers(), client.getPromptStyles()])
  assert.ok(Array.isArray(await list));
console.log("lists");

const made = await client.txt2img({ prompt: "a (red:1.2) fox", width: 1024, height: 1024, batch_size: 2, seed: 3 });
assert.equal(made.images.length, 2);
assert.deepEqual(await made.image.metadata().then(({ format, width, height }) => [format, width, height]), ["png", 512, 512]);
console.log("txt2img");

const edited = await client.img2img({ init_images: [made.image], prompt: "a blue fox", denoising_strength: 0.5 });
assert.equal(edited.images.length, 1);
assert.equal((await client.getProgress()).progress, 0);
console.log("img2img");
console.log("ok");
