// The keys of the desks: j and k go down and up a list of links, without the mouse.
export function walkLists() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
    const step = { j: 1, k: -1 }[event.key];
    const links = [...document.querySelectorAll(".waits a")];
    if (!step || !links.length) return;
    const here = links.indexOf(document.activeElement);
    links[here < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(here + step, 0), links.length - 1)].focus();
    event.preventDefault();
  });
}
