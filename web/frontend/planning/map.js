// The map of a draft: what stands, what is near, what a rule refuses; sites and areas are drawn on it.
import { boundsOf, makeMap, maplibregl, readConfig } from "../map/map.js";
import { addSite, field, fieldsets } from "./fieldsets.js";
import { sector } from "./sector.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const element = document.getElementById("map");
let config;
let map;

const chosen = ["boolean", ["feature-state", "chosen"], false];
const added = () => config.draw === "sites" && Boolean(config.sites);
const geojson = (data, more = {}) => ({ type: "geojson", data: data ?? EMPTY, ...more });

function layers(colour) {
  const fill = (id, source, name, opacity) => ({ id, type: "fill", source, paint: { "fill-color": colour(name), "fill-opacity": opacity } });
  const line = (id, source, name, width, dash) => ({
    id, type: "line", source, paint: { "line-color": colour(name), "line-width": width, ...(dash ? { "line-dasharray": dash } : {}) },
  });
  return {
    sources: {
      protected: geojson(config.protected), seen: geojson(config.seen), near: geojson(config.near), views: geojson(config.views),
      area: geojson(config.area), sites: geojson(config.sites, { promoteId: "label" }), places: geojson(config.places, { promoteId: "index" }),
      drawn: geojson(drawn()),
    },
    layers: [
      fill("protected-fill", "protected", "state-on", 0.12),
      line("protected-edge", "protected", "state-on", 1.5, [4, 2]),
      fill("seen-fill", "seen", "patrol", 0.08),
      line("seen-edge", "seen", "patrol", 1),
      fill("view-fill", "views", "accent", 0.2),
      line("view-edge", "views", "accent", 1.5),
      fill("area-fill-own", "area", "accent", 0.12),
      line("area-edge-own", "area", "ink", 2),
      { id: "area-point", type: "circle", source: "area", filter: ["==", ["geometry-type"], "Point"], paint: circle(colour, "accent", 9) },
      { id: "near-point", type: "circle", source: "near", paint: circle(colour, "patrol", 5) },
      { id: "site-point", type: "circle", source: "sites", paint: { ...circle(colour, "accent", 12), "circle-stroke-color": ["case", chosen, colour("ink"), colour("surface")], "circle-stroke-width": ["case", chosen, 4, 2] } },
      label("site-label", "sites", colour),
      fill("drawn-fill", "drawn", "accent", 0.2),
      { id: "drawn-point", type: "circle", source: "drawn", filter: ["==", ["geometry-type"], "Point"], paint: circle(colour, added() ? "state-soon" : "accent", 12) },
      // What is added to sites that stand is told from them.
      label("drawn-label", "drawn", colour, added() ? "#1a1d20" : null),
      { ...fill("place-fill", "places", "state-stop", 0.3), filter: ["==", ["geometry-type"], "Polygon"] },
      { ...line("place-line", "places", "state-stop", 3), filter: ["!=", ["geometry-type"], "Point"] },
      { id: "place-point", type: "circle", source: "places", filter: ["==", ["geometry-type"], "Point"], paint: { ...circle(colour, "state-stop", 15), "circle-opacity": 0, "circle-stroke-color": colour("state-stop"), "circle-stroke-width": 4 } },
    ],
  };
}

const circle = (colour, name, radius) => ({
  "circle-radius": radius, "circle-color": colour(name), "circle-stroke-color": colour("surface"), "circle-stroke-width": 2,
});

