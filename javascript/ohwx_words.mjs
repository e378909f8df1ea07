// Figures and facts in words.

/** A time, s, as a person tells it. @param {number} value */
export function seconds(value) {
  if (value < 90) return `${Math.max(Math.round(value), 1)} s`;
  if (value < 5400) return `${Math.round(value / 60)} min`;
  const minutes = Math.round(value / 60);
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/** A size, bytes, in KB, MB or GB of 1000s. @param {number} value */
export function bytes(value) {
  const [unit, size] = value >= 1e9 ? ["GB", 1e9] : value >= 1e6 ? ["MB", 1e6] : ["KB", 1e3];
  const digits = unit === "GB" && value / size < 10 ? 1 : 0;
  return `${(value / size).toFixed(digits)} ${unit}`;
}

/** "1 cell", "2 cells". @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** Facts on one line, empty ones left out. @param {readonly (string | number | boolean | null | undefined)[]} facts */
export const joined = (facts) => facts.filter(Boolean).join(" · ");

/** The last name of a path of any system. @param {string | null | undefined} path */
export const fileName = (path) => (path ?? "").split(/[\\/]/).pop() ?? "";

/** Lines of a text without those that are empty. @param {string} text */
export const lines = (text) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
