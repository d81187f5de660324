// Bundles every entry of web/frontend/entries into web/static/dist, which is ignored by git.
// A script entry `map.js` becomes `dist/map.js` (an ES module: load it with type="module"), a style entry
// `map.css` becomes `dist/map.css`. Code that two entries share becomes a chunk beside them, so that a
// browser fetches MapLibre once. Nothing is loaded from elsewhere, so `script-src 'self'` holds.
import { cp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const entries = path.join(here, "entries");
const dist = path.join(here, "..", "static", "dist");
const fresh = `${dist}.new`;

// A script that an entry fetches in any case, after what must be seen first.
const ALWAYS = /public\/atlas\.js$/;

const sources = (await readdir(entries)).filter((name) => /\.(js|css)$/.test(name));
await rm(fresh, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: sources.map((name) => path.join(entries, name)),
  outdir: fresh,
  // Chunks lie beside the entries, so that `import.meta.url` finds the worker wherever it is called from.
  chunkNames: "chunk-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "linked",
  logLevel: "warning",
  metafile: true,
});
await writeFile(path.join(fresh, "needs.json"), JSON.stringify(needs(metafile)));
// MapLibre's worker is a module of its own; a bundle cannot hold it, because the browser loads it by address.
const worker = createRequire(import.meta.url).resolve("maplibre-gl/dist/maplibre-gl-worker.mjs");
await cp(worker, path.join(fresh, "maplibre-gl-worker.js"));

// Leaflet for maps that are one file (geo/notebook.py), its script as it is, its style with the pictures inside; and what
// such a map has beside it.
const leaflet = path.dirname(createRequire(import.meta.url).resolve("leaflet/dist/leaflet.js"));
const report = path.join(fresh, "report");
await build({
  entryPoints: [
    { in: path.join(leaflet, "leaflet.css"), out: "leaflet" },
    { in: path.join(here, "report", "report.css"), out: "report" },
    { in: path.join(here, "report", "report.js"), out: "report" },
  ],
  outdir: report,
  bundle: true,
  format: "iife",
  target: "es2022",
  minify: true,
  loader: { ".png": "dataurl" },
  logLevel: "warning",
});
await cp(path.join(leaflet, "leaflet.js"), path.join(report, "leaflet.js"));

// Brotli beside each file, made once at its best: a map is first seen a fifth sooner than with gzip on a slow line.
const pack = promisify(brotliCompress);
const bundled = await readdir(fresh, { recursive: true, withFileTypes: true });
await Promise.all(bundled.filter((one) => one.isFile() && /\.(js|css)$/.test(one.name)).map(async (one) => {
  const file = path.join(one.parentPath ?? one.path, one.name);
  const plain = await readFile(file);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length };
  await writeFile(`${file}.br`, await pack(plain, { params }));
}));

// Which other files a script needs before it can begin, so that a page can ask for all of them at once. What a script
// fetches when it comes to that counts too, as far as it fetches it in any case: not what only some readers need.
function needs({ outputs }) {
  const name = (file) => path.basename(file);
  const below = (file, seen) => {
    for (const { path: next, kind, external } of outputs[file].imports) {
      if (external || seen.has(next) || (kind === "dynamic-import" && !ALWAYS.test(outputs[next].entryPoint ?? ""))) continue;
      seen.add(next);
      below(next, seen);
    }
    return seen;
  };
  const scripts = Object.entries(outputs).filter(([file, { entryPoint }]) => file.endsWith(".js") && entryPoint?.includes("entries/"));
  return Object.fromEntries(scripts.map(([file]) => [name(file), [...below(file, new Set())].map(name)]));
}

// The old bundle goes only when the new one is whole.
await rm(dist, { recursive: true, force: true });
await rename(fresh, dist);
