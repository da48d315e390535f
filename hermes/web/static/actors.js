// The side panel: the live actor tree, and a restart for each actor.

const POLL_MS = 2_000;
const WIDE = matchMedia("(min-width: 1000px)");
const $ = (id) => document.getElementById(id);

export class Actors {
  #rows = new Map(); // path → row, so that a refresh moves no focus and loses no hover
  #timer = 0;

  constructor(onLoggedOut) {
    this.onLoggedOut = onLoggedOut;
    $("actors-toggle").addEventListener("click", () => this.#show($("actors").hidden));
    $("actors-close").addEventListener("click", () => this.#show(false));
    addEventListener("keydown", (event) => event.key === "Escape" && !WIDE.matches && this.#show(false));
    WIDE.addEventListener("change", () => this.#timer && this.#show(WIDE.matches));
    document.addEventListener("visibilitychange", () => this.refresh());
  }

  start() {
    this.#show(WIDE.matches);
    this.#timer ||= setInterval(() => this.refresh(), POLL_MS);
  }

  stop() {
    this.#show(false);
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  #show(open) {
    $("actors").hidden = !open;
    $("actors-toggle").setAttribute("aria-expanded", String(open));
    this.refresh();
  }

  async refresh() {
    if ($("actors").hidden || document.hidden) return;
    const answer = await fetch("/api/tree").catch(() => null);
    if (answer?.status === 401) {
      this.onLoggedOut();
    } else if (answer?.ok) {
      this.#draw((await answer.json()).root);
      this.#note("");
    } else {
      this.#note("Last known state; the gateway does not answer.");
    }
  }

  #draw(root) {
    const seen = new Set();
    let at = 0;
    const walk = (node, depth) => {
      seen.add(node.path);
      const row = this.#rows.get(node.path) ?? this.#make(node, depth);
      this.#update(row, node);
      if ($("tree").children[at] !== row) $("tree").insertBefore(row, $("tree").children[at] ?? null);
      at += 1;
      node.children?.forEach((child) => walk(child, depth + 1));
    };
    walk(root, 0);
    for (const [path, row] of this.#rows) {
      if (seen.has(path)) continue;
      row.remove();
      this.#rows.delete(path);
    }
  }

  #make(node, depth) {
    const row = document.createElement("li");
    row.style.setProperty("--depth", depth);
    row.title = node.path;
    for (const name of ["dot", "name", "facts"]) {
      const part = document.createElement("span");
      part.className = name;
      row.append(part);
    }
    row.querySelector(".dot").setAttribute("role", "img");
    if (depth > 0) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "↻";
      button.title = "Restart";
      button.setAttribute("aria-label", `Restart ${node.path}`);
      button.addEventListener("click", () => this.#ask(node.path));
      row.append(button);
    }
    this.#rows.set(node.path, row);
    return row;
  }

  #update(row, node) {
    const facts = [];
    const state = node.health === "stale" ? "stale" : node.state; // it runs, and is deaf
    if (state !== "running") facts.push(state);
    if (node.next_start_in_s != null) facts.push(`in ${Math.ceil(node.next_start_in_s)} s`);
    if (node.mailbox?.used > 0) facts.push(`${node.mailbox.used} waiting`);
    if (node.restarts > 0) facts.push(node.restarts === 1 ? "1 restart" : `${node.restarts} restarts`);
    facts.push(`#${node.incarnation}`);
    row.dataset.state = state;
    row.querySelector(".dot").setAttribute("aria-label", state);
    row.querySelector(".name").textContent = node.name;
    row.querySelector(".facts").textContent = facts.join(" · ");
    row.title = [node.path, `${state}, incarnation ${node.incarnation}`, node.last_error].filter(Boolean).join("\n");
  }

  #ask(path) {
    $("confirm-path").textContent = path;
    const dialog = $("confirm");
    dialog.returnValue = "";
    dialog.addEventListener("close", () => dialog.returnValue === "restart" && this.#restart(path), { once: true });
    dialog.showModal();
  }

  async #restart(path) {
    const answer = await fetch("/api/restart", { method: "POST", body: JSON.stringify({ path }) }).catch(() => null);
    const told = await answer?.json().catch(() => null);
    await this.refresh();
    if (!answer?.ok) this.#note(told?.error?.message ?? "The gateway does not answer.");
  }

  #note(words) {
    $("tree-note").textContent = words;
  }
}
