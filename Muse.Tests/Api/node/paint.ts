// Compiled against the client that is generated from the OpenAPI document: generates with the server at process.argv[2].
import { client } from "./client.gen";
import { createGeneration, getGenerationImage, listModels } from "./sdk.gen";

async function main() {
  client.setConfig({ baseUrl: process.argv[2]!.replace(/\/$/, "") });
  const models = await listModels();
  const made = await createGeneration({ body: { prompt: "a fox", n: 2, seed: 7 }, headers: { Prefer: "wait=30" } });
  if (made.data?.state !== "succeeded") throw new Error(JSON.stringify(made.error ?? made.data));
  const image = await getGenerationImage({ path: { id: made.data.id, index: 1 }, parseAs: "blob" });
  const head = new Uint8Array(await (image.data as Blob).arrayBuffer()).slice(1, 4);
  if (String.fromCharCode(...head) !== "PNG") throw new Error("no PNG");
  const wrong = await createGeneration({ body: { prompt: "a fox", n: 11 } });
  if (wrong.error?.field !== "n") throw new Error(JSON.stringify(wrong.error));
  console.log(`${models.data?.data[0]?.id}: ${made.data.images.length} images\nok`);
}

main().catch(error => { console.error(error); process.exit(1); });
