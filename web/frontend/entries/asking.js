// The pages on which citizens speak: what is typed is kept while the tab is open, and places are drawn.
import { keepWhatIsTyped } from "../asking/keep.js";
import "./app.js";

for (const each of document.querySelectorAll(".only-script")) each.hidden = false;
document.getElementById("summary")?.focus();
keepWhatIsTyped();
if (document.getElementById("map")) {
  const { startPlace } = await import("../asking/place.js");
  startPlace();
}
