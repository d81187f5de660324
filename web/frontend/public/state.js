// What is shown, as the address says it; nothing else writes the address. MapLibre keeps the place in `#map=` itself.
const GROUPS = ["kind", "state", "layer"];
const listeners = [];

// Groups are arrays of words, or null for everything; an empty group is said as `none`.
export function read() {
  const query = new URL(location.href).searchParams;
  const group = (name) => {
    const said = query.getAll(name).filter(Boolean);
    return said.length ? said.filter((word) => word !== "none") : null;
  };
  return {
    kind: group("kind"), state: group("state"), layer: group("layer"),
    authority: query.get("authority") ?? "", on: query.get("on") ?? "", grid: query.get("grid") ?? "", sel: query.get("sel") ?? "",
  };
}

export function write(changes, { push = true } = {}) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    url.searchParams.delete(name);
    if (GROUPS.includes(name)) {
      for (const word of value?.length === 0 ? ["none"] : value ?? []) url.searchParams.append(name, word);
    } else if (value) url.searchParams.set(name, value);
  }
  if (url.href === location.href) return;
  history[push ? "pushState" : "replaceState"]({}, "", url);
  for (const listen of listeners) listen(read(), { moved: false });
}

// A place that was asked for takes the address over; what is shown stays.
export function ask(query) {
  const url = new URL(location.href);
  for (const name of ["q", "lon", "lat", "sel"]) url.searchParams.delete(name);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  history.pushState({}, "", url);
}

// Calls back whenever the address says something else; `moved` by the reader's back and forward.
export function follow(listen) {
  listeners.push(listen);
}
addEventListener("popstate", () => {
  for (const listen of listeners) listen(read(), { moved: true });
});

// The query of another page that shows the same.
export function queryFor(names) {
  const here = new URL(location.href).searchParams;
  const query = new URLSearchParams();
  for (const name of names) for (const value of here.getAll(name)) if (value) query.append(name, value);
  return query;
}
