// The decision: which one, why, and whether it is recorded; what is typed is kept until it is.
import { draftOf, forget, keep } from "./drafts.js";
import { say } from "./words.js";

export class Decision {
  constructor(desk) {
    this.desk = desk;
    this.form = document.getElementById("decision");
    if (!this.form) return;
    this.reason = this.form.elements.namedItem("reason");
    this.reasons = [...this.form.querySelectorAll("[data-for]")];
    const draft = draftOf(desk.config.id);
    if (draft.reason && !this.reason.value) this.reason.value = draft.reason;
    if (draft.decision) this.check("decision", draft.decision);
    this.sift();
    if (draft.code) this.check("code", draft.code);
    this.form.addEventListener("change", () => {
      this.sift();
      this.keep();
    });
    this.reason.addEventListener("input", () => this.keep());
    this.reason.addEventListener("keydown", (event) => this.pickByDigit(event));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
  }

  check(name, value) {
    const choice = this.form.querySelector(`[name=${name}][value="${CSS.escape(value)}"]`);
    if (choice) choice.checked = true;
    return choice;
  }

  get chosen() {
    return this.form?.querySelector("[name=decision]:checked")?.value;
  }

  // Reasons that go with the decision, numbered as the keys that pick them.
  sift() {
    this.offered = this.reasons.filter((each) => each.dataset.for.split(" ").includes(this.chosen));
    for (const each of this.reasons) {
      const at = this.offered.indexOf(each);
      each.hidden = at < 0;
      each.querySelector("kbd").textContent = at < 9 ? at + 1 : "";
      if (at < 0) each.querySelector("input").checked = false;
    }
    const picked = this.form.querySelector("[name=code]:checked");
    // Free words are needed only where no reason of the list was picked.
    this.reason.required = !picked || picked.value === "other";
    this.form.querySelector("[data-part=outline]").hidden = !(this.chosen === "confirm" && this.desk.drawn);
  }

  pickByDigit(event) {
    const wanted = this.offered[Number(event.key) - 1];
    if (this.reason.value || !wanted || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    wanted.querySelector("input").checked = true;
    this.sift();
    this.keep();
  }

  keep() {
    const code = this.form.querySelector("[name=code]:checked")?.value;
    keep(this.desk.config.id, { decision: this.chosen, code, reason: this.reason.value });
  }

  decide(what) {
    if (!this.form || !this.check("decision", what)) return;
    this.sift();
    this.keep();
    this.form.scrollIntoView({ block: "nearest" });
    this.reason.focus();
  }

  async submit() {
    if (this.sending || !this.form.reportValidity()) return;
    this.sending = true;
    const body = new FormData(this.form);
    if (this.chosen === "confirm" && this.desk.drawn) body.set("shape", JSON.stringify(this.desk.drawn));
    const id = this.desk.config.id;
    const recorded = await this.desk.going.to(this.form.action, { body: new URLSearchParams(body) });
    this.sending = false;
    if (recorded) forget(id);
  }

  fail() {
    document.querySelector("#panel [data-part=fault]").textContent = say("offline");
  }
}
