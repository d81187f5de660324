// What was typed and drawn for a finding and not yet recorded; kept on this machine until it is decided.
const NAME = "review-draft-";
const LONGEST_MS = 14 * 24 * 3600 * 1000;

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? {};
  } catch {
    return {};
  }
}

export function draftOf(id) {
  return read(NAME + id);
}

export function keep(id, part) {
  const draft = { ...draftOf(id), ...part, at: Date.now() };
  const empty = !draft.reason && !draft.code && !draft.decision && !draft.shape;
  try {
    if (empty) localStorage.removeItem(NAME + id);
    else localStorage.setItem(NAME + id, JSON.stringify(draft));
  } catch {
    // A full or forbidden store costs the convenience, not the work on the page.
  }
}

export function forget(id) {
  try {
    localStorage.removeItem(NAME + id);
  } catch {
    // As above.
  }
}

// What nobody came back to for two weeks is of no use.
export function sweep() {
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(NAME) && Date.now() - (read(key).at ?? 0) > LONGEST_MS) localStorage.removeItem(key);
    }
  } catch {
    // As above.
  }
}
