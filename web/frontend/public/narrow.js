// Narrows a map that is only looked at to the view that its address says.
import { GROUPS } from "../map/style.js";
import { clusterLayers, LOOK_OF, LOOKS } from "../map/themes.js";
import { colours } from "../map/colours.js";

export function narrow(map, config) {
  const { kinds = [], states = [], layers = [], authority = "" } = config.view ?? {};
  const all = Object.keys(config.words.kinds).filter((kind) => config.outlines[kind]);
  const shownKinds = kinds.length ? kinds : all;
  const looks = states.length ? LOOKS.filter((look) => states.some((one) => (LOOK_OF[one] ?? "off") === look)) : LOOKS;
  const whose = authority && ["==", ["get", "authority"], authority];
  map.on("style.load", () => {
    for (const [group, ids] of Object.entries(GROUPS)) {
      const shown = group === "devices" || !layers.length || layers.includes(group);
      for (const id of ids) {
        if (!map.getLayer(id)) continue;
        map.setLayoutProperty(id, "visibility", shown ? "visible" : "none");
        const device = ["device-chosen", "device", "device-name"].includes(id);
        const filters = [
          map.getFilter(id),
          device && ["in", ["get", "kind"], ["literal", shownKinds]],
          device && states.length && ["in", ["get", "state"], ["literal", states]],
          whose && !id.startsWith("cluster") && group !== "privacy_zones" && whose,
        ].filter(Boolean);
        if (filters.length) map.setFilter(id, ["all", ...filters]);
      }
    }
    for (const layer of clusterLayers(colours(), shownKinds, looks)) {
      if (!map.getLayer(layer.id)) continue;
      map.setFilter(layer.id, layer.filter);
      for (const [name, value] of Object.entries(layer.layout)) map.setLayoutProperty(layer.id, name, value);
    }
  });
}
