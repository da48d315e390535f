// The connection to one chat: hermes.net.clientlink over a web socket, for as long as the page is open.
// Calls back: onFrame(frame), onState("connecting" | "online" | "offline", retryInSeconds), onLoggedOut().

const PING_MS = 20_000;
const SILENCE_MS = 35_000;
const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 8_000;

export class Link {
  #socket = null;
  #since = null;
  #retryMs = FIRST_RETRY_MS;
  #timer = 0;
  #heardAt = 0;
  #pingedAt = 0;

  constructor(chat, { onFrame, onState, onLoggedOut }) {
    this.chat = chat;
    this.onFrame = onFrame;
    this.onState = onState;
    this.onLoggedOut = onLoggedOut;
    setInterval(() => this.#watch(), PING_MS / 4);
    addEventListener("online", () => this.#retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.#retryNow());
  }

  open() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.onState("connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/chat/socket?chat=${this.chat}`);
    this.#socket = socket;
    this.#heardAt = Date.now();
    this.#pingedAt = Date.now();
    socket.onopen = () => this.send({ t: "hello", client: "web", since: this.#since });
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = () => socket === this.#socket && this.#lost();
  }

  /** Hand a frame to the connection, if there is one; whatever must arrive is sent again after the next welcome. */
  send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #receive(frame) {
    this.#heardAt = Date.now();
    if (frame.t === "welcome") {
      this.#since = frame.cursor;
      this.#retryMs = FIRST_RETRY_MS;
      this.onState("online");
    }
    this.onFrame(frame);
  }

  async #lost() {
    this.#socket = null;
    const waitMs = this.#retryMs * (0.7 + 0.6 * Math.random());
    this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
    this.onState("offline", Math.ceil(waitMs / 1000));
    this.#timer = setTimeout(() => this.open(), waitMs);
    // a refused upgrade tells a script nothing, so ask over HTTP whether the session is the reason
    const answer = await fetch("/api/tree").catch(() => null);
    if (answer?.status === 401) {
      clearTimeout(this.#timer);
      this.#timer = 0;
      this.onLoggedOut();
    }
  }

  #watch() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    if (Date.now() - this.#heardAt > SILENCE_MS) {
      const silent = this.#socket;
      this.#lost();
      silent.close();
    } else if (Date.now() - this.#pingedAt >= PING_MS) {
      this.#pingedAt = Date.now();
      this.send({ t: "ping" });
    }
  }

  #retryNow() {
    if (!this.#socket && this.#timer) this.open();
  }
}
