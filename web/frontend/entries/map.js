// The first page. What the server drew is seen before anything else happens: the map begins when that is painted.
document.documentElement.classList.add("scripted");
// Whoever asks for another view than the first one waits for it.
if (location.hash) document.querySelector(".still")?.remove();
requestAnimationFrame(() => setTimeout(begin));

async function begin() {
  await mapStyle();
  await import("../public/atlas.js");
}

// The style of MapLibre comes with the map, before ours in the page, which has the last word.
function mapStyle() {
  const sheet = document.createElement("link");
  sheet.rel = "stylesheet";
  sheet.href = document.getElementById("map-style").href;
  return new Promise((resolve) => {
    sheet.onload = sheet.onerror = resolve;
    document.querySelector("link[rel=stylesheet]").before(sheet);
  });
}
