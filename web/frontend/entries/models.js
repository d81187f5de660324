// Models: how far the worker is, and questions answered by one key each.
import "./app.js";

const EVERY_MS = 1000;
if (document.querySelector("[data-job]")) follow();
addEventListener("keydown", answer);

// A page is loaded anew when something is over: then there is more to see than a bar.
async function follow() {
  const open = () => [...document.querySelectorAll("[data-job]")].filter((one) => ["waiting", "working"].includes(one.dataset.state));
  while (open().length) {
    await new Promise((done) => setTimeout(done, EVERY_MS));
    try {
      const said = await (await fetch("/models/jobs.json", { headers: { Accept: "application/json" } })).json();
      for (const one of open()) {
        const now = said.find((each) => each.id === one.dataset.job);
        if (!now?.open) return location.reload();
        const bar = one.querySelector("progress");
        if (bar) bar.value = now.percent;
      }
    } catch {
      // The house is away for a moment; the next look tells.
    }
  }
}

function answer(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  const button = document.querySelector(`#answer [data-key="${CSS.escape(event.key)}"]`);
  if (!button) return;
  event.preventDefault();
  button.click();
}
