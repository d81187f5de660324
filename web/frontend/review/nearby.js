// Permits, devices and earlier finds around the finding: on the map and in the list, each showing the other.
import { boundsOf } from "../map/map.js";
import { feature } from "./editing.js";

export class Nearby {
  constructor(desk) {
    this.desk = desk;
    document.addEventListener("click", (event) => {
      const at = event.target.closest("[data-near]")?.dataset.near;
      const one = at !== undefined && this.desk.config.nearby[Number(at)];
      if (!one) return;
      const { map } = this.desk.stage.after;
      const box = boundsOf(one.shape);
      for (const corner of [boundsOf(this.desk.config.shape).getSouthWest(), boundsOf(this.desk.config.shape).getNorthEast()]) box.extend(corner);
      map.fitBounds(box, { padding: 60, maxZoom: this.desk.config.sides.after.zoom + 1, duration: 0 });
    });
  }

  show() {
    const shown = this.desk.config.nearby.filter((one) => one.shape);
    this.desk.stage.put("nearby", shown.map((one) => feature(one.shape, { role: one.role, name: one.name, icon: one.icon ?? "" })));
  }
}
