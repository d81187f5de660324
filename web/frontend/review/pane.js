// One of the two maps: a quiet base, the picture over it, what hides ground in it, and the shapes on top.
import { colours } from "../map/colours.js";
import { boundsOf } from "../map/map.js";
import { style } from "../map/style.js";
import { addSymbols } from "../map/symbols.js";
import { maplibregl } from "../maplibre.js";

const EMPTY = { type: "FeatureCollection", features: [] };
// Drawn over pictures, so in colours that no ground has, each with a dark rim.
const FOUND = "#ffb000";
const DRAWN = "#35e0ff";
const RIM = "#101418";
// Hatching is drawn for the eye at every scale; a picture has no more than its own pixels.
const DEEPEST = 23;
const ROUND = { "line-cap": "round", "line-join": "round" };
export const SHAPES = ["nearby", "neighbours", "outline", "alternative", "drawn", "pen", "clicks"];

const role = (...names) => ["in", ["get", "role"], ["literal", names]];
const line = (id, source, colour, width, more = {}) => [
  { id: `${id}-rim`, type: "line", source, layout: ROUND, paint: { "line-color": RIM, "line-opacity": 0.55, "line-width": width + 2.5 }, ...more.rim },
  { id, type: "line", source, layout: more.dash ? {} : ROUND, paint: { "line-color": colour, "line-width": width, ...(more.dash && { "line-dasharray": more.dash }) } },
];

function shapes(colour) {
  const label = { "text-color": "#ffffff", "text-halo-color": RIM, "text-halo-width": 1.6 };
  const text = { "text-font": ["sans-serif"], "text-size": 12 };
  return [
    { id: "nearby-fill", type: "fill", source: "nearby", filter: role("permit"), paint: { "fill-color": "#ffffff", "fill-opacity": 0.12 } },
    { id: "nearby-line", type: "line", source: "nearby", filter: role("permit", "zone", "finding"), paint: {
      "line-color": ["match", ["get", "role"], "permit", "#ffffff", "zone", colour("zone"), "#ffd98a"], "line-width": 1.8, "line-dasharray": [3, 2] } },
    { id: "neighbours-fill", type: "fill", source: "neighbours", paint: { "fill-color": FOUND, "fill-opacity": ["case", ["get", "picked"], 0.4, 0.06] } },
    ...line("neighbours", "neighbours", "#ffd98a", 1.8, { dash: [3, 2] }),
    ...line("outline", "outline", FOUND, 2.4),
    ...line("alternative", "alternative", "#ffffff", 1.8, { dash: [2, 2] }),
    { id: "drawn-fill", type: "fill", source: "drawn", paint: { "fill-color": DRAWN, "fill-opacity": 0.14 } },
    ...line("drawn", "drawn", DRAWN, 2.4),
    ...line("pen", "pen", DRAWN, 2.4),
    { id: "pen-points", type: "circle", source: "pen", filter: ["==", ["geometry-type"], "Point"], paint: { "circle-radius": 4.5, "circle-color": DRAWN, "circle-stroke-color": RIM, "circle-stroke-width": 1.5 } },
    { id: "clicks", type: "circle", source: "clicks", paint: {
      "circle-radius": 8, "circle-color": ["case", ["get", "inside"], "#009e73", "#d55e00"], "circle-stroke-color": "#ffffff", "circle-stroke-width": 2 } },
    { id: "clicks-sign", type: "symbol", source: "clicks", layout: { ...text, "text-size": 14, "text-field": ["case", ["get", "inside"], "+", "−"], "text-allow-overlap": true }, paint: { "text-color": "#ffffff" } },
    { id: "nearby-device", type: "symbol", source: "nearby", filter: role("device"), layout: { "icon-image": ["get", "icon"], "icon-allow-overlap": true, "icon-size": 0.9 } },
    { id: "nearby-name", type: "symbol", source: "nearby", layout: { ...text, "text-field": ["get", "name"], "text-max-width": 10, "text-variable-anchor": ["top", "bottom", "right"], "text-radial-offset": 1.2, "text-optional": true }, paint: label },
    { id: "neighbours-name", type: "symbol", source: "neighbours", layout: { ...text, "text-field": ["get", "name"], "text-max-width": 10 }, paint: label },
  ];
}

export class Pane {
  constructor(element, config, { controls }) {
    const colour = colours();
    const own = style(config, colour);
    const sources = Object.fromEntries(SHAPES.map((name) => [name, { type: "geojson", data: EMPTY }]));
    // Zones are drawn where they lie; the ground that they hide is hatched in the picture itself.
    const layers = own.layers.filter((layer) => layer.id !== "zone-fill");
    this.map = new maplibregl.Map({
      container: element,
      style: { version: 8, sources: { ...own.sources, ...sources }, layers: [...layers, ...shapes(colour)] },
      bounds: boundsOf(config.shape),
      fitBoundsOptions: { padding: 60, maxZoom: 16 },
      minZoom: 8,
      maxZoom: DEEPEST,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      boxZoom: false,
      doubleClickZoom: false,
      attributionControl: false,
      fadeDuration: 0,
      locale: { ...config.controls, "Map.Title": element.dataset.label },
      localIdeographFontFamily: "'PingFang SC', 'Noto Sans SC', 'Noto Sans CJK SC', 'Microsoft YaHei', sans-serif",
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.once("styledata", () => addSymbols(this.map, config.outlines ?? {}, colour));
    if (controls) {
      this.map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "bottom-right");
      this.map.addControl(new maplibregl.ScaleControl({ unit: "metric", maxWidth: 120 }), "bottom-left");
    }
    this.ready = new Promise((done) => this.map.once("load", done));
  }

  // The picture of a side in a combination of bands, and over it what hides ground.
  picture(side, combination, veiled) {
    const anchor = this.map.getLayer("zone-edge") ? "zone-edge" : "nearby-fill";
    for (const id of ["picture", "veil", "ground"]) {
      if (this.map.getLayer(id)) this.map.removeLayer(id);
      if (this.map.getSource(id)) this.map.removeSource(id);
    }
    const raster = (drawn, maxzoom) => ({
      type: "raster", tiles: [`${location.origin}${side.tiles}${drawn}/{z}/{x}/{y}.png?v=${side.mark}`],
      tileSize: 256, bounds: side.bounds, maxzoom, minzoom: Math.max(side.zoom - 10, 0),
    });
    const [west, south, east, north] = side.bounds;
    const ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
    this.map.addSource("ground", { type: "geojson", data: { type: "Polygon", coordinates: [ring] } });
    this.map.addLayer({ id: "ground", type: "fill", source: "ground", layout: { visibility: "none" }, paint: { "fill-pattern": "nothing" } }, anchor);
    // Only what is still empty when everything has arrived is ground without an image.
    this.map.once("idle", () => this.show("ground", true));
    this.map.addSource("picture", raster(combination, side.zoom));
    this.map.addLayer({ id: "picture", type: "raster", source: "picture", paint: { "raster-fade-duration": 0, "raster-resampling": "nearest" } }, anchor);
    if (!veiled) return;
    this.map.addSource("veil", raster("veil", DEEPEST));
    this.map.addLayer({ id: "veil", type: "raster", source: "veil", paint: { "raster-fade-duration": 0, "raster-resampling": "nearest" } }, anchor);
  }

  put(name, features) {
    this.map.getSource(name)?.setData({ type: "FeatureCollection", features });
  }

  show(name, visible) {
    for (const layer of this.map.getStyle().layers) {
      if (layer.source === name) this.map.setLayoutProperty(layer.id, "visibility", visible ? "visible" : "none");
    }
  }
}
