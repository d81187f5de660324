// A line of clicks with a rubber band to the pointer; the cut and the measure are both drawn with it.
import { areaM2, lengthM } from "../../map/geodesy.js";
import { areaWords, lengthWords, say } from "../words.js";

class Pen {
  constructor(desk, changed) {
    this.desk = desk;
    this.changed = changed;
  }

  start() {
    this.places = [];
    this.map = this.desk.stage.after.map;
    this.map.getCanvas().style.cursor = "crosshair";
    this.click = (event) => {
      this.places.push(event.lngLat.toArray());
      this.paint(null);
    };
    this.hover = (event) => this.paint(event.lngLat.toArray());
    this.map.on("click", this.click);
    this.map.on("mousemove", this.hover);
  }

  paint(pointer) {
    const along = pointer && this.places.length ? [...this.places, pointer] : this.places;
    const shapes = this.places.map((coordinates) => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates } }));
    if (along.length > 1) shapes.push({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: along } });
    this.desk.stage.put("pen", shapes);
    this.along = along;
    this.changed();
  }

  undo() {
    this.places.pop();
    this.paint(null);
    return true;
  }

  get steppedBack() {
    return !this.places.length;
  }

  stop() {
    this.map.off("click", this.click);
    this.map.off("mousemove", this.hover);
    this.map.getCanvas().style.cursor = "";
    this.desk.stage.put("pen", []);
  }
}

export class Cut extends Pen {
  name = "split";

  told() {
    return say("split");
  }

  get line() {
    return this.places.length > 1 ? { type: "LineString", coordinates: this.places } : null;
  }

  get reading() {
    return this.along?.length > 1 ? lengthWords(lengthM(this.along)) : "";
  }
}

export class Measure extends Pen {
  name = "measure";

  told() {
    return say("measure");
  }

  get reading() {
    if (!this.along || this.along.length < 2) return "";
    const length = lengthWords(lengthM(this.along));
    if (this.along.length < 3) return length;
    return `${length} · ${areaWords(areaM2({ coordinates: [[...this.along, this.along[0]]] }))}`;
  }
}