function label(id, source, colour, ink = null) {
  return {
    id, type: "symbol", source, filter: ["all", ["==", ["geometry-type"], "Point"], ["has", "label"]],
    layout: { "text-field": ["get", "label"], "text-size": 13, "text-font": ["Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "sans-serif"], "text-allow-overlap": true },
    paint: { "text-color": ink ?? colour("accent-ink") },
  };
}

// -- what the form says, on the map -------------------------------------------------------------------

const number = (input) => (input?.value.trim() ? Number(input.value) : NaN);

// The places that are typed: of each fieldset of a plan, or of the one device or point of the page.
function typed() {
  if (config.draw === "sites") return fieldsets().map((each) => ({ name: each.dataset.site, get: (part) => field(each.dataset.site, part) }));
  if (config.draw === "point") return [{ name: "", get: (part) => document.getElementById(part) }];
  return [];
}

function drawn() {
  const features = [];
  for (const { name, get } of typed()) {
    const at = [number(get("lon")), number(get("lat"))];
    if (at.some(Number.isNaN) || Math.abs(at[0]) > 180 || Math.abs(at[1]) > 90) continue;
    const [azimuth, width, range] = ["sector_azimuth_deg", "hfov_deg", "range_m"].map((part) => number(get(part)));
    if (azimuth >= 0 && width > 0 && range > 0) features.push({ type: "Feature", properties: {}, geometry: sector(at, azimuth, width, range) });
    const order = config.draw === "sites" ? String(fieldsets().findIndex((each) => each.dataset.site === name) + 1) : "";
    features.push({ type: "Feature", properties: { label: order, name }, geometry: { type: "Point", coordinates: at } });
  }
  return { type: "FeatureCollection", features };
}

const show = () => map.getSource("drawn")?.setData(drawn());

// A click places what has no place yet; where all have one, another site, or the same device elsewhere.
function place({ lng, lat }) {
  const free = typed().find(({ get }) => !get("lon").value && !get("lat").value);
  let get = free?.get ?? typed()[0]?.get;
  if (!free && config.draw === "sites") {
    const made = addSite();
    get = (part) => field(made, part);
  }
  get("lon").value = lng.toFixed(6);
  get("lat").value = lat.toFixed(6);
  get("lon").dispatchEvent(new Event("input", { bubbles: true }));
  if (config.draw === "sites") get("place_text").focus({ preventScroll: true });
  get("lon").closest("fieldset, form").scrollIntoView({ block: "nearest" });
}

// A place that was drawn is moved by dragging it.
function drag(folded) {
  let held = null;
  const move = (event) => {
    held("lon").value = event.lngLat.lng.toFixed(6);
    held("lat").value = event.lngLat.lat.toFixed(6);
    show();
  };
  const begin = (event) => {
    if (folded()) return;
    event.preventDefault();
    const name = event.features[0].properties.name;
    held = typed().find((each) => each.name === name).get;
    map.on("mousemove", move);
    map.on("touchmove", move);
    const end = () => {
      map.off("mousemove", move);
      map.off("touchmove", move);
      held("lon").dispatchEvent(new Event("input", { bubbles: true }));
    };
    map.once("mouseup", end);
    map.once("touchend", end);
  };
  map.on("mousedown", "drawn-point", begin);
  map.on("touchstart", "drawn-point", begin);
}

// -- map and list are one thing -----------------------------------------------------------------------

function select(name, { move = true } = {}) {
  for (const each of config.sites?.features ?? []) {
    const same = each.properties.label === name;
    map.setFeatureState({ source: "sites", id: each.properties.label }, { chosen: same });
    if (same && move) map.easeTo({ center: each.geometry.coordinates, zoom: Math.max(map.getZoom(), 15), animate: !still });
  }
  for (const item of document.querySelectorAll("[data-site][id^='site-']")) {
    const same = item.dataset.site === name;
    if (same) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
    if (same && !move) item.scrollIntoView({ block: "nearest" });
  }
  history.replaceState(null, "", `#site-${name}`);
}

function toMap() {
  if (matchMedia("(max-width: 860px)").matches) element.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "center" });
}

function listen() {
  document.addEventListener("click", (event) => {
    const site = event.target.closest("[data-show-site]");
    if (site) {
      select(site.dataset.showSite);
      toMap();
    }
    const fault = event.target.closest("[data-show]");
    const found = fault && config.places?.features.find((each) => each.properties.index === Number(fault.dataset.show));
    if (found) {
      map.fitBounds(boundsOf(found.geometry), { padding: 120, maxZoom: 17, animate: !still });
      toMap();
    }
  });
  map.on("click", "site-point", (event) => select(event.features[0].properties.label, { move: false }));
  for (const layer of ["near-point", "protected-fill"]) map.on("click", layer, (event) => tell(event));
  for (const layer of ["near-point", "site-point"]) {
    map.on("mouseenter", layer, () => (map.getCanvas().style.cursor = "pointer"));
    map.on("mouseleave", layer, () => (map.getCanvas().style.cursor = ""));
  }
}

function tell(event) {
  const { id, name } = event.features[0].properties;
  if (config.draw || map.queryRenderedFeatures(event.point, { layers: ["site-point"] }).length) return;
  const said = document.createElement("p");
  said.textContent = [name, id].filter(Boolean).join(" · ");
  new maplibregl.Popup().setLngLat(event.lngLat).setDOMContent(said).addTo(map);
}

function fit() {
  const box = new maplibregl.LngLatBounds();
  for (const each of [...drawn().features, ...(config.places?.features ?? [])]) box.extend(boundsOf(each.geometry));
  if (!box.isEmpty()) map.fitBounds(box, { padding: 80, maxZoom: 15, animate: false });
}

export async function startMap() {
  config = readConfig(element);
  map = makeMap(element, config, layers);
  listen();
  const form = document.querySelector(config.draw === "area" ? "#shape" : "#sites, #lon")?.closest("form");
  if ((config.draw === "sites" || config.draw === "point") && form) {
    // Nobody changes a form that is folded away.
    const folded = () => Boolean(form.closest("details:not([open])"));
    map.getCanvas().style.cursor = folded() ? "" : "crosshair";
    map.on("click", (event) => {
      if (!folded() && !map.queryRenderedFeatures(event.point, { layers: ["drawn-point", "site-point"] }).length) place(event.lngLat);
    });
    form.addEventListener("input", show);
    form.addEventListener("click", () => setTimeout(show));
    drag(folded);
    map.once("load", () => {
      show();
      fit();
    });
  }
  if (config.draw === "area" && form) {
    const { startShape } = await import("./shape.js");
    map.once("load", () => startShape(map, form, config));
  }
  map.once("load", () => {
    const named = location.hash.match(/^#site-(\w+)$/)?.[1];
    if (named && config.sites) select(named);
    element.dataset.drawable = config.draw ?? "";
  });
}
