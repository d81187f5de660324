// Sites are added and taken out without asking the server; it can do both by itself.
import { addSite, field, fieldsets } from "./fieldsets.js";

export function startSites() {
  const form = document.getElementById("sites").closest("form");
  form.addEventListener("click", (event) => {
    const out = event.target.closest("[data-take-out]");
    if (out) {
      const all = fieldsets();
      const gone = out.closest("fieldset");
      const near = all[all.indexOf(gone) + 1] ?? all[all.indexOf(gone) - 1];
      gone.remove();
      (near?.querySelector("input:not([type=hidden])") ?? form.querySelector("[data-add-site]")).focus();
      form.dispatchEvent(new Event("input", { bubbles: true }));
    }
    if (event.target.closest("[data-add-site]")) {
      event.preventDefault();
      const number = addSite();
      field(number, "lon").focus();
      form.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
}
