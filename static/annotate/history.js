// Undo and redo by snapshot: the states are small.
const MOST = 200;

export class History {
  constructor() {
    this.past = [];
    this.future = [];
  }

  remember(state) {
    this.past.push(structuredClone(state));
    if (this.past.length > MOST) this.past.shift();
    this.future = [];
  }

  // `now` is the state that is left, to come back to.
  back(now) {
    return this.#move(this.past, this.future, now);
  }

  forward(now) {
    return this.#move(this.future, this.past, now);
  }

  #move(from, to, now) {
    const found = from.pop();
    if (found === undefined) return null;
    if (now !== undefined) to.push(structuredClone(now));
    return found;
  }
}
