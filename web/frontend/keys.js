// The keys of the desks: j and k go down and up the lines of the lists, `?` tells all keys; letters are letters in a form.
export function walkLists() {
  const told = document.getElementById("keys");
  for (const button of document.querySelectorAll("[data-keys]")) {
    button.hidden = false;
    button.addEventListener("click", () => told.showModal());
  }
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
    if (document.querySelector("dialog[open]")) return;
    const act = { j: () => walk(1), k: () => walk(-1), "?": () => told?.showModal() }[event.key];
    if (!act) return;
    act();
    event.preventDefault();
  });
}

function walk(step) {
  const lines = [...document.querySelectorAll(".waits a, .stack tbody tr")]
    .map((line) => (line.matches("a") ? line : line.querySelector("a")))
    // What is folded away has no place on the page, and no focus.
    .filter((line) => line?.checkVisibility());
  const here = lines.indexOf(document.activeElement);
  const next = here < 0 ? (step > 0 ? 0 : lines.length - 1) : Math.min(Math.max(here + step, 0), lines.length - 1);
  lines[next]?.focus();
}
