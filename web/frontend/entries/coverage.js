// One study of coverage: its map, its largest gaps, and what a change of one device would do.
import "./app.js";
import { startMap } from "../coverage/map.js";

for (const each of document.querySelectorAll(".only-script")) each.hidden = false;
document.getElementById("summary")?.focus();
startMap(document.getElementById("map"));
