// Prompts for those who have none. Scenes of simple things: what the built-in model paints, and any larger one can.

const colours = ["red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "turquoise"];
const sizes = ["small", "large", "big", "tiny", ""];
const things = ["star", "heart", "house", "tree", "boat", "fish", "flower", "mushroom", "diamond", "circle"];
const places = ["in the middle", "on the left", "on the right", "at the bottom", "in the lower right corner", "in the top left corner"];
const grounds = ["at sunset", "at night", "in the snow", "in the hills", "by the sea", "in the hills at night", "on the sea at sunset", "in the snow at night", "on a white background", "on a pink background"];
const skies = ["a yellow moon above", "a big yellow sun above", "a white cloud above", "two yellow stars above", "a pink cloud above"];

/** Shown while nothing has been painted yet. */
export const starters = [
  "a large red star above a small blue house at night",
  "a white boat on the sea at sunset",
  "a small red house in the snow",
  "a yellow moon above a green tree in the hills at night",
];

/** A prompt composed by chance. */
export function surprise(random = Math.random) {
  const pick = list => list[Math.floor(random() * list.length)];
  const thing = () => article([pick(sizes), pick(colours), pick(things)].filter(Boolean).join(" "));
  const roll = random();
  if (roll < 0.4) return `${pick(skies)} ${thing()} ${pick(grounds)}`;
  if (roll < 0.7) return `${thing()} next to ${thing()} ${pick(grounds)}`;
  return `${thing()} ${pick(places)}, ${pick(grounds)}`;
}

const article = words => `${/^[aeiou]/.test(words) ? "an" : "a"} ${words}`;
