// The routes under ohwx/, asked relative to the page, so that a sub-path, --share and any proxy work.

// What went wrong as one sentence; isAway where nobody answered, so that asking again may help.
export class ServerError extends Error {
  constructor(message, isAway = false) {
    super(message);
    this.isAway = isAway;
  }
}

const AWAY = "The webui does not answer.";

async function ask(path, options, patience = 30) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), patience * 1000);
  try {
    const answer = await fetch(new URL(path, location.href), { ...options, signal: abort.signal, credentials: "same-origin" });
    if (answer.ok) return await (options.as === "text" ? answer.text() : answer.json());
    throw new ServerError(await sentence(answer), [502, 503, 504].includes(answer.status));
  } catch (error) {
    throw error instanceof ServerError ? error : new ServerError(AWAY, true);
  } finally {
    clearTimeout(timer);
  }
}

async function sentence(answer) {
  if (answer.status === 401) return "The webui wants you to log in; reload the page.";
  try {
    const said = await answer.json();
    const words = said.error ?? said.detail;
    if (typeof words === "string" && words) return words;
  } catch {
    // a proxy's page, not ours
  }
  return `The webui answered ${answer.status} ${answer.statusText}.`.replace(" .", ".");
}

const body = (content, type) => ({ method: "POST", headers: { "Content-Type": type }, body: content });

export const get = (path) => ask(`ohwx/${path}`, { cache: "no-store" });
export const getText = (path) => ask(path, { cache: "no-store", as: "text" });
export const post = (path, value = {}, patience) => ask(`ohwx/${path}`, body(JSON.stringify(value), "application/json"), patience);
export const postFile = (path, file) => ask(`ohwx/${path}`, body(file, file.type || "application/octet-stream"), 120);
