// Undo by snapshot: the states are small.
export class History {
  constructor() {
    this.past = [];
  }

  remember(state) {
    this.past.push(structuredClone(state));
    if (this.past.length > 200) this.past.shift();
  }

  back() {
    return this.past.pop() ?? null;
  }
}
