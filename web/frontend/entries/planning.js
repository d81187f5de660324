// The pages of planners and reviewers: drafts are kept everywhere; a map, where there is one, is drawn and drawn on.
import { keepDrafts } from "../planning/drafts.js";
import "./app.js";

for (const each of document.querySelectorAll(".only-script")) each.hidden = false;
document.getElementById("summary")?.focus();
// A choice of what is listed takes effect at once; without scripts a button does it.
document.querySelector("form[data-sift]")?.addEventListener("change", (event) => event.currentTarget.requestSubmit());

// In a list the keys j and k go from line to line; elsewhere they are letters.
const lines = [...document.querySelectorAll(".waits a, tbody td:first-child > a")];
document.addEventListener("keydown", (event) => {
  const at = lines.indexOf(document.activeElement);
  if (at < 0 || !["j", "k"].includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
  lines[at + (event.key === "j" ? 1 : -1)]?.focus();
});

if (document.getElementById("sites")) {
  const { startSites } = await import("../planning/sites.js");
  startSites();
}
keepDrafts();
if (document.getElementById("map")) {
  const { startMap } = await import("../planning/map.js");
  startMap();
}
