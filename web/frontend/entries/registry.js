// The registry's desk: drafts are kept, what cannot be taken back is asked twice, list and map are one thing.
import { keepDrafts } from "../registry/drafts.js";
import { walkLists } from "../keys.js";
import { showPlaces } from "../registry/places.js";
import "./app.js";

keepDrafts();
walkLists();
showPlaces();

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button?.dataset.twice === undefined || button.dataset.asked) return;
  event.preventDefault();
  button.dataset.asked = "1";
  button.textContent = button.dataset.twice;
}, true);

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
