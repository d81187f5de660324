// Symbols and names of features in lists, as the legend draws and the pages say them.
const SVG = "http://www.w3.org/2000/svg";
const MARKS = { pause: ["sym-mark", "M7.8 7v6M12.2 7v6"], stop: ["sym-mark", "M7 10h6"], off: ["sym-slash", "M5 15 15 5"] };

export function drawn(className, lines) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 20 20");
  picture.setAttribute("aria-hidden", "true");
  picture.setAttribute("class", className);
  for (const [name, line] of lines) {
    if (!line) continue;
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", line);
    if (name) path.setAttribute("class", name);
    picture.append(path);
  }
  return picture;
}

const isGroup = (feature) => feature.source === "clusters" && feature.properties.n > 1;
const layerOf = (feature) => (feature.source === "clusters" ? "devices" : feature.source);

export function makeWords(config) {
  const { words } = config;
  const title = (feature) => {
    const p = feature.properties;
    return p[`title_${config.lang}`] ?? p.title_en ?? (layerOf(feature) === "devices" ? p.public_id : words.kinds[p.kind]) ?? p.public_id;
  };

  function picture(feature) {
    if (isGroup(feature)) return drawn("sym sym-group", [["", "M10 2a8 8 0 1 1 0 16a8 8 0 0 1 0-16z"], ["", "M6.5 10h.01M10 10h.01M13.5 10h.01"]]);
    const outline = config.outlines[feature.properties.kind];
    if (!outline) {
      const key = document.querySelector(`[data-key="${feature.source}"] svg`);
      return key ? key.cloneNode(true) : drawn("sym", []);
    }
    const look = config.looks[feature.properties.state] ?? "off";
    return drawn(`sym sym-${look}`, [["", outline], MARKS[look] ?? []]);
  }

  function text(feature) {
    const block = document.createElement("span");
    block.className = "what";
    const name = document.createElement("span");
    const where = document.createElement("span");
    where.className = "where";
    const p = feature.properties;
    if (isGroup(feature)) {
      name.textContent = words.cluster.replace("{n}", feature.shown ?? p.n);
      where.textContent = words.closer;
    } else {
      const layer = layerOf(feature);
      name.textContent = layer === "devices" ? `${words.kinds[p.kind]} ${title(feature)}` : title(feature);
      const state = layer === "privacy_zones" ? "" : words.states[p.state] ?? "";
      const kind = layer === "privacy_zones" ? words.kinds[p.kind] : words.layers[layer];
      where.textContent = [layer === "devices" ? "" : kind, state].filter(Boolean).join(" · ");
    }
    block.append(name, document.createElement("br"), where);
    return block;
  }

  // One row of a list: a button, because it acts on the map of this page.
  function row(feature, onClick, far = "") {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain";
    if (!isGroup(feature)) button.dataset.id = feature.properties.public_id;
    button.append(picture(feature), text(feature));
    if (far) {
      const distance = document.createElement("span");
      distance.className = "far";
      distance.textContent = far;
      button.append(distance);
    }
    button.addEventListener("click", () => onClick(feature));
    item.append(button);
    return item;
  }

  return { title, row, isGroup, layerOf };
}
