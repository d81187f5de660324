// What if a device stood elsewhere, looked elsewhere, stood higher, were gone or were there: asked of the server at once.
import { distanceM, headingDeg } from "./ways.js";
import { drawDevices, drawViews, fetchDevices, sectorOf, startFinding } from "./devices.js";
import { EMPTY, still, toMap } from "./map.js";

const FIELDS = { azimuth: "azimuth_deg", hfov: "hfov_deg", range: "range_m", mast: "mast_m", lon: "lon", lat: "lat" };
const OPTIONAL = new Set(["azimuth_deg", "hfov_deg"]);
const WAIT_MS = 120;
const SLOW_MS = 300;
const byId = (id) => document.getElementById(id);

export async function startWhatIf(map, element, config) {
  const words = config.said;
  const state = byId("devices-state");
  state.textContent = words.loading;
  let devices;
  try {
    devices = await fetchDevices(config.devicesUrl);
  } catch (error) {
    state.textContent = words.failed.replace("{why}", error.message);
    return;
  }
  state.textContent = words.loaded.replace("{n}", [...devices.values()].filter((each) => !each.fixed).length.toLocaleString());
  new Trial(map, element, config, devices).start();
  element.setAttribute("data-devices", String(devices.size));
}

class Trial {
  constructor(map, element, config, devices) {
    Object.assign(this, { map, element, config, devices, words: config.said });
    // What is changed, by its key, in the order of the changes; the last is the one that is shown.
    this.changes = new Map();
    this.chosen = null;
    this.answer = null;
    this.asking = false;
    this.again = false;
    this.made = 0;
  }

