// Blind votes: what is shown, what is answered by keyboard, pointer or touch, and the reveal.

const at = (id) => document.getElementById(id);
const PLACES = ["left", "right"];

/** What is voted on, and where the voter is; `shown` is when the pictures appeared. */
let opening, voter, state, busy = false, shown = 0, best = null, front = 0;
/** Pictures by address: loaded ahead, and put in whole. */
const loaded = new Map();

function say(error) {
  at("error").textContent = error || "";
  at("error").hidden = !error;
}

async function ask(path, body) {
  const sent = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, sent);
  } catch {
    throw new Error("Nobody answers. Start `ohwx view` (or the webui) again; your votes are kept.");
  }
  const found = await answer.json().catch(() => ({ error: `The answer is ${answer.status}.` }));
  if (!answer.ok) throw new Error(found.error);
  return found;
}

/** One request at a time; what goes wrong is said, and nothing else changes. */
async function doing(work) {
  if (busy) return;
  busy = true;
  try {
    say("");
    await work();
  } catch (error) {
    say(error.message);
  } finally {
    busy = false;
  }
}

function option(text, value) {
  const made = document.createElement("option");
  made.textContent = text;
  made.value = value;
  return made;
}

function show(section) {
  for (const id of ["start", "vote", "reveal"]) at(id).hidden = id !== section;
}

function asked(question) {
  if (question.startsWith("which ")) return `Which ${question.slice(6)}?`;
  return `Which ${question.startsWith("more") ? "is " : ""}${question}?`;
}

/** While somebody votes no name stands in the document. */
async function open() {
  opening = await ask("opening");
  at("question").replaceChildren(...opening.questions.map((each) => option(each, each)));
  at("pool").replaceChildren(...opening.pools.map((each, place) => option(each.name, place)));
  at("raters").replaceChildren(...opening.raters.map((each) => option(each, each)));
  suggest();
  show("start");
  at("rater").focus();
}

function suggest() {
  const pool = opening.pools[Number(at("pool").value)];
  at("most").value = pool.most;
  at("until").disabled = !pool.pairs;
}

function image(source) {
  if (!loaded.has(source)) {
    const made = new Image();
    made.alt = "";
    made.src = source;
    loaded.set(source, made);
  }
  return loaded.get(source);
}

async function begin() {
  voter = {
    rater: at("rater").value.trim(),
    question: at("question").value,
    pool: Number(at("pool").value),
    most: Number(at("most").value),
    untilClear: at("until").checked,
  };
  const first = await ask("next", voter);
  at("question").replaceChildren();
  at("pool").replaceChildren();
  at("raters").replaceChildren();
  document.activeElement?.blur();
  show("vote");
  await turn(first);
}

/** Show what comes next, or what came of it. */
async function turn(next) {
  state = next;
  if (state.ending) return reveal();
  const { trial } = state;
  at("asked").textContent = asked(voter.question);
  at("told").textContent = trial.told;
  at("told").hidden = !trial.told;
  at("count").textContent = `${state.answered} of ${state.most} votes`;
  best = null;
  front = 0;
  const pairs = trial.pictures.length === 2;
  at("hint").textContent = pairs
    ? "← or → the better one, with Shift much better"
    : `1 to ${trial.pictures.length}: the best, then the worst`;
  at("bad-word").textContent = pairs ? "both bad" : "all bad";
  at("photo-button").hidden = !opening.photos.length;
  const wanted = new Set([...trial.pictures.map((each) => each.src), ...state.ahead]);
  for (const source of loaded.keys()) if (!wanted.has(source)) loaded.delete(source);
  for (const source of wanted) image(source);
  at("pictures").className = "";
  at("pictures").replaceChildren(...trial.pictures.map((each, place) => framed(each, place, pairs)));
  await Promise.all(trial.pictures.map((each) => image(each.src).decode().catch(() => {
    throw new Error("A picture of this vote cannot be read. Press S to skip it.");
  }))).catch((error) => say(error.message));
  shown = performance.now();
}

function framed(picture, place, pairs) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", pairs ? `${PLACES[place]} picture` : `picture ${place + 1}`);
  button.append(image(picture.src));
  image(picture.src).style.transform = "";
  const mark = document.createElement("span");
  mark.className = "place";
  mark.textContent = pairs ? PLACES[place] : place + 1;
  mark.hidden = pairs;
  button.append(mark);
  button.addEventListener("click", (event) => choose(place, event.shiftKey));
  return button;
}

