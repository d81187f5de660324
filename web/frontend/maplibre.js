// MapLibre with its worker served from our own origin; every map of the platform imports it from here.
import * as maplibregl from "maplibre-gl";

maplibregl.setWorkerUrl(new URL("./maplibre-gl-worker.js", import.meta.url).href);

export { maplibregl };
