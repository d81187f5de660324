// The pages of planners and reviewers: drafts are kept everywhere; a map, where there is one, is drawn and drawn on.
import { walkLists } from "../keys.js";
import { keepDrafts } from "../planning/drafts.js";
import "./app.js";

for (const each of document.querySelectorAll(".only-script")) each.hidden = false;
document.getElementById("summary")?.focus();
// A choice of what is listed takes effect at once; without scripts a button does it.
document.querySelector("form[data-sift]")?.addEventListener("change", (event) => event.currentTarget.requestSubmit());

if (document.getElementById("sites")) {
  const { startSites } = await import("../planning/sites.js");
  startSites();
}
keepDrafts();
walkLists();
if (document.getElementById("map")) {
  const { startMap } = await import("../planning/map.js");
  startMap();
}
