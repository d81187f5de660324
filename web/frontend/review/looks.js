// What is shown of the picture: the combination of bands, one date over the other, the outline, what was not looked at.
const MODES = ["swipe", "side", "after"];

export class Looks {
  constructor(desk) {
    this.desk = desk;
    this.bar = document.getElementById("looks");
    this.bar.addEventListener("click", (event) => {
      const { combination, mode } = event.target.closest("button")?.dataset ?? {};
      if (combination) desk.stage.set({ combination });
      if (mode) desk.stage.set({ mode });
      this.show();
    });
  }

  show() {
    const { look, pair } = this.desk.stage;
    const offered = this.desk.config.sides.after.combinations;
    const shown = offered.includes(look.combination) ? look.combination : offered[0];
    for (const button of this.bar.querySelectorAll("[data-combination]")) {
      const at = offered.indexOf(button.dataset.combination);
      button.hidden = at < 0;
      button.querySelector("kbd").textContent = at + 1;
      button.setAttribute("aria-pressed", String(button.dataset.combination === shown));
    }
    for (const button of this.bar.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === look.mode));
    for (const tick of document.querySelectorAll("input[data-look]")) tick.checked = look[tick.dataset.look];
    this.bar.querySelector("[data-part=modes]").hidden = !this.desk.config.sides.before || pair === false;
    document.getElementById("look-veil").hidden = !this.desk.config.veil;
    this.bar.querySelector("[data-part=bands]").hidden = offered.length < 2;
    this.bar.hidden = [...this.bar.children].every((group) => group.hidden);
  }

  toggle(name) {
    this.desk.stage.set({ [name]: !this.desk.stage.look[name] });
    this.show();
  }

  choose(at) {
    const combination = this.desk.config.sides.after.combinations[at];
    if (combination) this.desk.stage.set({ combination });
    this.show();
  }

  turnMode() {
    const { mode } = this.desk.stage.look;
    this.desk.stage.set({ mode: MODES[(MODES.indexOf(mode) + 1) % MODES.length] });
    this.show();
  }
}
