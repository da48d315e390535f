// What the user has sent and the gateway has not yet taken: one localStorage key a message, so that several tabs
// never overwrite one another, and neither a reload nor a killed gateway loses a word.

export class Outbox {
  #waiting = new Map();

  constructor(chat) {
    this.prefix = `hermes.outbox.${chat}.`;
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(this.prefix)) continue;
      const message = JSON.parse(localStorage.getItem(key));
      this.#waiting.set(message.id, message);
    }
  }

  /** Oldest first: the order in which they were written is the order in which they are sent. */
  all() {
    return [...this.#waiting.values()].sort((a, b) => a.at - b.at || a.n - b.n);
  }

  has(id) {
    return this.#waiting.has(id);
  }

  add(text) {
    const random = crypto.getRandomValues(new Uint8Array(12));
    const id = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const message = { id, text, at: Date.now() / 1000, n: this.#waiting.size };
    this.#waiting.set(id, message);
    try {
      localStorage.setItem(this.prefix + id, JSON.stringify(message));
    } catch {
      // storage is full or forbidden: the message still leaves, it only would not survive a reload
    }
    return message;
  }

  drop(id) {
    this.#waiting.delete(id);
    localStorage.removeItem(this.prefix + id);
  }
}
