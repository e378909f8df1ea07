// The judge's report: the slider between likeness and style, and nine pictures by chance.

/**
 * @typedef {object} JudgeData as look/report/page.py writes it
 * @property {{ sentence: string, keep: string[] }[]} kept by weight, likeness alone first
 * @property {number} even the place in it at which style counts as much as likeness
 * @property {{ image: string, thumb: string, words: string }[]} pictures links are relative to the page
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
  const show = () => {
    const places = someOf(data.pictures.length, Math.random);
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
    found("another").addEventListener("click", show);
    found("nine").hidden = false;
    show();
  }
}

if (typeof document !== "undefined" && document.getElementById("weight")) {
  startJudge(JSON.parse(document.getElementById("data")?.textContent ?? ""));
}
