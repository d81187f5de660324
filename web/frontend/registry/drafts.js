// What was typed into a form and not yet recorded, kept on this machine until it is; a file cannot be kept.
const NAME = "form-draft-";
const LONGEST_MS = 14 * 24 * 3600 * 1000;

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? {};
  } catch {
    return {};
  }
}

function write(key, draft) {
  try {
    if (draft) localStorage.setItem(key, JSON.stringify(draft));
    else localStorage.removeItem(key);
  } catch {
    // A full or forbidden store costs the convenience, not the work on the page.
  }
}

const kept = (field) => field.name && !["hidden", "file", "submit", "button"].includes(field.type);

function sweep() {
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(NAME) && Date.now() - (read(key).at ?? 0) > LONGEST_MS) localStorage.removeItem(key);
    }
  } catch {
    // As above.
  }
}

function attach(form) {
  const key = NAME + form.dataset.draft;
  const told = form.closest("details, article, section")?.querySelector("[role=alert]");
  const { values = {} } = read(key);
  // What the server sent back is newer than what lies here.
  if (!told) {
    let filled = false;
    for (const field of form.elements) {
      if (!kept(field) || !(field.name in values)) continue;
      const before = field.type === "checkbox" ? field.checked : field.value;
      if (field.type === "checkbox") field.checked = values[field.name];
      else field.value = values[field.name];
      filled ||= before !== values[field.name];
    }
    if (filled) form.closest("details")?.setAttribute("open", "");
  }
  form.addEventListener("input", () => {
    const now = {};
    for (const field of form.elements) if (kept(field)) now[field.name] = field.type === "checkbox" ? field.checked : field.value;
    write(key, { values: now, at: Date.now() });
  });
  form.addEventListener("submit", (event) => {
    if (!event.defaultPrevented) write(NAME + "sent", { key, at: Date.now() });
  });
}

// A form that was sent and taken leads to a page that says so; what was typed into it has done its work.
function forget() {
  const sent = read(NAME + "sent");
  if (sent.key && new URLSearchParams(location.search).has("done")) write(sent.key, null);
  if (sent.key) write(NAME + "sent", null);
}

export function keepDrafts() {
  forget();
  sweep();
  for (const form of document.querySelectorAll("form[data-draft]")) attach(form);
}
