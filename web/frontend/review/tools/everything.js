// Drag a box, and SAM draws all that it sees inside; a click picks one of its outlines.
import { areaWords, say } from "../words.js";

// A pointer that moved less than this has clicked.
const CLICK_PX = 5;

export class Everything {
  name = "everything";

  constructor(desk, changed) {
    this.desk = desk;
    this.changed = changed;
  }

  start() {
    this.clear();
    this.map = this.desk.stage.after.map;
    this.map.dragPan.disable();
    this.map.getCanvas().style.cursor = "crosshair";
    this.on = {
      mousedown: (event) => (this.from = event),
      mousemove: (event) => this.from && this.paintBox(event),
      mouseup: (event) => this.drop(event),
    };
    this.on.touchstart = (event) => event.points.length === 1 && this.on.mousedown(event);
    this.on.touchmove = this.on.mousemove;
    this.on.touchend = this.on.mouseup;
    for (const [name, act] of Object.entries(this.on)) this.map.on(name, act);
  }

  clear() {
    this.from = null;
    this.found = [];
    this.shape = null;
    this.box = null;
    this.fault = "";
  }

  drop(event) {
    const from = this.from;
    this.from = null;
    if (!from) return;
    if (Math.hypot(event.point.x - from.point.x, event.point.y - from.point.y) < CLICK_PX) this.pick(event);
    else this.ask(bounds(from.lngLat, event.lngLat));
  }

  async ask(box) {
    this.asked?.abort();
    this.clear();
    this.box = box;
    const mine = (this.asked = new AbortController());
    this.busy = true;
    this.paint();
    try {
      const answer = await fetch(`/review/${this.desk.config.id}/everything`, {
        method: "POST", signal: mine.signal, body: JSON.stringify({ box }),
        headers: { "Content-Type": "application/json", Accept: "application/json" },
      });
      const told = await answer.json();
      this.found = answer.ok ? told.outlines : [];
      this.fault = answer.ok ? "" : (told.refusals ?? []).map((refusal) => `${refusal.message} ${refusal.fix}`).join(" ") || say("offline");
    } catch (error) {
      if (error.name === "AbortError") return;
      this.fault = say("offline");
    }
    this.busy = false;
    this.paint();
  }

  // Of outlines that lie in each other, the smallest one under the pointer is meant.
  pick(event) {
    const hit = this.map.queryRenderedFeatures(event.point, { layers: ["neighbours-fill"] });
    const under = hit.map((one) => this.found[one.properties.id]).filter(Boolean);
    this.shape = under.sort((one, other) => one.area_m2 - other.area_m2)[0]?.shape ?? this.shape;
    this.paint();
  }

  paintBox(event) {
    const box = bounds(this.from.lngLat, event.lngLat);
    this.desk.stage.put("pen", [{ type: "Feature", properties: {}, geometry: outlineOf(box) }]);
  }

  paint() {
    this.desk.stage.put("pen", this.box ? [{ type: "Feature", properties: {}, geometry: outlineOf(this.box) }] : []);
    this.desk.stage.put("neighbours", this.found.map((one, id) => ({
      type: "Feature", geometry: one.shape, properties: { id, name: areaWords(one.area_m2), picked: one.shape === this.shape },
    })));
    this.desk.stage.put("drawn", this.shape ? [{ type: "Feature", properties: {}, geometry: this.shape }] : []);
    this.changed();
  }

  undo() {
    if (this.shape) this.shape = null;
    else {
      this.asked?.abort();
      this.busy = false;
      this.clear();
    }
    this.paint();
    return true;
  }

  get steppedBack() {
    return !this.box;
  }

  told() {
    if (this.fault) return this.fault;
    if (this.busy) return say("everythingBusy");
    if (!this.box) return say("everything");
    return this.found.length ? say("everythingPick", { n: this.found.length }) : say("everythingNone");
  }

  stop() {
    this.asked?.abort();
    for (const [name, act] of Object.entries(this.on)) this.map.off(name, act);
    this.map.dragPan.enable();
    this.map.getCanvas().style.cursor = "";
    for (const name of ["pen", "neighbours"]) this.desk.stage.put(name, []);
  }
}

function bounds(one, other) {
  return [Math.min(one.lng, other.lng), Math.min(one.lat, other.lat), Math.max(one.lng, other.lng), Math.max(one.lat, other.lat)];
}

function outlineOf([west, south, east, north]) {
  return { type: "LineString", coordinates: [[west, south], [east, south], [east, north], [west, north], [west, south]] };
}
