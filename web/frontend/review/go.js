// From one finding to the next without a new page: what the server sends is a whole page, of which the parts that
// changed take the place of those that are there. Where anything goes wrong, the browser goes there itself.
const PARTS = ["desk-head", "queue-side", "panel", "stage-facts"];

export class Going {
  constructor(arrived) {
    this.arrived = arrived;
    addEventListener("popstate", () => this.to(location.href, { push: false }));
  }

  async to(url, { push = true, body = null } = {}) {
    this.under?.abort();
    const mine = (this.under = new AbortController());
    document.body.setAttribute("aria-busy", "true");
    let answer;
    try {
      answer = await fetch(url, { method: body ? "POST" : "GET", body, signal: mine.signal, headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!page.getElementById("desk")) throw new Error("another page");
      this.take(page);
      if (push) history.pushState(null, "", answer.url);
      document.title = page.title;
      this.arrived(answer.ok);
      return answer.ok;
    } catch (error) {
      if (error.name === "AbortError") return false;
      // Nothing typed is lost: it was kept when it was typed. Signed out, or the line is down.
      if (!body || answer) location.assign(answer?.url ?? url);
      else this.arrived(null);
      return false;
    } finally {
      document.body.removeAttribute("aria-busy");
    }
  }

  take(page) {
    // What is selected for one decision on several stays selected from one finding to the next.
    const picked = new Set([...document.querySelectorAll(".pick:checked")].map((each) => each.value));
    for (const id of PARTS) {
      const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
      if (old && fresh) old.replaceWith(document.adoptNode(fresh));
    }
    for (const each of document.querySelectorAll(".pick")) each.checked = picked.has(each.value);
    const [stage, shown] = [document.getElementById("map"), page.getElementById("map")];
    if (!stage !== !shown) throw new Error("with and without a picture");
    if (stage) stage.dataset.config = shown.dataset.config;
  }
}
