// The judge's report: the slider between likeness and style, and nine pictures, by chance or by a measure.

/**
 * @typedef {object} JudgeData as look/report/page.py writes it
 * @property {{ sentence: string, keep: string[] }[]} kept by weight, likeness alone first
 * @property {number} even the place in it at which style counts as much as likeness
 * @property {string[]} measures their names
 * @property {number} drawn how many of the pictures were drawn by chance: the first ones
 * @property {{ image: string, thumb: string, words: string, values: (number | null)[] }[]} pictures links are relative
 *   to the page, values by measure
 */

/** Nine of them, or all if they are fewer, none twice; `chance` gives numbers from 0 to below 1. */
function someOf(/** @type {number} */ many, /** @type {() => number} */ chance) {
  const places = Array.from({ length: many }, (_, place) => place);
  /** @type {number[]} */
  const chosen = [];
  while (chosen.length < Math.min(9, many)) {
    chosen.push(...places.splice(Math.floor(chance() * places.length), 1));
  }
  return chosen;
}

/** The places of `values` that are numbers, the least first, or the most. */
function inOrder(/** @type {(number | null)[]} */ values, /** @type {boolean} */ isFalling) {
  const places = [...values.keys()].filter((place) => values[place] !== null);
  const value = (/** @type {number} */ place) => values[place] ?? 0;
  return places.sort((a, b) => (isFalling ? value(b) - value(a) : value(a) - value(b)));
}

function startJudge(/** @type {JudgeData} */ data) {
  const found = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const weight = /** @type {HTMLInputElement} */ (found("weight"));

  const mark = (/** @type {number} */ place) => {
    const at = data.kept[place];
    if (!at) {
      return;
    }
    found("kept").textContent = at.sentence;
    for (const node of document.querySelectorAll("[data-checkpoint]")) {
      node.classList.toggle("kept", at.keep.includes(node.getAttribute("data-checkpoint") ?? ""));
    }
  };
  const order = /** @type {HTMLSelectElement} */ (found("order"));
  let page = 0;
  const chosen = () => {
    if (order.value === "") {
      return someOf(data.drawn, Math.random);
    }
    const [measure = 0, isFalling = 0] = order.value.split(" ").map(Number);
    const places = inOrder(data.pictures.map((one) => one.values[measure] ?? null), isFalling === 1);
    const start = (9 * page) % Math.max(places.length, 1);
    return places.slice(start, start + 9);
  };
  const show = () => {
    const places = chosen();
    const shown = places.flatMap((place) => data.pictures[place] ?? []);
    found("pictures").replaceChildren(...shown.map((one) => {
      const figure = document.createElement("a");
      const image = document.createElement("img");
      const words = document.createElement("small");
      figure.href = one.image;
      image.src = one.thumb;
      image.alt = "";
      words.textContent = one.words;
      figure.append(image, words);
      return figure;
    }));
  };
  if (data.kept.length) {
    mark(data.even);
  }
  if (data.kept.length > 1) {
    weight.max = String(data.kept.length - 1);
    weight.value = String(data.even);
    weight.addEventListener("input", () => mark(Number(weight.value)));
    found("weighing").hidden = false;
  }
  if (data.pictures.length) {
    data.measures.forEach((name, place) => {
      order.append(new Option(`most ${name} first`, `${place} 1`), new Option(`least ${name} first`, `${place} 0`));
    });
    order.addEventListener("change", () => {
      page = 0;
      show();
    });
    found("another").addEventListener("click", () => {
      page += 1;
      show();
    });
    found("nine").hidden = false;
    show();
  }
}

if (typeof document !== "undefined" && document.getElementById("weight")) {
  startJudge(JSON.parse(document.getElementById("data")?.textContent ?? ""));
}