function choose(place, much = false) {
  const count = state.trial.pictures.length;
  if (busy || at("vote").hidden || place >= count) return;
  if (count === 2) {
    vote({ answer: much ? "much better" : "chosen", best: place });
  } else if (best === null) {
    best = place;
    at("pictures").children[place].classList.add("best");
    at("hint").textContent = "Now the worst";
  } else if (place !== best) {
    vote({ answer: "chosen", best, worst: place });
  }
}

function vote(answer) {
  const seconds = Math.round(performance.now() - shown) / 1000;
  doing(async () => turn(await ask("answer", { ...voter, ...answer, number: state.trial.number, seconds })));
}

/** All pictures at their faces, or whole again. */
function face() {
  const is_near = at("pictures").classList.toggle("near");
  for (const [place, { src, face: box }] of state.trial.pictures.entries()) {
    const element = image(src);
    element.style.transform = is_near && box ? zoom(box, element, at("pictures").children[place]) : "";
  }
}

/** The face as large as its frame allows, in the middle; the picture lies in it as `object-fit: contain` has it. */
function zoom(box, element, frame) {
  const width = frame.clientWidth, height = frame.clientHeight;
  const fit = Math.min(width / element.naturalWidth, height / element.naturalHeight);
  const w = element.naturalWidth * fit, h = element.naturalHeight * fit;
  const scale = Math.max(1, Math.min(width / ((box[2] - box[0]) * w), height / ((box[3] - box[1]) * h)) / 1.6);
  const x = ((box[0] + box[2]) / 2 - 0.5) * w, y = ((box[1] + box[3]) / 2 - 0.5) * h;
  return `scale(${scale}) translate(${-x}px, ${-y}px)`;
}

/** One picture after the other in one place. */
function swap() {
  const frames = [...at("pictures").children];
  if (at("pictures").classList.contains("one")) front = (front + 1) % frames.length;
  at("pictures").classList.add("one");
  frames.forEach((frame, place) => {
    frame.classList.toggle("shown", place === front);
    frame.lastChild.hidden = false;
  });
}

let photo = 0;
function photograph() {
  if (!opening.photos.length) return;
  if (at("photo").hidden) at("photograph").src = opening.photos[photo++ % opening.photos.length];
  at("photo").hidden = !at("photo").hidden;
}

async function reveal() {
  const found = await ask("reveal", voter);
  show("reveal");
  at("answer").textContent = found.sentences[0];
  at("sentences").replaceChildren(...found.sentences.slice(1).map((each) => {
    const line = document.createElement("li");
    line.textContent = each;
    return line;
  }));
  at("continue").hidden = Boolean(state.ending);
  const preference = found.preference;
  at("bar").hidden = !preference;
  if (preference) chart(found, preference);
  at("answer").focus();
}

function chart(found, preference) {
  const all = found.first + found.second + found.same + found.bad || 1;
  const parts = [["first", found.first], ["none", found.same + found.bad], ["second", found.second]];
  at("shares").replaceChildren(...parts.map(([name, count]) => {
    const part = document.createElement("span");
    part.className = name;
    part.style.width = `${(100 * count) / all}%`;
    return part;
  }));
  const percent = (value) => `${50 + 50 * value}%`;
  const interval = preference.interval;
  at("interval").hidden = !interval;
  if (interval) {
    at("interval").style.left = percent(interval.low);
    at("interval").style.right = `${50 - 50 * interval.high}%`;
  }
  at("value").style.left = percent(preference.value);
  const below = "Grey: the same, or both bad. Below: the net preference from −1 to 1 with its interval.";
  at("caption").textContent = `Left: ${found.sides[0]}. Right: ${found.sides[1]}. ${below}`;
}

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

document.addEventListener("keydown", (event) => {
  if (at("vote").hidden || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!at("photo").hidden && key !== "Escape" && key !== " ") return;
  const place = { ArrowLeft: 0, ArrowRight: 1 }[key] ?? (/^[1-4]$/.test(key) ? Number(key) - 1 : null);
  const does = KEYS[key];
  if (place === null && !does) return;
  event.preventDefault();
  if (!at("photo").hidden) photograph();
  else if (place === null) DOES[does]();
  else if (key.length === 1 || state.trial.pictures.length === 2) choose(place, event.shiftKey);
});
at("keys").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  button.blur();
  if (!busy) DOES[button.dataset.does]();
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
doing(open);
