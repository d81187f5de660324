// The first page. What the server drew is seen before anything else happens: the map begins when that is painted.
document.documentElement.classList.add("scripted");
// Whoever asks for another view than the first one waits for it.
if (location.hash) document.querySelector(".still")?.remove();
requestAnimationFrame(() => setTimeout(() => import("../public/atlas.js")));
