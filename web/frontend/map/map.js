// One map of the platform: our style, our symbols, our controls.
import { maplibregl } from "../maplibre.js";
import { colours, onSchemeChange } from "./colours.js";
import { style } from "./style.js";
import { addPatterns, drawMissing } from "./symbols.js";

export function readConfig(element) {
  return JSON.parse(element.dataset.config);
}

// Makes the map in `element` from its data-config; `extra(colour)` gives further sources and layers of a page.
export function makeMap(element, config, extra = () => ({ sources: {}, layers: [] })) {
  // The pictures of a base map from elsewhere come when what reads them is there; the themes do not wait for it.
  if (config.basemap && !config.basemap.source) withPictures(config, () => again());
  const whole = () => {
    const colour = colours();
    const own = style(config, colour);
    const more = extra(colour);
    return { ...own, sources: { ...own.sources, ...more.sources }, layers: [...own.layers, ...more.layers] };
  };
  // With a style go the symbols that were drawn for it.
  const again = () => {
    map.skyDrawn = false;
    map.setStyle(whole(), { diff: false });
  };
  const canvas = document.createElement("div");
  canvas.className = "canvas";
  element.append(canvas);
  const map = new maplibregl.Map({
    container: canvas,
    style: whole(),
    bounds: config.bounds,
    fitBoundsOptions: { padding: config.padding ?? 32 },
    hash: config.hash ?? false,
    // Whoever wants no motion sees what is drawn at once.
    ...(matchMedia("(prefers-reduced-motion: reduce)").matches ? { fadeDuration: 0 } : {}),
    minZoom: 8,
    maxZoom: 19,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    attributionControl: config.basemap ? { compact: false } : false,
    cooperativeGestures: config.cooperative ?? false,
    canvasContextAttributes: { preserveDrawingBuffer: config.forPrint ?? false },
    locale: config.controls ?? {},
    // Text is drawn from the fonts of the reader's own machine: no glyph is ever fetched.
    localIdeographFontFamily: "'PingFang SC', 'Noto Sans SC', 'Noto Sans CJK SC', 'Microsoft YaHei', sans-serif",
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new maplibregl.ScaleControl({ unit: "metric", maxWidth: 120 }), "bottom-left");
  map.on("styledata", () => addPatternsOnce(map));
  map.setMissingStyleImageResolver((id) => drawMissing(map, id, config.outlines ?? {}, colours()));
  // On a phone the key would cover the map that it explains.
  if (matchMedia("(max-width: 860px)").matches) element.querySelector(".map-key")?.removeAttribute("open");
  showWhenWhole(map, element);
  onSchemeChange(again);
  return map;
}

// The first picture of the server goes when everything behind it is drawn, or when the reader moves the map before that.
function showWhenWhole(map, element) {
  const still = element.querySelector(".still");
  map.once("idle", () => {
    element.setAttribute("data-ready", "");
    still?.remove();
  });
  map.on("movestart", ({ originalEvent }) => originalEvent && still?.remove());
}

async function withPictures(config, draw) {
  const { basemapSource } = await import("./basemap.js");
  config.basemap = { ...config.basemap, source: await basemapSource(config.basemap) };
  draw();
}

function addPatternsOnce(map) {
  if (map.skyDrawn) return;
  map.skyDrawn = true;
  addPatterns(map, colours());
}

export function boundsOf(geometry) {
  const box = new maplibregl.LngLatBounds();
  const walk = (value) => (typeof value[0] === "number" ? box.extend(value) : value.forEach(walk));
  walk(geometry.coordinates);
  return box;
}

export { maplibregl };
