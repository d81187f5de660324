// What was typed and not yet sent survives a reload; the tab forgets it when it is closed, for others may sit here next.
const NAME = "asking-";
const LEFT_OUT = new Set(["once", "about", "authority"]);

function store(act) {
  try {
    return act(sessionStorage);
  } catch {
    // A forbidden store costs the convenience alone.
    return null;
  }
}

const valuesOf = (form) => [...new FormData(form)].filter(([name, value]) => typeof value === "string" && !LEFT_OUT.has(name));

function fill(form, values) {
  for (const field of form.elements) {
    if (!field.name || LEFT_OUT.has(field.name) || ["hidden", "submit", "button"].includes(field.type)) continue;
    const found = values.filter(([name]) => name === field.name).map(([, value]) => value);
    if (field.type === "checkbox" || field.type === "radio") field.checked = found.includes(field.value);
    else if (found.length) field.value = found[0];
  }
}

function attach(form) {
  // A message about one thing is not put back under another.
  const key = `${NAME}${form.dataset.keep}-${form.elements.namedItem("about")?.value ?? ""}${location.search}`;
  const fresh = valuesOf(form);
  const kept = store((at) => JSON.parse(at.getItem(key)));
  // What the server sent back with its faults is what was typed last.
  if (kept && !document.getElementById("summary") && JSON.stringify(kept) !== JSON.stringify(fresh)) {
    fill(form, kept);
    const note = document.getElementById("draft-words").content.firstElementChild.cloneNode(true);
    note.querySelector("button").addEventListener("click", () => {
      fill(form, fresh);
      note.remove();
      store((at) => at.removeItem(key));
      form.dispatchEvent(new Event("input", { bubbles: true }));
    });
    form.prepend(note);
    if (form.elements.namedItem("shape")?.value) form.querySelector("details")?.setAttribute("open", "");
  }
  const keep = () => store((at) => at.setItem(key, JSON.stringify(valuesOf(form))));
  form.addEventListener("input", keep);
  form.addEventListener("change", keep);
}

export function keepWhatIsTyped() {
  // What was taken has done its work.
  const sent = document.querySelector("[data-sent]")?.dataset.sent;
  if (sent) store((at) => Object.keys(at).filter((key) => key.startsWith(`${NAME}${sent}-`)).forEach((key) => at.removeItem(key)));
  for (const form of document.querySelectorAll("form[data-keep]")) attach(form);
}
