// Vercel's AI SDK and LangChain's image tool, unchanged, against the API at process.argv[2]. Prints "ok" at the end, or throws.
import assert from "node:assert/strict";
import { generateImage } from "ai";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { DallEAPIWrapper } from "@langchain/openai";

const baseURL = `${process.argv[2]}v1`;
const isPng = bytes => assert.ok(Buffer.from(bytes).subarray(1, 4).equals(Buffer.from("PNG")));

const openai = createOpenAI({ baseURL, apiKey: "unused" });
const compatible = createOpenAICompatible({ name: "muse", baseURL, apiKey: "unused" });
for (const [name, provider] of Object.entries({ openai, compatible })) {
  // A model by its own name, and by one of OpenAI's.
  for (const model of ["scenes", "gpt-image-1"]) {
    const made = await generateImage({ model: provider.imageModel(model), prompt: "a fox", n: 2, size: "1024x1024" });
    assert.equal(made.images.length, 2);
    made.images.forEach(image => isPng(image.uint8Array));
  }
  const { image } = await generateImage({ model: provider.imageModel("gpt-image-1"), prompt: "a fox" });
  const edited = await generateImage({
    model: provider.imageModel("gpt-image-1"), prompt: { text: "a blue fox", images: [image.uint8Array] },
  });
  isPng(edited.image.uint8Array);
  console.log(name);
}

const linked = await new DallEAPIWrapper({ baseUrl: baseURL, apiKey: "unused" }).invoke("a fox");
isPng(await (await fetch(linked)).arrayBuffer());
const inline = new DallEAPIWrapper({ baseUrl: baseURL, apiKey: "unused", n: 2, responseFormat: "b64_json", size: "1792x1024" });
const both = await inline.invoke("a fox");
assert.equal(both.length, 2);
both.forEach(item => isPng(Buffer.from(item.image_url.url, "base64")));
console.log("langchain");
console.log("ok");