  start() {
    const { map } = this;
    this.draw();
    map.on("moveend", () => drawViews(map, this.devices, this.hidden()));
    map.on("style.load", () => {
      this.drawnFor = null;
      this.draw();
    });
    startFinding(byId("find-device"), byId("found-devices"), this.devices, (key) => {
      this.choose(key, { fly: true });
      byId("wi-range").focus();
    }, this.words);
    byId("add-device").addEventListener("click", () => this.add());
    byId("wi-remove").addEventListener("click", () => this.change({ gone: true }));
    byId("wi-undo").addEventListener("click", () => this.undo());
    byId("wi-drop").addEventListener("click", () => this.drop());
    byId("device-fields").addEventListener("input", (event) => this.typed(event.target));
    byId("keep-changes").addEventListener("submit", (event) => {
      event.currentTarget.elements.changes.value = JSON.stringify([...this.changes.values()]);
      this.sent = true;
    });
    addEventListener("beforeunload", (event) => {
      if (this.changes.size && !this.sent) event.preventDefault();
    });
    for (const layer of ["device-symbol", "device-dot", "changed-point"]) {
      map.on("click", layer, (event) => this.choose(event.features[0].properties.key));
      map.on("mouseenter", layer, () => (map.getCanvas().style.cursor = "pointer"));
      map.on("mouseleave", layer, () => (map.getCanvas().style.cursor = ""));
    }
    this.drags("changed-point", (at) => this.change({ lon: at.lng, lat: at.lat }));
    this.drags("handle-grip", (at) => this.turn(at));
    const named = decodeURIComponent(location.hash.match(/^#device-(.+)$/)?.[1] ?? "");
    if (this.devices.has(named)) this.choose(named, { fly: true });
  }

  hidden() {
    return new Set(this.chosen ? [...this.changes.keys(), this.chosen] : this.changes.keys());
  }

  // A device as it would be: as it is, with what was changed of it.
  wanted(key) {
    return { ...this.devices.get(key), ...this.changes.get(key) };
  }

  choose(key, { fly = false } = {}) {
    const found = this.wanted(key);
    if (found.fixed) {
      byId("devices-state").textContent = this.words.fixed.replace("{label}", found.label);
      return;
    }
    this.chosen = key;
    this.answerShape = null;
    if (fly) {
      this.map.easeTo({ center: [found.lon, found.lat], zoom: Math.max(this.map.getZoom(), 15), animate: !still });
      toMap(this.element);
    }
    history.replaceState(null, "", `#device-${encodeURIComponent(key)}`);
    this.fill();
    this.draw();
  }

  fill() {
    const found = this.wanted(this.chosen);
    byId("device-fields").hidden = false;
    byId("device-name").textContent = /^(own|new)-/.test(found.key) || !found.label ? found.label || found.key : `${found.label} · ${found.key}`;
    for (const [id, name] of Object.entries(FIELDS)) {
      const field = byId(`wi-${id}`);
      if (field !== document.activeElement) field.value = found[name] ?? "";
    }
    byId("wi-fault").textContent = "";
  }

  typed(field) {
    const name = FIELDS[field.id.replace("wi-", "")];
    if (!name || (field.value === "" && !OPTIONAL.has(name))) return;
    this.change({ [name]: field.value === "" ? null : Number(field.value) });
  }

  add() {
    const { lng, lat } = this.map.getCenter();
    this.made += 1;
    const key = `new-${this.made}`;
    const label = this.words.added.replace("{n}", this.made);
    this.devices.set(key, { key, label, kind: "video", status: "planned", lon: lng, lat, azimuth_deg: 0, hfov_deg: 90, range_m: 200, mast_m: 6, isNew: true });
    this.choose(key);
    this.change({});
    byId("wi-azimuth").focus();
    toMap(this.element);
  }

  change(part) {
    if (!this.chosen) return;
    const { key, label, kind, lon, lat, azimuth_deg, hfov_deg, range_m, mast_m } = this.wanted(this.chosen);
    const told = { key, label, device_type: kind, lon, lat, azimuth_deg, hfov_deg, range_m, mast_m, gone: false, ...part };
    for (const name of ["lon", "lat"]) told[name] = Number(told[name].toFixed(6));
    // A view that is no full turn looks somewhere.
    if (told.hfov_deg !== null && told.hfov_deg < 360 && told.azimuth_deg === null) told.azimuth_deg = 0;
    this.changes.delete(key);
    this.changes.set(key, told);
    this.fill();
    this.draw();
    this.ask();
  }

  turn(at) {
    const found = this.wanted(this.chosen);
    const place = [found.lon, found.lat];
    const range = Math.max(5, Math.round(distanceM(place, [at.lng, at.lat]) / 5) * 5);
    const narrow = found.hfov_deg !== null && found.hfov_deg < 360;
    this.change({ range_m: range, ...(narrow ? { azimuth_deg: Math.round(headingDeg(place, [at.lng, at.lat])) % 360 } : {}) });
  }

  undo() {
    const key = this.chosen;
    this.changes.delete(key);
    if (this.devices.get(key)?.isNew) {
      this.devices.delete(key);
      this.chosen = null;
      byId("device-fields").hidden = true;
    } else this.fill();
    this.answerShape = null;
    this.draw();
    this.ask();
  }

  drop() {
    for (const [key, each] of this.devices) if (each.isNew) this.devices.delete(key);
    this.changes.clear();
    this.chosen = null;
    this.answerShape = null;
    byId("device-fields").hidden = true;
    this.draw();
    this.ask();
    byId("find-device").focus();
  }

  // One question at a time: while it is on its way the latest wish alone waits, and no other is ever asked.
  async ask() {
    byId("wi-answer").hidden = !this.changes.size;
    if (this.asking || !this.changes.size) {
      this.again = this.asking && this.changes.size > 0;
      return;
    }
    this.asking = true;
    const began = performance.now();
    // An answer that takes long is on its way, and what stands there meanwhile is that of the wish before.
    const slow = setTimeout(() => this.waits(true), SLOW_MS);
    const wishes = [...this.changes.values()];
    try {
      const answer = await fetch(this.config.whatIfUrl, {
        method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify({ changes: wishes }),
      });
      const said = await answer.json();
      if (!this.isMeant(wishes, performance.now() - began)) this.again = this.changes.size > 0;
      else if (answer.ok) this.tell(said, wishes.at(-1).key);
      else byId("wi-fault").textContent = (said.refusals ?? []).map((each) => `${each.message} ${each.fix}`).join(" ");
    } catch {
      byId("wi-fault").textContent = this.words.unreachable;
    }
    clearTimeout(slow);
    this.asking = false;
    const { again } = this;
    this.again = false;
    this.waits(again && this.isLong);
    if (again) this.ask();
  }

  // Whether what is answered is what is wished; while a hand drags, also where the same device was a moment ago.
  isMeant(wishes, tookMs) {
    const now = [...this.changes.values()];
    const last = wishes.length - 1;
    const isOnItsWay = (each, n) => n === last && tookMs < SLOW_MS && each.key === now[n].key && each.gone === now[n].gone;
    return now.length === wishes.length && wishes.every((each, n) => each === now[n] || isOnItsWay(each, n));
  }

  waits(isLong) {
    this.isLong = isLong;
    const time = byId("wi-time");
    byId("wi-answer").setAttribute("aria-busy", String(isLong));
    if (isLong) time.textContent = this.words.computing;
    else if (time.textContent === this.words.computing) time.textContent = "";
  }

  tell(said, key) {
    byId("wi-fault").textContent = "";
    // Whoever listens hears the answer when the hand rests, and not each step of the way.
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => (byId("wi-lead").textContent = said.lead), WAIT_MS);
    byId("wi-rows").replaceChildren(...said.rows.map(([told, change]) => row(told, change)));
    byId("wi-time").textContent = [said.note, said.took].filter(Boolean).join(" ");
    const names = [...this.changes.values()].map((each) => (each.gone ? this.words.gone.replace("{label}", each.label || each.key) : each.label || each.key));
    byId("wi-list").textContent = this.words.changes.replace("{n}", names.length).replace("{names}", names.join(", "));
    this.answerShape = { key, footprint: said.footprint, was: said.was };
    this.element.setAttribute("data-answered", String((Number(this.element.dataset.answered) || 0) + 1));
    this.draw();
  }

  draw() {
    const { map } = this;
    const hidden = this.hidden();
    // Ten thousand others stay as they are while one is dragged over the map.
    const drawnFor = JSON.stringify([this.devices.size, ...hidden]);
    if (this.drawnFor !== drawnFor) {
      this.drawnFor = drawnFor;
      drawDevices(map, this.devices, hidden);
      drawViews(map, this.devices, hidden);
    }
    const features = [];
    for (const key of hidden) features.push(...this.drawn(key));
    map.getSource("changed")?.setData({ type: "FeatureCollection", features });
    for (const key of hidden) map.setFeatureState({ source: "changed", id: key }, { chosen: key === this.chosen });
    map.getSource("handle")?.setData(this.chosen && !this.changes.get(this.chosen)?.gone ? this.handle() : EMPTY);
  }

  drawn(key) {
    const found = this.wanted(key);
    const answered = this.answerShape?.key === key ? this.answerShape : {};
    const part = (name, geometry) => ({ type: "Feature", properties: { key, part: name }, geometry });
    const before = this.devices.get(key);
    const made = [part("place", { type: "Point", coordinates: [found.lon, found.lat] })];
    // What it would see over hills comes with the answer; until then, what it would see on flat ground.
    if (!found.gone) made.push(part("view", sectorOf(found)), part("sees", answered.footprint ?? sectorOf(found)));
    if (!before.isNew && this.changes.has(key)) made.push(part("was", answered.was ?? sectorOf(before)));
    return made;
  }

  handle() {
    const found = this.wanted(this.chosen);
    const ring = sectorOf({ ...found, hfov_deg: 2, azimuth_deg: found.azimuth_deg ?? 0 }).coordinates[0];
    const [from, tip] = [ring[0], ring[Math.floor(ring.length / 2)]];
    return {
      type: "FeatureCollection",
      features: [
        { type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: [from, tip] } },
        { type: "Feature", properties: {}, geometry: { type: "Point", coordinates: tip } },
      ],
    };
  }

  // Both a mouse and a finger drag; the map stays where it is meanwhile.
  drags(layer, act) {
    const { map } = this;
    const move = (event) => act(event.lngLat);
    const begin = (event) => {
      if (event.points?.length > 1) return;
      event.preventDefault();
      const { key } = event.features[0].properties;
      if (key && key !== this.chosen) this.choose(key);
      map.on("mousemove", move);
      map.on("touchmove", move);
      const end = () => {
        map.off("mousemove", move);
        map.off("touchmove", move);
      };
      map.once("mouseup", end);
      map.once("touchend", end);
    };
    map.on("mousedown", layer, begin);
    map.on("touchstart", layer, begin);
    map.on("mouseenter", layer, () => (map.getCanvas().style.cursor = "grab"));
    map.on("mouseleave", layer, () => (map.getCanvas().style.cursor = ""));
  }
}

function row(told, change) {
  const made = document.createElement("tr");
  const [head, cell] = [document.createElement("th"), document.createElement("td")];
  head.scope = "row";
  head.textContent = told;
  cell.className = "num nowrap";
  cell.textContent = change;
  made.append(head, cell);
  return made;
}
