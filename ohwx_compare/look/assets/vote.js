// Blind votes: what is shown, what is answered by keyboard, pointer or touch, and the reveal.
export {}; // a scope of its own: it shares no page with the others

/**
 * @typedef {{ questions: string[], pools: { name: string, pairs: boolean, most: number }[], raters: string[],
 *   photos: string[], isElsewhere: boolean }} Opening what is told before anything is shown
 * @typedef {{ rater: string, question: string, pool: number, most: number, untilClear: boolean,
 *   adopt: boolean }} Voter
 * @typedef {{ src: string, face: [number, number, number, number] | null }} Shown a face as shares of the sides
 * @typedef {{ number: number, told: string, pictures: Shown[] }} Trial
 * @typedef {{ answered: number, most: number, ending: string | null, trial: Trial, ahead: string[] }} State
 * @typedef {{ answer: string, best?: number, worst?: number }} Answer
 * @typedef {{ value: number, low: number, high: number } | null} Interval
 * @typedef {{ value: number, interval: Interval }} Preference
 * @typedef {{ sentences: string[], sides: string[], first: number, second: number, same: number, bad: number,
 *   preference: Preference | null }} Reveal
 */

/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (document.getElementById(id));
const SIDES = ["left", "right"];

let opening = /** @type {Opening} */ ({ questions: [], pools: [], raters: [], photos: [], isElsewhere: false });
let voter = /** @type {Voter} */ ({ rater: "", question: "", pool: 0, most: 0, untilClear: true, adopt: false });
let state = /** @type {State | null} */ (null);
let isBusy = false;
let since = 0; // when the pictures appeared
let best = /** @type {number | null} */ (null);
let front = 0; // the one that is seen, of pictures in one place
let turned = 0; // photographs that were looked at
/** Pictures by address: loaded ahead, and put in whole. */
const loaded = /** @type {Map<string, HTMLImageElement>} */ (new Map());

function say(/** @type {string} */ error) {
  at("error").textContent = error;
  at("error").hidden = !error;
}

/** @param {string} path @param {object} [body] @returns {Promise<any>} */
async function ask(path, body) {
  const head = { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(path, body && { method: "POST", headers: head, body: JSON.stringify(body) });
  } catch {
    throw new Error("Nobody answers. Start `ohwx view` (or the webui) again; your votes are kept.");
  }
  const found = await answer.json().catch(() => ({ error: `The answer is ${answer.status}.` }));
  if (!answer.ok) throw new Error(found.error);
  return found;
}

/** One request at a time; what goes wrong is said, and nothing else changes. @param {() => Promise<void>} work */
async function doing(work) {
  if (isBusy) return;
  setBusy(true);
  try {
    say("");
    await work();
  } catch (error) {
    say(/** @type {Error} */ (error).message);
  } finally {
    setBusy(false);
  }
}

function setBusy(/** @type {boolean} */ now) {
  isBusy = now;
  document.body.setAttribute("aria-busy", String(now));
}

function option(/** @type {string} */ text, /** @type {string | number} */ value) {
  const made = document.createElement("option");
  made.textContent = text;
  made.value = String(value);
  return made;
}

function show(/** @type {string} */ section) {
  for (const id of ["start", "vote", "reveal"]) at(id).hidden = id !== section;
}

function asked(/** @type {string} */ question) {
  if (question.startsWith("which ")) return `Which ${question.slice(6)}?`;
  return `Which ${question.startsWith("more") ? "is " : ""}${question}?`;
}

/** While somebody votes no name stands in the document. */
async function open() {
  opening = await ask("opening");
  at("question").replaceChildren(...opening.questions.map((each) => option(each, each)));
  at("pool").replaceChildren(...opening.pools.map((each, place) => option(each.name, place)));
  at("raters").replaceChildren(...opening.raters.map((each) => option(each, each)));
  at("adopting").hidden = !opening.isElsewhere;
  const known = opening.photos.length ? "Photographs are known already; a folder named here takes their place. " : "";
  at("photos-words").textContent = `${known}Space shows one while you vote.`;
  suggest();
  show("start");
  at("rater").focus();
}

function suggest() {
  const pool = opening.pools[Number(input("pool").value)];
  input("most").value = String(pool?.most);
  input("until").disabled = !pool?.pairs;
}

