// The handle between before and after: dragged, or moved by its own arrow keys.
const STEP = 2;

export class Swipe {
  constructor(box, handle, top) {
    this.box = box;
    this.handle = handle;
    this.top = top;
    this.share = 50;
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      handle.focus();
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const { left, width } = box.getBoundingClientRect();
      this.move(((event.clientX - left) / width) * 100);
    });
    handle.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: this.share - STEP, ArrowDown: this.share - STEP, ArrowRight: this.share + STEP, ArrowUp: this.share + STEP,
        PageDown: this.share - 10, PageUp: this.share + 10, Home: 0, End: 100 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.move(to);
    });
  }

  move(share) {
    this.share = Math.min(Math.max(share, 0), 100);
    this.draw();
  }

  draw() {
    this.top.style.clipPath = this.on ? `inset(0 ${100 - this.share}% 0 0)` : "";
    this.handle.style.left = `${this.share}%`;
    this.handle.setAttribute("aria-valuenow", String(Math.round(this.share)));
  }

  turn(on) {
    this.on = on;
    this.handle.hidden = !on;
    this.draw();
  }
}
