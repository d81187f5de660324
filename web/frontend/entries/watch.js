// One flight on the map: live while it flies, and at any moment of it under a slider.
import { boundsOf, makeMap, readConfig } from "../map/map.js";
import { sentence } from "../flight/happened.js";
import { IDENTITY_LOOK, identityPanel } from "../flight/identity.js";
import { drawRibbon } from "../flight/ribbon.js";
import { addAircraft, clock, LOOK, segments } from "../flight/track.js";
import "./app.js";

const element = document.getElementById("map");
const config = readConfig(element);
const { flight, said, track } = config;
const gaps = [];
const slider = document.getElementById("time");
const liveButton = document.getElementById("live");
const playButton = document.getElementById("play");
// What is shown: the newest position, or the one that the slider points at.
let following = flight.live;
let latest = null;
let playing = null;

const shape = (geometry) => ({ type: "Feature", geometry, properties: {} });
const collection = (features) => ({ type: "FeatureCollection", features });

const map = makeMap(element, config, (colour) => ({
  sources: {
    corridor: { type: "geojson", data: shape(flight.corridor) },
    published: { type: "geojson", data: shape(flight.route) },
    flown: { type: "geojson", data: collection(segments(track, gaps)) },
    craft: { type: "geojson", data: collection([]) },
    home: { type: "geojson", data: shape({ type: "Point", coordinates: flight.home }) },
  },
  layers: [
    { id: "corridor", type: "fill", source: "corridor", paint: { "fill-color": colour("accent"), "fill-opacity": 0.12 } },
    { id: "corridor-edge", type: "line", source: "corridor", paint: { "line-color": colour("accent"), "line-width": 1, "line-dasharray": [3, 2] } },
    { id: "published", type: "line", source: "published", paint: { "line-color": colour("ink"), "line-width": 1.6 } },
    { id: "flown", type: "line", source: "flown", filter: ["==", ["get", "gap"], false], layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-width": ["case", ["get", "on"], 3, 4.5], "line-color": ["case", ["get", "on"], colour("state-on"), colour("state-stop")] } },
    { id: "gaps", type: "line", source: "flown", filter: ["==", ["get", "gap"], true], paint: { "line-width": 2, "line-color": colour("patrol"), "line-dasharray": [1, 1.6] } },
    { id: "home", type: "circle", source: "home", paint: { "circle-radius": 5, "circle-color": colour("surface"), "circle-stroke-color": colour("ink"), "circle-stroke-width": 2 } },
    { id: "craft", type: "symbol", source: "craft", layout: { "icon-image": ["get", "icon"], "icon-rotate": ["get", "heading"], "icon-rotation-alignment": "map", "icon-allow-overlap": true, "icon-ignore-placement": true } },
  ],
}));
map.on("styledata", () => addAircraft(map));
map.fitBounds(boundsOf(flight.corridor), { padding: 48, duration: 0 });

// -- the gauges -------------------------------------------------------------------------------

const gauges = Object.fromEntries([...document.querySelectorAll("[data-gauge]")].map((node) => [node.dataset.gauge, node]));
const metres = (value) => (value == null ? "–" : `${value.toFixed(Math.abs(value) < 100 ? 1 : 0)} m`);

// The answer first: while it flies, the headline says whether it keeps to its route.
const headline = document.getElementById("headline");

const identity = identityPanel(document.getElementById("remote-id"), said.remote_id, config.identities, config.lang);

function say(state) {
  const words = said.conformance[state];
  const text = `${headline.dataset.name}: ${words}`;
  if (flight.live && following && words && headline.textContent !== text) headline.textContent = text;
}

function tell(name, text, look) {
  const node = gauges[name];
  if (node.textContent !== text) node.textContent = text;
  if (look) node.className = `state ${look}`;
}

const at = (index) => Object.fromEntries(Object.entries(track).map(([name, column]) => [name, column[index]]));

function showPosition(now) {
  tell("state", said.conformance[now.state] ?? "–", LOOK[now.state] ?? "off");
  say(now.state);
  const share = now.along_m == null ? "" : ` (${Math.min(100, (now.along_m / flight.length_m) * 100).toFixed(0)} %)`;
  tell("along", `${metres(now.along_m)}${share}`);
  tell("cross", metres(now.cross_m));
  tell("alt", metres(now.alt_m));
  tell("speed", now.speed_m_s == null ? "–" : `${now.speed_m_s.toFixed(1)} m/s`);
  tell("battery", now.battery_pct == null ? "–" : `${now.battery_pct} %`);
  const icon = LOOK[now.state] === "stop" ? "craft-stop" : "craft-on";
  const place = { type: "Feature", geometry: { type: "Point", coordinates: [now.lon, now.lat] }, properties: { icon, heading: now.heading_deg ?? 0 } };
  map.getSource("craft")?.setData(collection([place]));
  document.getElementById("clock").textContent = clock(now.t, config.lang);
}

function showAge() {
  identity.age(flight.live && following);
  if (!flight.live || !following) return tell("age", said.over, "off");
  if (latest == null) return tell("age", said.never, "off");
  const age = Math.max(0, (Date.now() - latest) / 1000);
  const look = age < 2 ? "on" : age < 5 ? "soon" : "stop";
  return tell("age", (age < 5 ? said.fresh : said.silent).replace("{n}", age.toFixed(0)), look);
}

function drawTrack() {
  map.getSource("flown")?.setData(collection(segments(track, gaps)));
  drawRibbon(document.getElementById("ribbon"), track, flight.tolerance_m, gaps);
}

// -- the slider ---------------------------------------------------------------------------------

function follow(on) {
  following = on;
  liveButton?.setAttribute("aria-pressed", String(on));
  if (on) stop();
}

function show(index) {
  if (index < 0 || index >= track.t.length) return;
  slider.value = String(index);
  showPosition(at(index));
  showIdentity(track.t[index]);
  showAge();
}

function showIdentity(t) {
  const now = flight.live && following;
  identity.show(now ? null : t);
  identity.age(now);
}

function refresh() {
  slider.max = String(Math.max(track.t.length - 1, 0));
  slider.disabled = playButton.disabled = track.t.length === 0;
  drawTrack();
  if (following || slider.value === "0") show(track.t.length - 1);
}

slider.addEventListener("input", () => {
  follow(false);
  stop();
  show(Number(slider.value));
});
liveButton?.addEventListener("click", () => {
  follow(true);
  show(track.t.length - 1);
});

function stop() {
  clearInterval(playing);
  playing = null;
  playButton.setAttribute("aria-pressed", "false");
}

playButton.addEventListener("click", () => {
  if (playing) return stop();
  follow(false);
  playButton.setAttribute("aria-pressed", "true");
  let index = Number(slider.value) >= track.t.length - 1 ? 0 : Number(slider.value);
  let clockMs = track.t[index];
  // Ten seconds of the flight in one.
  playing = setInterval(() => {
    clockMs += 1000;
    while (index < track.t.length - 1 && track.t[index + 1] <= clockMs) index += 1;
    show(index);
    if (index >= track.t.length - 1) stop();
  }, 100);
  return undefined;
});

// -- what happened --------------------------------------------------------------------------------

const log = document.getElementById("log");

function record(event) {
  if (event.kind === "gap") gaps.push({ from: Date.parse(event.body.from), until: Date.parse(event.body.until) });
  const item = document.createElement("li");
  const when = document.createElement("time");
  when.textContent = clock(event.t, config.lang);
  const kind = document.createElement("span");
  kind.className = "tag";
  kind.textContent = said.kinds[event.kind] ?? event.kind;
  item.append(when, kind, ` ${sentence(event, said, config.lang)}`);
  if (event.kind === "conformance") item.dataset.look = LOOK[event.body.state] ?? "off";
  if (event.kind === "remote_id") item.dataset.look = IDENTITY_LOOK[event.body.state] ?? "off";
  log.prepend(item);
  document.getElementById("log-empty").hidden = true;
}

function takePosition({ t, body }) {
  latest = Date.now();
  const row = {
    t, lon: body.lon, lat: body.lat, alt_m: body.alt_agl_m ?? body.alt_rel_home_m, state: body.state ?? null,
    along_m: body.along_m ?? null, cross_m: body.cross_track_m ?? body.lateral_m ?? null,
    heading_deg: body.heading_deg ?? null, speed_m_s: body.speed_m_s ?? null, battery_pct: body.battery_pct ?? null,
  };
  for (const [name, column] of Object.entries(track)) column.push(row[name]);
  if (body.item != null) tell("item", `${body.item} / ${body.items ?? "–"}`);
  refresh();
}

// Where it says it is comes every few seconds; only what has changed is for the list.
function takeIdentity(event) {
  identity.take(event, true);
  if (event.body.changed) record(event);
  if (following) showIdentity(null);
}

function listen() {
  const source = new EventSource(`/pilot/flight/${flight.id}/events?since=${config.last}`);
  source.addEventListener("position", (event) => takePosition(JSON.parse(event.data)));
  for (const kind of Object.keys(said.kinds).filter((name) => name !== "position")) {
    source.addEventListener(kind, (message) => {
      const event = JSON.parse(message.data);
      if (kind === "remote_id") takeIdentity(event);
      else record(event);
      if (kind === "gap") drawTrack();
      if (kind === "step" && event.body.step === "ended") {
        source.close();
        flight.live = false;
        location.reload();
      }
    });
  }
}

for (const event of config.events) record(event);
if (track.t.length) latest = track.t[track.t.length - 1];
showIdentity(null);
map.once("load", refresh);
refresh();
setInterval(showAge, 500);
if (flight.live) listen();

// What cannot be taken back is asked twice.
document.getElementById("orders")?.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button?.dataset.twice === undefined) return;
  if (!confirm(said.sure.replace("{order}", button.textContent))) event.preventDefault();
});

addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " ") playButton.click();
  else if (event.key === "l") liveButton?.click();
  else return;
  event.preventDefault();
});
