// One tool at a time: what it asks for, what it measures, a step back, and what becomes of its result.
import { areaM2 } from "../map/geodesy.js";
import { Everything } from "./tools/everything.js";
import { Grow } from "./tools/grow.js";
import { Merge } from "./tools/merge.js";
import { Cut, Measure } from "./tools/pen.js";
import { Redraw } from "./tools/redraw.js";
import { areaWords, say } from "./words.js";

const TOOLS = { redraw: Redraw, split: Cut, merge: Merge, grow: Grow, everything: Everything, measure: Measure };

export class Editing {
  constructor(desk) {
    this.desk = desk;
    this.bar = document.getElementById("edit-bar");
    this.buttons = document.getElementById("edit-tools");
    this.part = (name) => this.bar.querySelector(`[data-part=${name}]`);
    this.buttons.addEventListener("click", (event) => {
      const wanted = event.target.closest("[data-tool]");
      if (wanted) this.choose(wanted.dataset.tool);
    });
    this.bar.addEventListener("click", (event) => {
      const wanted = event.target.closest("[data-part]")?.dataset.part;
      const act = { again: () => this.tool.again(), undo: () => this.undo(), cancel: () => this.cancel(), done: () => this.done() }[wanted];
      act?.();
    });
  }

  get active() {
    return Boolean(this.tool);
  }

  // The same tool again does what it has a second way for; another one takes its place.
  choose(name) {
    const button = this.buttons.querySelector(`[data-tool=${name}]`);
    if (!button || button.disabled) return;
    if (this.tool?.name === name) {
      this.tool.again?.();
      return;
    }
    this.cancel();
    this.tool = new TOOLS[name](this.desk, () => this.tell());
    this.desk.stage.element.classList.add("editing");
    this.bar.hidden = false;
    this.bar.dataset.tool = name;
    for (const each of this.buttons.querySelectorAll("[data-tool]")) each.setAttribute("aria-pressed", String(each === button));
    this.tool.start(this.desk.shape);
    this.tell();
  }

  tell() {
    const tool = this.tool;
    if (!tool) return;
    this.part("say").textContent = tool.told();
    const again = this.part("again");
    again.hidden = !tool.again;
    again.textContent = say(`${tool.name}Again`);
    again.setAttribute("aria-pressed", String(Boolean(tool.outside)));
    this.part("done").textContent = say(`${tool.name}Done`);
    this.part("done").disabled = tool.name !== "measure" && !(tool.shape || tool.line || tool.others);
    this.part("undo").disabled = tool.steppedBack;
    this.part("reading").textContent = tool.shape ? this.compared(tool.shape) : (tool.reading ?? "");
    if (tool.shape && tool.name === "grow") this.desk.stage.put("drawn", [feature(tool.shape)]);
    if (tool.name === "grow" && !tool.shape) this.desk.stage.put("drawn", []);
    // The other map shows what is being drawn on this one.
    if (tool.name === "redraw") this.desk.stage.before.put("drawn", tool.shape ? [feature(tool.shape)] : []);
  }

  // The area of what is drawn, and how it differs from what the machine found.
  compared(shape) {
    const area = areaM2(shape);
    const change = Math.round((area / this.desk.config.area - 1) * 100);
    const differs = change ? `${change > 0 ? "+" : "−"}${Math.abs(change)} %` : say("same");
    return `${areaWords(area)} · ${differs}`;
  }

  undo() {
    return this.tool ? this.tool.undo() : false;
  }

  cancel() {
    if (!this.tool) return false;
    const tool = this.tool;
    this.tool = null;
    tool.stop();
    this.bar.hidden = true;
    this.desk.stage.element.classList.remove("editing");
    for (const each of this.buttons.querySelectorAll("[data-tool]")) each.setAttribute("aria-pressed", "false");
    this.desk.drawShape();
    return true;
  }

  done() {
    const { name, shape, line, others } = this.tool;
    if (name !== "measure" && !(shape || line || others)) return;
    this.cancel();
    if (shape) this.desk.keepShape(shape);
    if (line) this.desk.send({ decision: "split", line: JSON.stringify(line) });
    if (others) this.desk.send({ decision: "merge", others: others.join(",") });
  }
}

export function feature(geometry, properties = {}) {
  return { type: "Feature", properties, geometry };
}
