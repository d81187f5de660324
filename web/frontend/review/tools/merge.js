// Neighbours are picked on the map, or in the list beside it, and become one with this finding.
import { areaM2 } from "../../map/geodesy.js";
import { areaWords, say } from "../words.js";

export class Merge {
  name = "merge";

  constructor(desk, changed) {
    this.desk = desk;
    this.changed = changed;
  }

  start() {
    this.picked = [];
    this.panes = this.desk.stage.panes;
    this.click = (event) => {
      const map = event.target;
      const [hit] = map.queryRenderedFeatures(event.point, { layers: ["neighbours-fill"] });
      if (hit) this.pick(hit.properties.id);
    };
    for (const pane of this.panes) pane.map.on("click", this.click);
    this.paint();
  }

  pick(id) {
    this.picked = this.picked.includes(id) ? this.picked.filter((each) => each !== id) : [...this.picked, id];
    this.paint();
    this.changed();
  }

  paint() {
    const shown = this.desk.config.neighbours.map((one) => ({
      type: "Feature", geometry: one.shape, properties: { id: one.id, name: `${one.id}\n${one.area}`, picked: this.picked.includes(one.id) },
    }));
    this.desk.stage.put("neighbours", shown);
  }

  undo() {
    this.picked.pop();
    this.paint();
    this.changed();
    return true;
  }

  get steppedBack() {
    return !this.picked.length;
  }

  get others() {
    return this.picked.length ? this.picked : null;
  }

  get reading() {
    const chosen = this.desk.config.neighbours.filter((one) => this.picked.includes(one.id));
    const total = chosen.reduce((sum, one) => sum + areaM2(one.shape), areaM2(this.desk.config.shape));
    return this.picked.length ? say("together", { n: this.picked.length + 1, area: areaWords(total) }) : "";
  }

  told() {
    return say(this.desk.config.neighbours.length ? "merge" : "mergeNone");
  }

  stop() {
    for (const pane of this.panes) pane.map.off("click", this.click);
    this.desk.stage.put("neighbours", []);
  }
}
