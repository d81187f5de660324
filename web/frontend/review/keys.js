// The keyboard: letters work wherever nobody types, Escape and Enter by what is going on.
export function listen(actions) {
  addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=radio], [type=checkbox], [type=range]), textarea, select");
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key.toLowerCase() === "z" && !typing) return run(event, actions.step);
    if (command || event.altKey || document.querySelector("dialog[open]")) return undefined;
    if (event.key === "Escape" && typing) return event.target.blur();
    if (typing) return undefined;
    // A button or link that has the focus does its own work on Enter.
    if (event.key === "Enter" && event.target.matches("a, button, summary, [role=slider]")) return undefined;
    // Nobody decides on what is not shown yet: while the next finding is on its way, only stepping on is heard.
    if (document.body.hasAttribute("aria-busy") && !["j", "k", "?"].includes(event.key)) return event.preventDefault();
    return run(event, actions[event.key]);
  });
}

function run(event, action) {
  if (action && action() !== false) event.preventDefault();
}
