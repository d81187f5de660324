// The large picture: before and after as two maps that move as one, under a handle or side by side.
import { boundsOf } from "../map/map.js";
import { Pane, SHAPES } from "./pane.js";
import { Swipe } from "./swipe.js";

const LOOK = "review-look";
const MODES = ["swipe", "side", "after"];

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(LOOK)) ?? {};
  } catch {
    return {};
  }
}

export class Stage {
  constructor(element, config) {
    this.element = element;
    this.look = { mode: "swipe", combination: "true_colour", outline: true, veil: true, ...remembered() };
    this.after = new Pane(element.querySelector("[data-side=after]"), config, { controls: true });
    this.before = new Pane(element.querySelector("[data-side=before]"), config, { controls: false });
    this.panes = [this.after, this.before];
    this.swipe = new Swipe(element, element.querySelector("[role=slider]"), element.querySelector("[data-side=before]"));
    this.follow(this.after, this.before);
    this.follow(this.before, this.after);
    this.ready = Promise.all(this.panes.map((pane) => pane.ready)).then(() => this.open(config));
  }

  follow(leader, other) {
    leader.map.on("move", () => {
      if (this.moving) return;
      this.moving = true;
      other.map.jumpTo({ center: leader.map.getCenter(), zoom: leader.map.getZoom() });
      this.moving = false;
    });
  }

  // Shows a finding; what is looked at and how stays as the officer has set it.
  open(config) {
    this.config = config;
    for (const name of SHAPES) this.put(name, []);
    this.pair = Boolean(config.sides.before);
    this.arrange();
    this.paint();
    this.frame();
    this.turn("outline", this.look.outline);
  }

  // The find in the middle, with as much ground around it as it is large.
  frame() {
    const { width, height } = this.after.map.getContainer().getBoundingClientRect();
    const padding = Math.min(width, height) * 0.3;
    this.after.map.fitBounds(boundsOf(this.config.shape), { padding, maxZoom: this.config.sides.after.zoom + 3, duration: 0 });
  }

  arrange() {
    const mode = this.pair ? this.look.mode : "after";
    for (const each of MODES) this.element.classList.toggle(each, each === mode);
    this.swipe.turn(mode === "swipe");
    for (const pane of this.panes) pane.map.resize();
  }

  // Until all of the images have arrived it is said that they are on their way.
  paint() {
    this.element.removeAttribute("data-ready");
    for (const [pane, name] of [[this.after, "after"], [this.before, "before"]]) {
      const side = this.config.sides[name];
      if (!side) continue;
      const wanted = this.look.combination;
      pane.picture(side, side.combinations.includes(wanted) ? wanted : side.combinations[0], this.look.veil && side.veil);
    }
    const drawn = this.panes.filter((pane) => this.pair || pane === this.after);
    const idle = drawn.map((pane) => new Promise((done) => pane.map.once("idle", done)));
    Promise.all(idle).then(() => this.element.setAttribute("data-ready", ""));
  }

  set(part) {
    Object.assign(this.look, part);
    try {
      localStorage.setItem(LOOK, JSON.stringify(this.look));
    } catch {
      // The look is then that of the next page again.
    }
    if ("mode" in part) {
      this.arrange();
      this.frame();
    }
    if ("combination" in part || "veil" in part) this.paint();
    if ("outline" in part) this.turn("outline", part.outline);
  }

  turn(name, visible) {
    for (const pane of this.panes) pane.show(name, visible);
  }

  put(name, features) {
    for (const pane of this.panes) pane.put(name, features);
  }
}
