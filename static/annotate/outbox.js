// Answers on their way: kept in the browser until the server has taken them, and sent again until it has.
import { t } from "../base/i18n.js";
import { notice } from "./bar.js";
import { Refused, call } from "./server.js";

const AGAIN = 3000; // ms

export class Outbox {
  // address(token): where its answer goes
  constructor(journal, address) {
    Object.assign(this, { journal, address, timer: 0 });
  }

  get tokens() {
    return new Set(this.journal.outbox().map((entry) => entry.token));
  }

  async send(entry) {
    let reply;
    try {
      reply = await call("POST", this.address(entry.token), entry.body);
    } catch (error) {
      // A refusal is final; silence is not, and the same key makes a repeat harmless. Signed out counts as silence.
      if (error instanceof Refused && ![401, 403].includes(error.status)) this.journal.dropAnswer(entry);
      throw error;
    }
    this.journal.dropAnswer(entry);
    this.journal.dropDraft(entry.token);
    return reply;
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), AGAIN);
  }

  async flush() {
    for (const entry of this.journal.outbox()) {
      try {
        await this.send(entry);
        if (!this.journal.outbox().length) notice("");
      } catch (error) {
        if (!(error instanceof Refused)) { this.later(); return; }
        notice(t("An earlier answer was not taken: {why}", { why: error.message }));
      }
    }
  }
}
