// Example prompts: simple scenes that the built-in model was trained on, and that any larger model can draw.

const colours = ["red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "turquoise"];
const sizes = ["small", "large", "big", "tiny", ""];
const things = ["star", "heart", "house", "tree", "boat", "fish", "flower", "mushroom", "diamond", "circle"];
const positions = [
  "in the middle", "on the left", "on the right", "at the bottom", "in the lower right corner", "in the top left corner",
];
const backgrounds = [
  "at sunset", "at night", "in the snow", "in the hills", "by the sea", "in the hills at night", "on the sea at sunset",
  "in the snow at night", "on a white background", "on a pink background",
];
const skies = ["a yellow moon above", "a big yellow sun above", "a white cloud above", "two yellow stars above", "a pink cloud above"];

/** Shown while there is no job. */
export const examplePrompts = [
  "a large red star above a small blue house at night",
  "a white boat on the sea at sunset",
  "a small red house in the snow",
  "a yellow moon above a green tree in the hills at night",
];

/** A prompt put together at random. */
export function randomPrompt(random = Math.random) {
  const pick = list => list[Math.floor(random() * list.length)];
  const thing = () => withArticle([pick(sizes), pick(colours), pick(things)].filter(Boolean).join(" "));
  const roll = random();
  if (roll < 0.4) return `${pick(skies)} ${thing()} ${pick(backgrounds)}`;
  if (roll < 0.7) return `${thing()} next to ${thing()} ${pick(backgrounds)}`;
  return `${thing()} ${pick(positions)}, ${pick(backgrounds)}`;
}

const withArticle = words => `${/^[aeiou]/.test(words) ? "an" : "a"} ${words}`;
