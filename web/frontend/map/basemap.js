// A base map from elsewhere: tiles by address, out of one PMTiles archive, and pictures in GCJ-02 put in their true place.
// Its readers are fetched only where an installation has one.
import { maplibregl } from "../maplibre.js";
import { fromTile, toGcj02, toTile } from "./gcj02.js";

const fill = (template, z, x, y) => template.replace("{z}", z).replace("{x}", x).replace("{y}", y);

// Gives the source of the style, after what it needs to be read with is there.
export async function basemapSource(basemap) {
  const picture = basemap.kind === "pmtiles" ? await archived(basemap.url) : fetched(basemap.url);
  const shifted = basemap.datum === "gcj02";
  const protocol = shifted || basemap.kind === "pmtiles" ? "pictures" : null;
  if (protocol) {
    maplibregl.addProtocol(protocol, async ({ url }, { signal }) => {
      const [z, x, y] = url.split("/").slice(-3).map(Number);
      return { data: await (shifted ? moved(picture, basemap.tilePx, z, x, y, signal) : picture(z, x, y, signal)) };
    });
  }
  return {
    type: "raster",
    tiles: [protocol ? `${protocol}://tiles/{z}/{x}/{y}` : basemap.url],
    tileSize: basemap.tilePx,
    maxzoom: basemap.maxZoom,
    attribution: escaped(basemap.attribution),
  };
}

function escaped(text) {
  const holder = document.createElement("span");
  holder.textContent = text;
  return holder.innerHTML;
}

const fetched = (template) => async (z, x, y, signal) => {
  const answer = await fetch(fill(template, z, x, y), { signal, credentials: "omit", referrerPolicy: "no-referrer" });
  if (!answer.ok) throw new Error(`tile ${z}/${x}/${y}: ${answer.status}`);
  return answer.arrayBuffer();
};

async function archived(url) {
  const { PMTiles } = await import("pmtiles");
  const archive = new PMTiles(new URL(url, location.href).href);
  return async (z, x, y, signal) => (await archive.getZxy(z, x, y, signal))?.data ?? new ArrayBuffer(0);
}

// One true tile out of the shifted ones that lie under it. Over a tile the shift is the same to a part of a pixel.
async function moved(picture, px, z, x, y, signal) {
  const [left, top] = toTile(toGcj02(fromTile([x + 0.5, y + 0.5], z)), z).map((value) => value - 0.5);
  const sheet = new OffscreenCanvas(px, px);
  const pen = sheet.getContext("2d");
  const last = 2 ** z - 1;
  const wanted = [];
  for (const column of new Set([Math.floor(left), Math.ceil(left)])) {
    for (const row of new Set([Math.floor(top), Math.ceil(top)])) {
      if (column >= 0 && row >= 0 && column <= last && row <= last) wanted.push([column, row]);
    }
  }
  await Promise.all(wanted.map(async ([column, row]) => {
    const data = await picture(z, column, row, signal);
    if (!data.byteLength) return;
    const image = await createImageBitmap(new Blob([data]));
    pen.drawImage(image, Math.round((column - left) * px), Math.round((row - top) * px), px, px);
    image.close();
  }));
  return (await sheet.convertToBlob({ type: "image/png" })).arrayBuffer();
}
