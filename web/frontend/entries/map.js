// The public map: select here or in the list, the address in the URL holds both.
import { boundsOf, makeMap, maplibregl, readConfig } from "../map/map.js";
import { GROUPS, TOUCHABLE } from "../map/style.js";
import { htmx } from "./app.js";

const element = document.getElementById("map");
const config = readConfig(element);
const words = config.words;
// Whether the address names a view: the map writes one itself as soon as it stands.
const viewGiven = location.hash !== "";
const map = makeMap(element, { ...config, hash: "map" });
const narrow = matchMedia("(max-width: 860px)");

let popup = null;
let chosen = null;
let marker = null;

// -- selecting --------------------------------------------------------------------------------

const distinct = (features) => [...new Map(features.map((f) => [`${f.source}/${f.properties.public_id}`, f])).values()];
const pathOf = (feature) => `${config.paths[feature.source]}/${encodeURIComponent(feature.properties.public_id)}`;

function mark(source, id) {
  if (chosen) map.setFeatureState({ ...chosen, sourceLayer: chosen.source }, { chosen: false });
  chosen = id ? { source, id } : null;
  if (chosen) map.setFeatureState({ ...chosen, sourceLayer: source }, { chosen: true });
  for (const item of document.querySelectorAll("#in-view [data-id]")) {
    item.setAttribute("aria-current", String(item.dataset.id === id));
  }
}

// The last thing that was asked for is what is shown, whichever answer comes last.
let asked = 0;

function close() {
  asked += 1;
  const open = popup;
  popup = null;
  open?.remove();
}

function openAt(place, content) {
  close();
  popup = new maplibregl.Popup({ maxWidth: "380px", offset: 14, focusAfterOpen: false, closeOnClick: false })
    .setLngLat(place)
    .setDOMContent(content)
    .addTo(map);
  const opened = popup;
  popup.on("close", () => {
    mark(null, null);
    // Closed by the reader, not replaced by the next one.
    if (popup === opened) remember(null);
  });
  const head = content.querySelector("h1, h2");
  head?.setAttribute("tabindex", "-1");
  head?.focus({ preventScroll: true });
}

async function show(path, place, { push = true } = {}) {
  const content = document.createElement("div");
  asked += 1;
  const mine = asked;
  await htmx.ajax("GET", path, { target: content, select: "#card", swap: "innerHTML" });
  const card = content.querySelector("#card");
  if (!card || mine !== asked) return;
  const where = place ?? JSON.parse(card.dataset.place);
  openAt(where, content);
  mark(card.dataset.layer, card.dataset.id);
  if (push) remember(`${config.paths[card.dataset.layer].slice(1)}/${card.dataset.id}`);
  const shape = card.dataset.shape && JSON.parse(card.dataset.shape);
  if (!place && shape) map.fitBounds(boundsOf(shape), { padding: room(), maxZoom: 15.5, duration: 500 });
  else if (narrow.matches) map.easeTo({ center: where, duration: 300 });
}

// Room for the card below what is shown; on a phone the card is a sheet over the lower part.
const room = () => ({ top: 60, left: 60, right: 60, bottom: Math.min(360, map.getContainer().clientHeight / 2) });

function remember(selected) {
  const url = new URL(location.href);
  if (selected) url.searchParams.set("sel", selected);
  else url.searchParams.delete("sel");
  if (url.href !== location.href) history.pushState({}, "", url);
}

function choose(features, place) {
  const list = document.createElement("ul");
  list.className = "results";
  for (const feature of features) list.append(entry(feature, () => show(pathOf(feature), place)));
  const content = document.createElement("div");
  const head = document.createElement("h2");
  head.textContent = words.several.replace("{n}", features.length);
  content.append(head, list);
  openAt(place, content);
}

function entry(feature, onClick) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.dataset.id = feature.properties.public_id;
  button.append(picture(feature), text(feature));
  button.addEventListener("click", onClick);
  item.append(button);
  return item;
}

const SVG = "http://www.w3.org/2000/svg";
const MARKS = { pause: ["sym-mark", "M7.8 7v6M12.2 7v6"], stop: ["sym-mark", "M7 10h6"], off: ["sym-slash", "M5 15 15 5"] };

// The symbol of a feature as the legend draws it, in the look of its state.
function picture(feature) {
  const outline = config.outlines[feature.properties.kind];
  if (!outline) {
    return document.querySelector(`#legend [data-key="${feature.source}"] svg`).cloneNode(true);
  }
  const look = config.looks[feature.properties.state] ?? "off";
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 20 20");
  picture.setAttribute("aria-hidden", "true");
  picture.setAttribute("class", `sym sym-${look}`);
  for (const [name, line] of [["", outline], MARKS[look] ?? []]) {
    if (!line) continue;
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", line);
    path.setAttribute("class", name);
    picture.append(path);
  }
  return picture;
}

