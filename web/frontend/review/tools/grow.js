// Click inside a thing, shift and click outside of it, and the server grows its outline from that.
import { say } from "../words.js";

export class Grow {
  name = "grow";

  constructor(desk, changed) {
    this.desk = desk;
    this.changed = changed;
  }

  start() {
    this.clicks = [];
    this.shape = null;
    this.fault = "";
    this.outside = false;
    this.map = this.desk.stage.after.map;
    this.map.getCanvas().style.cursor = "crosshair";
    this.click = (event) => {
      const [lon, lat] = event.lngLat.toArray();
      const inside = !(this.outside || event.originalEvent.shiftKey);
      this.clicks.push({ lon, lat, inside });
      this.ask();
    };
    this.map.on("click", this.click);
  }

  // A finger has no shift key: the same key again, or its button, says that clicks mean outside.
  again() {
    this.outside = !this.outside;
    this.changed();
  }

  async ask() {
    this.desk.stage.put("clicks", this.clicks.map(({ lon, lat, inside }) => ({ type: "Feature", properties: { inside }, geometry: { type: "Point", coordinates: [lon, lat] } })));
    this.asked?.abort();
    this.fault = "";
    this.shape = this.clicks.length ? this.shape : null;
    const mine = (this.asked = new AbortController());
    this.busy = this.clicks.length > 0;
    this.changed();
    if (!this.busy) return;
    try {
      const answer = await fetch(`/review/${this.desk.config.id}/grow`, {
        method: "POST", signal: mine.signal, body: JSON.stringify({ clicks: this.clicks }),
        headers: { "Content-Type": "application/json", Accept: "application/json" },
      });
      const told = await answer.json();
      this.shape = answer.ok ? told.shape : null;
      this.method = told.method;
      this.fault = answer.ok ? "" : (told.refusals ?? []).map((refusal) => `${refusal.message} ${refusal.fix}`).join(" ") || say("offline");
    } catch (error) {
      if (error.name === "AbortError") return;
      this.fault = say("offline");
    }
    this.busy = false;
    this.changed();
  }

  undo() {
    this.clicks.pop();
    this.ask();
    return true;
  }

  get steppedBack() {
    return !this.clicks.length;
  }

  told() {
    if (this.fault) return this.fault;
    if (this.busy) return say("growing");
    return say(this.outside ? "growOutside" : "grow");
  }

  stop() {
    this.asked?.abort();
    this.map.off("click", this.click);
    this.map.getCanvas().style.cursor = "";
    this.desk.stage.put("clicks", []);
  }
}