function image(/** @type {string} */ source) {
  const known = loaded.get(source);
  if (known) return known;
  const made = new Image();
  made.alt = "";
  made.src = source;
  loaded.set(source, made);
  return made;
}

async function begin() {
  voter = {
    rater: input("rater").value.trim(),
    question: input("question").value,
    pool: Number(input("pool").value),
    most: Number(input("most").value),
    untilClear: input("until").checked,
    adopt: input("adopt").checked,
  };
  const folder = input("photos").value.trim();
  if (folder) opening.photos = (await ask("photos", { folder })).photos;
  const first = await ask("next", voter);
  for (const id of ["question", "pool", "raters"]) at(id).replaceChildren();
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  show("vote");
  await turn(first);
}

/** Show what comes next, or what came of it. @param {State} next */
async function turn(next) {
  state = next;
  if (state.ending) return reveal();
  const { trial, ahead } = state;
  const isPair = trial.pictures.length === 2;
  at("asked").textContent = asked(voter.question);
  at("told").textContent = trial.told;
  at("told").hidden = !trial.told;
  at("count").textContent = `${state.answered} of ${state.most} votes`;
  const numbers = `1 to ${trial.pictures.length}: the best, then the worst`;
  at("hint").textContent = isPair ? "← or → the better one, with Shift much better" : numbers;
  at("bad-word").textContent = isPair ? "both bad" : "all bad";
  at("photo-button").hidden = !opening.photos.length;
  best = null;
  front = 0;
  load([...trial.pictures.map((each) => each.src), ...ahead]);
  at("pictures").className = "";
  at("pictures").replaceChildren(...trial.pictures.map((each, place) => framed(each, place, isPair)));
  const whole = trial.pictures.map((each) => image(each.src).decode());
  await Promise.all(whole).catch(() => say("A picture of this vote cannot be read. Press S to skip it."));
  since = performance.now();
}

/** Have these pictures and let go of all others. @param {string[]} sources */
function load(sources) {
  for (const source of loaded.keys()) if (!sources.includes(source)) loaded.delete(source);
  for (const source of sources) image(source);
}

function framed(/** @type {Shown} */ picture, /** @type {number} */ place, /** @type {boolean} */ isPair) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", isPair ? `${SIDES[place]} picture` : `picture ${place + 1}`);
  image(picture.src).style.transform = "";
  const mark = document.createElement("span");
  mark.className = "place";
  mark.textContent = isPair ? String(SIDES[place]) : String(place + 1);
  mark.hidden = isPair;
  button.append(image(picture.src), mark);
  button.addEventListener("click", (event) => choose(place, event.shiftKey));
  return button;
}

function choose(/** @type {number} */ place, /** @type {boolean} */ isMuch) {
  const count = state?.trial.pictures.length ?? 0;
  if (isBusy || at("vote").hidden || place >= count) return;
  if (count === 2) {
    vote({ answer: isMuch ? "much better" : "chosen", best: place });
  } else if (best === null) {
    best = place;
    at("pictures").children[place]?.classList.add("best");
    at("hint").textContent = "Now the worst";
  } else if (place !== best) {
    vote({ answer: "chosen", best, worst: place });
  }
}

function vote(/** @type {Answer} */ answer) {
  const seconds = Math.round(performance.now() - since) / 1000;
  doing(async () => turn(await ask("answer", { ...voter, ...answer, number: state?.trial.number, seconds })));
}

/** All pictures at their faces, or whole again. */
function face() {
  const isNear = at("pictures").classList.toggle("near");
  for (const [place, { src, face: box }] of (state?.trial.pictures ?? []).entries()) {
    const frame = at("pictures").children[place];
    image(src).style.transform = isNear && box && frame ? zoom(box, image(src), frame) : "";
  }
}

/**
 * The face as large as its frame allows, in the middle; the picture lies in it as `object-fit: contain` has it.
 *
 * @param {[number, number, number, number]} box
 * @param {HTMLImageElement} element
 * @param {Element} frame
 */
function zoom([x1, y1, x2, y2], element, frame) {
  const [width, height] = [frame.clientWidth, frame.clientHeight];
  const fit = Math.min(width / element.naturalWidth, height / element.naturalHeight);
  const [w, h] = [element.naturalWidth * fit, element.naturalHeight * fit];
  const scale = Math.max(1, Math.min(width / ((x2 - x1) * w), height / ((y2 - y1) * h)) / 1.6);
  return `scale(${scale}) translate(${(0.5 - (x1 + x2) / 2) * w}px, ${(0.5 - (y1 + y2) / 2) * h}px)`;
}

