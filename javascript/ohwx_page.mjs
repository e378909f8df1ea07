// A run's own page in a frame: told of new pictures without losing the reader's place, as large as the window when a
// picture is opened, and listened to when one shall be sent to another tab.

export function pageFrame({ make, setText, setShown }, server, send) {
  const hold = make("div", { className: "ohwx-hold" });
  const fault = make("p", { className: "ohwx-grey ohwx-empty", hidden: true });
  const node = make("div", {}, fault, hold);
  let frame = null, run = null, shown = "", isThere = false, isReading = false, tried = 0, rest = 0;

  const told = (one) => [one.done, one.failed, one.state].join(); // the page changes with these alone

  function load() {
    const mine = make("iframe", { className: "ohwx-page", id: "ohwx-page", title: `Pictures of ${run.id}` });
    mine.addEventListener("load", () => {
      if (mine !== frame) return;
      isThere = Boolean(mine.contentDocument?.getElementById("data"));
      setShown(hold, isThere);
      setShown(fault, !isThere);
      setText(fault, "The page of this run does not come; it is asked for again.");
    });
    mine.src = `${run.page}#${document.body.classList.contains("dark") ? "dark" : "light"}`;
    [frame, isThere, shown, tried] = [mine, false, told(run), performance.now()];
    full(false);
    setShown(hold, true); // before it is attached: lazy frames of hidden boxes would not load
    hold.replaceChildren(mine); // a new frame each time: its address must not become a step of the browser's Back
  }

  async function refresh() {
    const began = performance.now();
    if (isReading || shown === told(run) || began < rest) return;
    const [mine, at] = [frame, told(run)];
    isReading = true;
    try {
      const page = new DOMParser().parseFromString(await server.getText(run.page), "text/html");
      const data = page.getElementById("data");
      if (mine === frame && data) {
        mine.contentWindow.postMessage({ ohwx: "data", data: JSON.parse(data.textContent) }, location.origin);
        shown = at;
      }
    } catch {
      // the next poll tries again, and that nobody answers is said in one place
    } finally {
      isReading = false;
      rest = performance.now() + 4 * (performance.now() - began); // large runs are read less often
    }
  }

  function full(isFull) {
    hold.classList.toggle("ohwx-full", isFull);
    document.documentElement.classList.toggle("ohwx-still", isFull); // the page below does not scroll meanwhile
  }

  window.addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow || event.origin !== location.origin) return;
    const { ohwx, on, to, image, infotext } = event.data ?? {};
    if (ohwx === "full") full(Boolean(on));
    else if (ohwx === "send") { full(false); send({ run: run.id, to, image, infotext }); }
  });

  return {
    node,
    show(next) {
      const isOther = run?.id !== next.id;
      run = next;
      if (isOther) load();
      else if (isThere) refresh();
      else if (performance.now() - tried > 4000) load();
    },
    close() { run = frame = null; full(false); hold.replaceChildren(); },
  };
}
