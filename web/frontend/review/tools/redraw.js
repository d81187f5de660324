// Corners are dragged, added between two and removed; or the outline is drawn anew.
import { TerraDraw, TerraDrawPolygonMode, TerraDrawSelectMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";
import { areaM2 } from "../../map/geodesy.js";
import { say } from "../words.js";

// About a millimetre on the ground: finer than any picture, and what the drawing library takes.
const DIGITS = 8;
const STYLE = { fillColor: "#35e0ff", outlineColor: "#35e0ff", fillOpacity: 0.12, outlineWidth: 2.5, closingPointColor: "#35e0ff", closingPointWidth: 5 };
const POINTS = { selectionPointColor: "#ffffff", selectionPointOutlineColor: "#101418", selectionPointWidth: 6, selectionPointOutlineWidth: 2,
  midPointColor: "#35e0ff", midPointOutlineColor: "#101418", midPointWidth: 4, midPointOutlineWidth: 1.5,
  selectedPolygonColor: "#35e0ff", selectedPolygonFillOpacity: 0.12, selectedPolygonOutlineColor: "#35e0ff", selectedPolygonOutlineWidth: 2.5 };
const CORNERS = { feature: { draggable: false, coordinates: { midpoints: true, draggable: true, deletable: true } } };

const rounded = (ring) => ring.map((place) => place.map((value) => Number(value.toFixed(DIGITS))));

export class Redraw {
  name = "redraw";

  constructor(desk, changed) {
    this.desk = desk;
    this.changed = changed;
  }

  start(shape) {
    this.desk.stage.put("drawn", []);
    this.draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map: this.desk.stage.after.map, coordinatePrecision: DIGITS + 1 }),
      modes: [
        new TerraDrawPolygonMode({ modeName: "outline", styles: STYLE }),
        new TerraDrawPolygonMode({ modeName: "hole", styles: { ...STYLE, fillOpacity: 0.02 } }),
        new TerraDrawSelectMode({ flags: { outline: CORNERS, hole: CORNERS }, styles: POINTS }),
      ],
    });
    this.draw.start();
    this.draw.on("finish", (_id, context) => {
      if (context.action === "draw") this.load(this.read());
      this.steps.push(this.read());
      this.changed();
    });
    this.draw.on("change", (_ids, kind) => {
      if (kind === "delete" && this.draw.getMode() === "select" && this.read()) this.steps.push(this.read());
      this.changed();
    });
    this.steps = [shape];
    this.load(shape);
  }

  // Puts an outline on the map with its corners ready to be dragged.
  load(shape) {
    const rings = shape.coordinates.map((ring, index) => ({
      type: "Feature", properties: { mode: index ? "hole" : "outline" }, geometry: { type: "Polygon", coordinates: [rounded(ring)] },
    }));
    this.draw.clear();
    const [added] = this.draw.addFeatures(rings);
    this.draw.setMode("select");
    if (added?.valid) this.draw.selectFeature(added.id);
  }

  // The same key again starts with an empty map.
  again() {
    this.draw.clear();
    this.draw.setMode("outline");
    this.changed();
  }

  read() {
    const drawn = this.draw.getSnapshot().filter((feature) => feature.geometry.type === "Polygon");
    const of = (mode) => drawn.filter((feature) => feature.properties.mode === mode).map((feature) => feature.geometry.coordinates[0]);
    const outline = of("outline").at(-1);
    return outline ? { type: "Polygon", coordinates: [outline, ...of("hole")] } : null;
  }

  undo() {
    const anew = this.draw.getMode() === "outline";
    if (!anew && this.steps.length > 1) this.steps.pop();
    this.load(this.steps.at(-1));
    this.changed();
    return true;
  }

  get steppedBack() {
    return this.steps.length < 2 && this.draw.getMode() === "select";
  }

  told() {
    return say(this.draw.getMode() === "outline" ? "drawAnew" : "redraw");
  }

  get shape() {
    const shape = this.read();
    return shape && areaM2(shape) > 0 ? shape : null;
  }

  stop() {
    this.draw.stop();
  }
}