/** One picture after the other in one place. */
function swap() {
  const frames = [...at("pictures").children];
  if (at("pictures").classList.contains("one")) front = (front + 1) % frames.length;
  at("pictures").classList.add("one");
  for (const [place, frame] of frames.entries()) {
    frame.classList.toggle("shown", place === front);
    frame.querySelector(".place")?.removeAttribute("hidden");
  }
}

function photograph() {
  const { photos } = opening;
  if (!photos.length) return;
  const isShown = !at("photo").hidden;
  if (!isShown) /** @type {HTMLImageElement} */ (at("photograph")).src = String(photos[turned++ % photos.length]);
  at("photo").hidden = isShown;
}

async function reveal() {
  const found = /** @type {Reveal} */ (await ask("reveal", voter));
  const [answer = "", ...others] = found.sentences;
  show("reveal");
  at("answer").textContent = answer;
  at("sentences").replaceChildren(...others.map(lineOf));
  at("continue").hidden = Boolean(state?.ending);
  at("bar").hidden = !found.preference;
  if (found.preference) chart(found, found.preference);
  at("answer").focus();
}

function lineOf(/** @type {string} */ sentence) {
  const line = document.createElement("li");
  line.textContent = sentence;
  return line;
}

function chart(/** @type {Reveal} */ found, /** @type {Preference} */ { value, interval }) {
  const { first, second, same, bad, sides } = found;
  const parts = { first, none: same + bad, second };
  const all = first + second + same + bad || 1;
  at("shares").replaceChildren(...Object.entries(parts).map(([name, count]) => {
    const part = document.createElement("span");
    part.className = name;
    part.style.width = `${(100 * count) / all}%`;
    return part;
  }));
  at("interval").hidden = !interval;
  at("interval").style.left = `${50 + 50 * (interval?.low ?? 0)}%`;
  at("interval").style.right = `${50 - 50 * (interval?.high ?? 0)}%`;
  at("value").style.left = `${50 + 50 * value}%`;
  const below = "Grey: the same, or both bad. Below: the net preference from −1 to 1 with its interval.";
  at("caption").textContent = `Left: ${sides[0]}. Right: ${sides[1]}. ${below}`;
}

/** @type {Record<string, () => void>} */
const DOES = {
  same: () => vote({ answer: "the same" }),
  bad: () => vote({ answer: "all bad" }),
  skip: () => vote({ answer: "skipped" }),
  photo: photograph,
  face,
  swap,
  undo: () => doing(async () => turn(await ask("undo", voter))),
  end: () => doing(reveal),
};
/** @type {Record<string, string>} */
const KEYS = {
  ArrowDown: "same",
  ArrowUp: "bad",
  " ": "photo",
  f: "face",
  b: "swap",
  z: "undo",
  s: "skip",
  Escape: "end",
};

/** The place of the picture that a key chooses, null for another key. @param {string} key */
function placeOf(key) {
  const isPair = state?.trial.pictures.length === 2;
  if (/^[1-4]$/.test(key)) return Number(key) - 1;
  return isPair && key === "ArrowLeft" ? 0 : isPair && key === "ArrowRight" ? 1 : null;
}

document.addEventListener("keydown", (event) => {
  if (at("vote").hidden || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const [place, does] = [placeOf(key), KEYS[key]];
  if (place === null && !does) return;
  event.preventDefault();
  if (!at("photo").hidden) {
    if (does === "photo" || does === "end") photograph();
  } else if (place !== null) {
    choose(place, event.shiftKey);
  } else if (does && !isBusy) {
    DOES[does]?.();
  }
});
at("keys").addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button") : null;
  button?.blur();
  if (button && !isBusy) DOES[button.dataset.does ?? ""]?.();
});
at("photo").addEventListener("click", photograph);
at("pool").addEventListener("change", suggest);
at("start").addEventListener("submit", (event) => {
  event.preventDefault();
  doing(begin);
});
at("continue").addEventListener("click", () => doing(async () => {
  show("vote");
  await turn(await ask("next", voter));
}));
at("other").addEventListener("click", () => doing(open));
const theme = location.hash.slice(1); // as what led here has it
if (["dark", "light"].includes(theme)) document.documentElement.classList.add(theme);
doing(open);
