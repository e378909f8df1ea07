// Which lines and columns are near the window: only those are in the document.

/** Where each begins, and where the last one ends. @param {readonly number[]} sizes px */
function begins(sizes) {
  const starts = new Float64Array(sizes.length + 1);
  for (const [i, size] of sizes.entries()) starts[i + 1] = (starts[i] ?? 0) + size;
  return starts;
}

/**
 * The first and the one behind the last that reach into a stretch.
 *
 * @param {Float64Array} starts of `begins`
 * @param {number} from px
 * @param {number} to px
 * @returns {[first: number, end: number]}
 */
function reaching(starts, from, to) {
  const count = starts.length - 1;
  const first = Math.min(Math.max(lastBelow(starts, from), 0), count);
  const end = Math.min(lastBelow(starts, to) + 1, count);
  return [first, Math.max(end, first)];
}

/** The last that begins at or above a place, -1 for none. @param {Float64Array} starts @param {number} place */
function lastBelow(starts, place) {
  let [low, high] = [-1, starts.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? Infinity) <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Lines that a text takes. @param {string} text @param {number} wide letters of one @param {number} most */
const linesOf = (text, wide, most) =>
  Math.min(
    text.split("\n").reduce((sum, part) => sum + Math.max(Math.ceil(part.length / Math.max(wide, 1)), 1), 0),
    most,
  );
