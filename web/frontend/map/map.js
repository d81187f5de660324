// One map of the platform: our style, our symbols, our controls.
import { maplibregl } from "../maplibre.js";
import { colours, onSchemeChange } from "./colours.js";
import { style } from "./style.js";
import { addSymbols } from "./symbols.js";

export function readConfig(element) {
  return JSON.parse(element.dataset.config);
}

// Makes the map in `element` from its data-config; `extra(colour)` gives further sources and layers of a page.
export function makeMap(element, config, extra = () => ({ sources: {}, layers: [] })) {
  const whole = () => {
    const colour = colours();
    const own = style(config, colour);
    const more = extra(colour);
    return { ...own, sources: { ...own.sources, ...more.sources }, layers: [...own.layers, ...more.layers] };
  };
  const canvas = document.createElement("div");
  canvas.className = "canvas";
  element.append(canvas);
  const map = new maplibregl.Map({
    container: canvas,
    style: whole(),
    bounds: config.bounds,
    fitBoundsOptions: { padding: 32 },
    hash: config.hash ?? false,
    minZoom: 8,
    maxZoom: 19,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    attributionControl: false,
    cooperativeGestures: config.cooperative ?? false,
    locale: config.controls ?? {},
    // Text is drawn from the fonts of the reader's own machine: no glyph is ever fetched.
    localIdeographFontFamily: "'PingFang SC', 'Noto Sans SC', 'Noto Sans CJK SC', 'Microsoft YaHei', sans-serif",
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new maplibregl.ScaleControl({ unit: "metric", maxWidth: 120 }), "bottom-left");
  map.on("styledata", () => addSymbolsOnce(map, config));
  // On a phone the key would cover the map that it explains.
  if (matchMedia("(max-width: 860px)").matches) element.querySelector(".map-key")?.removeAttribute("open");
  map.once("idle", () => element.setAttribute("data-ready", ""));
  onSchemeChange(() => {
    map.skyDrawn = false;
    map.setStyle(whole(), { diff: false });
  });
  return map;
}

function addSymbolsOnce(map, config) {
  if (map.skyDrawn) return;
  map.skyDrawn = true;
  addSymbols(map, config.outlines ?? {}, colours());
}

export function boundsOf(geometry) {
  const box = new maplibregl.LngLatBounds();
  const walk = (value) => (typeof value[0] === "number" ? box.extend(value) : value.forEach(walk));
  walk(geometry.coordinates);
  return box;
}

export { maplibregl };
