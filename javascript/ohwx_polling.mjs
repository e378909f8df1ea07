// Asking again and again, so that a reload or a dropped connection loses nothing.

/**
 * How long to wait before asking again, ms: longer and longer while nobody answers.
 *
 * @param {number} misses answers missed in a row
 * @param {boolean} isBusy
 * @param {{ busy: number, idle: number }} pace ms
 */
export function pause(misses, isBusy, pace) {
  if (misses) return Math.min(1000 * 2 ** misses, 20_000);
  return isBusy ? pace.busy : pace.idle;
}

/**
 * A function that asks now, and from then on by itself while somebody looks.
 *
 * Called while it waits for an answer, it asks again as soon as that is there.
 *
 * @param {object} how
 * @param {() => Promise<void>} how.ask
 * @param {(error: any) => void} how.failed
 * @param {() => boolean} how.isSeen
 * @param {() => boolean} how.isBusy
 * @param {{ busy: number, idle: number }} how.pace ms
 */
export function polling({ ask, failed, isSeen, isBusy, pace }) {
  let misses = 0;
  let timer = 0;
  let isAsking = false;
  let isWanted = false;
  return async function poll() {
    isWanted = isAsking;
    if (isAsking || !isSeen()) return;
    clearTimeout(timer);
    isAsking = true;
    try {
      await ask();
      misses = 0;
    } catch (error) {
      misses += 1;
      failed(error);
    }
    isAsking = false;
    timer = window.setTimeout(poll, isWanted && !misses ? 0 : pause(misses, isBusy(), pace));
  };
}
