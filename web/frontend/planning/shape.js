// An area is drawn on the map or typed as corners: both are one thing.
import { TerraDraw, TerraDrawPolygonMode, TerraDrawSelectMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";
import { colours } from "../map/colours.js";
import { boundsOf } from "../map/map.js";

const round = ([lon, lat]) => [Number(lon.toFixed(6)), Number(lat.toFixed(6))];

// The rings that are typed, the holes after the outline; null where a line is no place.
function rings(text) {
  const found = [];
  let ring = null;
  for (const line of text.split("\n").map((each) => each.trim())) {
    if (!line) {
      ring = null;
      continue;
    }
    const corner = line.split(/[\s,;，；]+/).filter(Boolean).map(Number);
    if (corner.length !== 2 || corner.some(Number.isNaN)) return null;
    if (!ring) found.push((ring = []));
    ring.push(round(corner));
  }
  return found.filter((each) => each.length > 2);
}

export function startShape(map, form, config) {
  const text = form.elements.namedItem("shape");
  const tools = document.getElementById("tools");
  let draw = null;
  let holes = [];

  const start = () => {
    draw?.stop();
    const colour = colours();
    const styles = { fillColor: colour("accent"), outlineColor: colour("accent"), fillOpacity: 0.12, outlineWidth: 2 };
    const corners = { feature: { draggable: true, coordinates: { midpoints: true, draggable: true, deletable: true } } };
    draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: 7 }),
      modes: [new TerraDrawPolygonMode({ modeName: "area", styles }), new TerraDrawSelectMode({ flags: { area: corners } })],
    });
    draw.start();
    draw.on("finish", (id, context) => {
      if (context.action === "draw") {
        const others = draw.getSnapshot().filter((each) => each.id !== id && each.properties.mode === "area");
        draw.removeFeatures(others.map((each) => each.id));
        holes = [];
      }
      write();
      if (context.action === "draw") choose("select");
    });
    put();
    choose(text.value.trim() ? "select" : "area");
  };

  const write = () => {
    const area = draw.getSnapshot().filter((each) => each.properties.mode === "area").at(-1);
    if (!area) return;
    const all = [area.geometry.coordinates[0].slice(0, -1), ...holes];
    text.value = all.map((ring) => ring.map((corner) => round(corner).join(", ")).join("\n")).join("\n\n");
    text.closest("details")?.setAttribute("open", "");
    text.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const put = () => {
    draw.clear();
    const found = rings(text.value);
    if (!found?.length) return;
    // Holes are typed: the pen draws the outline.
    holes = found.slice(1);
    const coordinates = [[...found[0], found[0][0]]];
    draw.addFeatures([{ type: "Feature", properties: { mode: "area" }, geometry: { type: "Polygon", coordinates } }]);
  };

  const choose = (mode) => {
    draw.setMode(mode);
    for (const button of tools.querySelectorAll("[aria-pressed]")) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  };

  tools.addEventListener("click", (event) => {
    const mode = event.target.closest("[data-mode]")?.dataset.mode;
    if (mode === "clear") {
      text.value = "";
      holes = [];
      text.dispatchEvent(new Event("input", { bubbles: true }));
      put();
      choose("area");
    } else if (mode) choose(mode);
  });
  text.addEventListener("input", (event) => {
    if (event.isTrusted) put();
  });
  start();
  map.on("style.load", start);
  tools.hidden = false;
  const found = rings(text.value);
  if (found?.length && !config.area) map.fitBounds(boundsOf({ coordinates: found }), { padding: 80, maxZoom: 15, animate: false });
}
