// Numbers as people say them, in the words that the page brought along.
let said = {};

export function speak(words) {
  said = words;
}

export function say(key, values = {}) {
  return (said[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

const grouped = (value, digits) => value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });

// Hectares from one hectare on, as the page itself says it.
export function areaWords(m2) {
  return m2 >= 10_000 ? say("ha", { n: grouped(m2 / 10_000, 2) }) : say("m2", { n: grouped(m2, m2 < 100 ? 1 : 0) });
}

export function lengthWords(m) {
  return m >= 1000 ? say("km", { n: grouped(m / 1000, 2) }) : say("m", { n: grouped(m, m < 100 ? 1 : 0) });
}
