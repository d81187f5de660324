// The style: a quiet base, themes on top. Nothing here names another host; a base map from elsewhere comes by configuration.
import { ground, names, pictures } from "./base.js";
import { flat, silence, standing } from "./themes.js";

// Where single devices begin, groups of them end.
export const SINGLE_FROM = 12;
const GRID_FROM = 10;
const DATED = new Set(["clusters", "devices", "deployment_points", "patrol_areas", "patrol_routes", "privacy_zones"]);

// The address of the tiles of a source: its version, the day that is looked at, and whose devices alone.
export function tilesOf(name, config) {
  const query = new URLSearchParams({ v: config.version });
  if (config.on && DATED.has(name)) query.set("on", config.on);
  if (config.authority && name === "clusters") query.set("authority", config.authority);
  return [`${location.origin}/tiles/${name}/{z}/{x}/{y}.mvt?${query}`];
}

function source(name, config, grouped) {
  const span = {
    clusters: [0, SINGLE_FROM - 1], devices: [grouped ? SINGLE_FROM : 0, config.tileMaxZoom], coverage: [GRID_FROM, config.tileMaxZoom],
  };
  const [minzoom, maxzoom] = span[name] ?? [0, config.tileMaxZoom];
  return { type: "vector", tiles: tilesOf(name, config), minzoom, maxzoom, promoteId: "public_id" };
}

// Which layers of the style belong to a public layer: the legend shows and hides them together.
export const GROUPS = {
  devices: ["device-chosen", "device", "device-name", "cluster", "cluster-one"],
  deployment_points: ["point-chosen", "point"],
  patrol_routes: ["route-halo", "route", "route-soon", "route-arrow", "route-name"],
  patrol_areas: ["area-fill", "area-band", "area-edge", "area-edge-soon", "area-name"],
  privacy_zones: ["zone-fill", "zone-edge"],
};

// What a finger can hit, the smallest things first.
export const TOUCHABLE = ["device", "cluster-one", "cluster", "point", "route", "route-soon", "zone-fill", "area-fill"];

export function style(config, colour) {
  const asked = config.themes ?? [];
  // Single devices are to be had from near alone; from far every map that shows devices shows groups of them.
  const grouped = asked.includes("devices");
  const themes = grouped && !asked.includes("clusters") ? ["clusters", ...asked] : asked;
  const own = !config.basemap;
  const sources = Object.fromEntries(themes.map((name) => [name, source(name, config, grouped)]));
  if (own) sources.basemap = source("basemap", config, grouped);
  else if (config.basemap.source) sources.pictures = config.basemap.source;
  const [land, ...below] = own ? ground(colour) : pictures(colour);
  const quiet = silence(colour, { covers: own });
  const layers = [
    // Hatched ground lies below forests and water, which stay as calm as everywhere; pictures would hide it.
    ...(own ? [land, ...quiet, ...below] : [land, ...below, ...quiet]),
    ...flat(colour, config.lang, config.words ?? {}, config.silent),
    ...(own ? names(colour, config.lang) : []),
    ...standing(colour, config.lang, { devicesFrom: grouped ? SINGLE_FROM : 0 }),
  ].filter((layer) => !layer.source || sources[layer.source]);
  // A cell in a layer of groups is drawn up to where single devices begin, also between two zooms.
  for (const layer of layers) if (layer.source === "clusters") layer.maxzoom = SINGLE_FROM;
  return { version: 8, sources, layers };
}
