// Puts the desk together: picture, tools, decision and queue, for the finding that is open and for the next one.
import { readConfig } from "../map/map.js";
import { draftOf, forget, keep, sweep } from "./drafts.js";
import { Editing, feature } from "./editing.js";
import { Decision } from "./form.js";
import { areaM2 } from "../map/geodesy.js";
import { Going } from "./go.js";
import { listen } from "./keys.js";
import { Nearby } from "./nearby.js";
import { Stage } from "./stage.js";
import { Looks } from "./looks.js";
import { areaWords, say, speak } from "./words.js";

class Desk {
  constructor() {
    this.going = new Going((kept) => this.arrive(kept));
    this.element = document.getElementById("map");
    document.addEventListener("click", (event) => this.follow(event));
    document.addEventListener("submit", (event) => this.post(event));
    document.addEventListener("change", (event) => this.changed(event));
    listen(this.actions());
    if (this.element) this.open();
  }

  open() {
    this.config = readConfig(this.element);
    speak(this.config.said);
    this.drawn = draftOf(this.config.id).shape ?? null;
    if (this.stage) this.stage.open(this.config);
    else {
      this.stage = new Stage(this.element, this.config);
      this.editing = new Editing(this);
      this.looks = new Looks(this);
      this.nearby = new Nearby(this);
    }
    this.decision = new Decision(this);
    this.stage.ready.then(() => {
      this.drawShape();
      this.nearby.show();
    });
    this.looks.show();
    this.element.dataset.finding = this.config.id;
    for (const each of document.querySelectorAll("#edit-tools [data-tool]")) each.disabled = !this.config.tools.includes(each.dataset.tool);
  }

  // After a step: `kept` is false where the server refused, null where it could not be reached.
  arrive(kept) {
    if (kept === null) {
      this.decision?.fail();
      return;
    }
    this.editing?.cancel();
    if (this.element) this.open();
    this.countPicked();
    document.querySelector("#queue [aria-current=true]")?.scrollIntoView({ block: "nearest" });
    const spoken = document.querySelector("#desk-head [role=alert]");
    spoken?.focus();
  }

  // -- the outline: the machine's, another one, or the officer's own, not yet recorded ------------------

  get shape() {
    return this.drawn ?? this.config.shape;
  }

  keepShape(shape) {
    this.drawn = shape;
    keep(this.config.id, { shape });
    this.drawShape();
    this.decision?.form && this.decision.sift();
  }

  drawShape() {
    this.stage.put("outline", [feature(this.config.shape)]);
    this.stage.put("alternative", this.config.alternatives.filter((one) => one.shown).map((one) => feature(one.shape)));
    this.stage.put("drawn", this.drawn ? [feature(this.drawn)] : []);
    const told = document.getElementById("own-outline");
    told.hidden = !this.drawn;
    if (this.drawn) told.querySelector("output").textContent = say("ownOutline", { area: areaWords(areaM2(this.drawn)), was: areaWords(this.config.area) });
  }

  // A decision that is an edit: recorded at once, with the reason that goes with it.
  async send(fields) {
    const code = { split: "several_things", merge: "one_thing", redraw: "outline" }[fields.decision];
    const body = new URLSearchParams({ version: this.config.version, code, reason: "", ...fields });
    const { id } = this.config;
    if (this.drawn && !fields.shape) body.set("shape", JSON.stringify(this.drawn));
    const recorded = await this.going.to(this.config.action, { body });
    if (recorded) forget(id);
    return recorded;
  }

  async saveOutline() {
    if (!this.drawn) return;
    keep(this.config.id, { shape: null });
    const drawn = this.drawn;
    if (!(await this.send({ decision: "redraw", shape: JSON.stringify(drawn) }))) this.keepShape(drawn);
  }

  // -- clicks and forms that need no new page --------------------------------------------------------------

  follow(event) {
    const act = event.target.closest("[data-act]")?.dataset.act;
    if (act) ({ keys: () => document.getElementById("keys").showModal(), drop: () => this.keepShape(null), save: () => this.saveOutline(), all: () => this.pick(true), none: () => this.pick(false), reject: () => this.decision.decide("reject"), confirm: () => this.decision.decide("confirm"), open: () => this.decision.decide("leave_open") })[act]?.();
    const use = event.target.closest("[data-use]")?.dataset.use;
    if (use) this.keepShape(this.config.alternatives[Number(use)].shape);
    const link = event.target.closest("a[data-go]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    this.going.to(link.href);
  }

  changed(event) {
    event.target.closest("[data-sift]")?.requestSubmit();
    if (event.target.matches(".pick")) this.countPicked();
    const { alternative, look } = event.target.dataset;
    if (look) this.looks.toggle(look);
    if (alternative === undefined) return;
    this.config.alternatives[Number(alternative)].shown = event.target.checked;
    this.drawShape();
  }

  post(event) {
    const form = event.target;
    if (event.defaultPrevented || !form.matches("[data-go]")) return;
    event.preventDefault();
    const fields = new URLSearchParams(new FormData(form, event.submitter));
    if (form.method === "get") this.going.to(`${form.getAttribute("action")}?${fields}`);
    else this.going.to(form.action, { body: fields });
  }

  // Findings that are selected for one decision on all of them.
  pick(on) {
    for (const each of document.querySelectorAll(".pick")) each.checked = on;
    this.countPicked();
  }

  turnPick() {
    const pick = document.querySelector("#queue a[aria-current=true]")?.parentElement.querySelector(".pick");
    if (!pick) return;
    pick.checked = !pick.checked;
    this.countPicked();
  }

  countPicked() {
    const told = document.querySelector("#several [data-part=picked]");
    if (told) told.textContent = document.querySelectorAll(".pick:checked").length;
  }

  step(by) {
    const links = [...document.querySelectorAll("#queue a[data-go]")];
    const at = links.findIndex((link) => link.getAttribute("aria-current") === "true");
    links[at < 0 ? 0 : at + by]?.click();
  }

  actions() {
    const press = (selector) => () => document.querySelector(selector)?.click();
    const tool = (name) => () => this.editing?.choose(name);
    return {
      j: () => this.step(1),
      k: () => this.step(-1),
      a: () => this.decision?.decide("confirm"),
      r: () => this.decision?.decide("reject"),
      u: () => this.decision?.decide("leave_open"),
      t: press("#take"),
      v: () => this.turnPick(),
      z: press("#undo button"),
      e: tool("redraw"),
      x: tool("split"),
      m: tool("merge"),
      g: tool("grow"),
      b: tool("everything"),
      d: tool("measure"),
      o: () => this.looks?.toggle("outline"),
      c: () => this.looks?.toggle("veil"),
      s: () => this.looks?.turnMode(),
      f: () => this.stage?.frame(),
      "?": () => document.getElementById("keys").showModal(),
      ...Object.fromEntries([1, 2, 3, 4].map((n) => [n, () => this.looks?.choose(n - 1)])),
      Enter: () => (this.editing?.active ? this.editing.done() : this.decision?.form && this.decision.chosen ? this.decision.submit() : false),
      Escape: () => this.editing?.cancel() ?? false,
      Backspace: () => (this.editing?.active ? this.editing.undo() : false),
      step: () => this.editing?.undo() ?? false,
    };
  }
}

export function start() {
  sweep();
  if (document.getElementById("desk")) new Desk();
}
