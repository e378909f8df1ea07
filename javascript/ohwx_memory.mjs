// What a reload of the page shall find again.

/**
 * Values by name, kept as JSON under `key`; where the storage is full, forbidden or another's, a reload forgets.
 *
 * @param {string} key
 * @param {() => Storage} storage asked each time: to look at a forbidden one throws
 */
export function memory(key, storage) {
  /** @type {Record<string, any>} */
  let kept = {};
  try {
    kept = JSON.parse(storage().getItem(key) ?? "{}") ?? {};
  } catch {
    // nothing is remembered
  }
  return {
    /** @param {string} name @returns {any} null for what was never set */
    get: (name) => kept[name] ?? null,
    /** @param {string} name @param {unknown} value */
    set(name, value) {
      kept[name] = value;
      try {
        storage().setItem(key, JSON.stringify(kept));
      } catch {
        // a reload forgets
      }
    },
  };
}
