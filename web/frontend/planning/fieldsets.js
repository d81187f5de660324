// The fieldsets of sites in a form: numbered, added from the template of the page, taken out.
export function numbers(form = document) {
  return [...form.querySelectorAll('input[name="sites"]')].map((field) => field.value);
}

export function fieldsets() {
  return [...document.querySelectorAll("#sites > fieldset[data-site]")];
}

export const field = (number, name) => document.getElementById(`s${number}.${name}`);

const TAKEN_OVER = ["purpose_en", "purpose_zh", "device_type", "platform", "place_type"];

export function addSite(wanted = null) {
  const last = fieldsets().at(-1);
  const number = wanted ?? String(Math.max(0, ...numbers().map(Number)) + 1);
  const empty = document.getElementById("empty-site");
  if (!empty) return null;
  const holder = document.createElement("div");
  holder.innerHTML = empty.innerHTML.replaceAll("__n__", number);
  const made = holder.firstElementChild;
  document.getElementById("sites").append(made);
  for (const each of made.querySelectorAll(".only-script")) each.hidden = false;
  for (const name of last ? TAKEN_OVER : []) field(number, name).value = field(last.dataset.site, name).value;
  return number;
}
