/** When the person last touched the keyboard, the mouse or the screen. */
export class Activity {
  private last = Date.now();

  start(): void {
    const touch = () => {
      this.last = Date.now();
    };
    for (const name of ['pointerdown', 'keydown', 'scroll', 'touchstart']) {
      window.addEventListener(name, touch, { passive: true, capture: true });
    }
  }

  touched(): void {
    this.last = Date.now();
  }

  idleMilliseconds(): number {
    return Date.now() - this.last;
  }
}