function text(feature) {
  const block = document.createElement("span");
  block.className = "what";
  const name = document.createElement("span");
  const p = feature.properties;
  name.textContent = feature.source === "devices" ? `${words.kinds[p.kind]} ${title(feature)}` : title(feature);
  const where = document.createElement("span");
  where.className = "where";
  const state = feature.source === "privacy_zones" ? "" : words.states[p.state] ?? "";
  const kind = feature.source === "privacy_zones" ? words.kinds[p.kind] : words.layers[feature.source];
  where.textContent = [feature.source === "devices" ? "" : kind, state].filter(Boolean).join(" · ");
  block.append(name, document.createElement("br"), where);
  return block;
}

map.on("click", (event) => {
  const around = [[event.point.x - 6, event.point.y - 6], [event.point.x + 6, event.point.y + 6]];
  const hit = distinct(map.queryRenderedFeatures(around, { layers: TOUCHABLE.filter((id) => map.getLayer(id)) }));
  const points = hit.filter((f) => config.outlines[f.properties.kind]);
  if (hit.length === 0 || (points.length === 0 && event.originalEvent.shiftKey)) ask(event.lngLat);
  else if (points.length === 1) show(pathOf(points[0]), event.lngLat);
  else if (hit.length === 1) show(pathOf(hit[0]), event.lngLat);
  else choose(hit, event.lngLat);
});
for (const id of TOUCHABLE) {
  map.on("mouseenter", id, () => (map.getCanvas().style.cursor = "pointer"));
  map.on("mouseleave", id, () => (map.getCanvas().style.cursor = ""));
}

// -- what watches this address ----------------------------------------------------------------

function ask(place) {
  const query = new URLSearchParams({ lon: place.lng.toFixed(6), lat: place.lat.toFixed(6) });
  close();
  htmx.ajax("GET", `/?${query}`, { target: "#answer", select: "#answer", swap: "outerHTML" }).then(() => {
    history.pushState({}, "", `/?${query}${location.hash}`);
  });
}

function pointAtAnswer({ move = true } = {}) {
  const answer = document.querySelector("#answer [data-lon]");
  marker?.remove();
  marker = null;
  if (!answer) return;
  const place = [Number(answer.dataset.lon), Number(answer.dataset.lat)];
  marker = new maplibregl.Marker({ color: getComputedStyle(document.documentElement).getPropertyValue("--accent").trim() })
    .setLngLat(place)
    .addTo(map);
  if (move) map.easeTo({ center: place, zoom: Math.max(map.getZoom(), 14), duration: 400 });
  if (narrow.matches) document.getElementById("answer").scrollIntoView({ block: "nearest" });
}
document.body.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "answer") pointAtAnswer();
});

// -- the legend shows and hides ---------------------------------------------------------------

const legend = document.getElementById("legend");

function applyLegend() {
  if (!map.isStyleLoaded() && !map.getLayer("device")) return;
  const kinds = [...legend.querySelectorAll("[name=kind]:checked")].map((box) => box.value);
  for (const [group, layers] of Object.entries(GROUPS)) {
    const box = legend.querySelector(`[name=layer][value=${group}]`);
    const shown = group === "devices" ? kinds.length > 0 : box?.checked ?? true;
    for (const id of layers) if (map.getLayer(id)) map.setLayoutProperty(id, "visibility", shown ? "visible" : "none");
  }
  for (const id of GROUPS.devices) if (map.getLayer(id)) map.setFilter(id, ["in", ["get", "kind"], ["literal", kinds]]);
}
legend.addEventListener("change", applyLegend);
map.on("load", applyLegend);

// -- the list of what is in view ----------------------------------------------------------------

const inView = document.getElementById("in-view");
const SHOWN = 12;
let listed = "";

function listView() {
  const found = distinct(map.queryRenderedFeatures({ layers: TOUCHABLE.filter((id) => map.getLayer(id)) }));
  const order = Object.keys(config.paths);
  found.sort((a, b) => order.indexOf(a.source) - order.indexOf(b.source) || byName(title(a), title(b)));
  // The same things in view leave the list alone: whoever reads or clicks there is not disturbed.
  const key = found.map((feature) => `${feature.properties.public_id}${feature.properties.state}`).join();
  if (key === listed) return;
  listed = key;
  document.getElementById("in-view-count").textContent = words.inView.replace("{n}", found.length);
  inView.replaceChildren(...found.slice(0, SHOWN).map((feature) => entry(feature, () => show(pathOf(feature)))));
  document.getElementById("in-view-more").hidden = found.length <= SHOWN;
  if (chosen) mark(chosen.source, chosen.id);
}
const title = (f) => f.properties[`title_${config.lang}`] ?? words.kinds[f.properties.kind] ?? f.properties.public_id;
const byName = new Intl.Collator(config.lang, { numeric: true }).compare;
map.on("idle", listView);

// -- the address bar ---------------------------------------------------------------------------

function fromUrl() {
  const selected = new URL(location.href).searchParams.get("sel") ?? "";
  const [branch, id] = selected.split("/");
  if (id && Object.values(config.paths).includes(`/${branch}`)) show(`/${branch}/${encodeURIComponent(id)}`, null, { push: false });
  else close();
}
addEventListener("popstate", fromUrl);
map.once("load", () => {
  pointAtAnswer({ move: !viewGiven });
  fromUrl();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") close();
});
