// A ranking as it is made: candidates placed one after the other, best first; groups are ties.
export class Ranking {
  constructor(candidates) {
    this.candidates = candidates;
    this.open = false;
    this.groups = [];
    this.tied = false; // the next one joins the last group
  }

  start() {
    Object.assign(this, { open: true, groups: [], tied: false });
  }

  close() {
    this.open = false;
  }

  tie() {
    this.tied = this.groups.length > 0 && !this.tied;
  }

  back() {
    this.tied = false;
    this.groups.at(-1)?.pop();
    if (this.groups.at(-1)?.length === 0) this.groups.pop();
  }

  // The complete ranking once every candidate has its place, else null.
  place(candidate) {
    if (this.groups.flat().includes(candidate)) return null;
    if (this.tied) this.groups.at(-1).push(candidate);
    else this.groups.push([candidate]);
    this.tied = false;
    if (this.groups.flat().length < this.candidates.length) return null;
    this.close();
    return structuredClone(this.groups);
  }
}
