// What was typed into a form and not yet recorded: kept on this machine, put back after a reload or a lost session.
import { numbers, addSite } from "./fieldsets.js";

const NAME = "planning-draft-";
const SENT = `${NAME}sent`;
const LONGEST_MS = 14 * 24 * 3600 * 1000;

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? null;
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // A full or forbidden store costs the convenience, not the work on the page.
  }
}

function sweep() {
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(NAME) && Date.now() - (read(key)?.at ?? 0) > LONGEST_MS) localStorage.removeItem(key);
    }
  } catch {
    // As above.
  }
}

// A form that was taken leads to a page that says so: what was typed has done its work.
function forget() {
  const sent = read(SENT);
  if (sent && new URLSearchParams(location.search).has("done")) write(sent.key, null);
  write(SENT, null);
}

const LEFT_OUT = new Set(["version", "step", "file", "document"]);

function valuesOf(form) {
  return [...new FormData(form)].filter(([name, value]) => typeof value === "string" && !LEFT_OUT.has(name));
}

function fill(form, values) {
  const wanted = values.filter(([name]) => name === "sites").map(([, value]) => value);
  const there = new Set(numbers(form));
  for (const number of wanted) if (!there.has(number)) addSite(number);
  for (const field of form.elements) {
    if (!field.name || LEFT_OUT.has(field.name) || ["file", "hidden", "submit", "button"].includes(field.type)) continue;
    const found = values.filter(([name]) => name === field.name).map(([, value]) => value);
    if (field.type === "checkbox" || field.type === "radio") field.checked = found.includes(field.value);
    else if (found.length) field.value = found[0];
  }
}

function tell(form, key, draft, fresh) {
  const words = document.getElementById("draft-words");
  const note = words.content.firstElementChild.cloneNode(true);
  note.querySelector("time").textContent = new Date(draft.at).toLocaleString();
  note.querySelector("button").addEventListener("click", () => {
    fill(form, fresh);
    note.remove();
    form.dispatchEvent(new Event("input", { bubbles: true }));
    write(key, null);
    form.dispatchEvent(new CustomEvent("draft-dropped"));
  });
  form.prepend(note);
  form.closest("details")?.setAttribute("open", "");
}

function attach(form) {
  // Whoever signs in at the same machine next does not read it.
  const key = `${NAME}${document.getElementById("draft-words").dataset.reader}-${form.dataset.draft}`;
  const fresh = valuesOf(form);
  const draft = read(key);
  let touched = false;
  // What the server sent back with its refusals is what was typed last.
  if (draft && !document.getElementById("summary") && JSON.stringify(draft.values) !== JSON.stringify(fresh)) {
    fill(form, draft.values);
    tell(form, key, draft, fresh);
    touched = true;
  }
  const keep = () => {
    touched = true;
    write(key, { values: valuesOf(form), at: Date.now() });
  };
  form.addEventListener("input", keep);
  form.addEventListener("change", keep);
  form.addEventListener("draft-dropped", () => (touched = false));
  form.addEventListener("submit", () => {
    touched = false;
    write(SENT, { key, at: Date.now() });
  });
  addEventListener("beforeunload", (event) => {
    if (touched) event.preventDefault();
  });
}

export function keepDrafts() {
  forget();
  sweep();
  for (const form of document.querySelectorAll("form[data-draft]")) attach(form);
}
