// What must not be lost while the network is away: drafts at once, answers until the server has taken them.
// Kept per account, so that two people on one browser never send each other's work.

export class Journal {
  constructor(user) {
    this.prefix = `whetstone/${user}/`;
  }

  #read(key, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(this.prefix + key)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  #write(key, value) {
    try {
      localStorage.setItem(this.prefix + key, JSON.stringify(value));
    } catch {
      // Storage full or forbidden: the server's copy is then the only one.
    }
  }

  draft(token) {
    return this.#read(`draft/${token}`, null); // { payload, revision, key, dirty }
  }

  keepDraft(token, entry) {
    this.#write(`draft/${token}`, entry);
  }

  dropDraft(token) {
    try {
      localStorage.removeItem(`${this.prefix}draft/${token}`);
    } catch {
      // nothing was stored
    }
  }

  outbox() {
    return this.#read("outbox", []); // [{ token, body }], oldest first
  }

  keepAnswer(entry) {
    const others = this.outbox().filter((e) => e.body.submit_key !== entry.body.submit_key);
    this.#write("outbox", [...others, entry]);
  }

  dropAnswer(entry) {
    this.#write("outbox", this.outbox().filter((e) => e.body.submit_key !== entry.body.submit_key));
  }
}
