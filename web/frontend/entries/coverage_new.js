// A new study: whoever draws ground means it, and what is wrong with a file is told without losing the file.
import "./planning.js";

const form = document.getElementById("ask");
document.getElementById("shape").addEventListener("input", (event) => {
  if (event.target.value.trim()) document.getElementById("ground-drawn").checked = true;
});
document.getElementById("ground_file").addEventListener("change", (event) => {
  if (event.target.files.length) document.getElementById("ground-file").checked = true;
});
// The form stays as it is: its fields are marked, and the list of what is wrong is read first.
document.body.addEventListener("htmx:afterSwap", () => {
  for (const each of form.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
  for (const link of document.querySelectorAll("#told .blanks a")) {
    const field = document.getElementById(link.hash.slice(1));
    field?.setAttribute("aria-invalid", "true");
    // What is wrong is not to be looked for in a closed drawer.
    field?.closest("details")?.setAttribute("open", "");
  }
  document.getElementById("summary")?.focus();
});
