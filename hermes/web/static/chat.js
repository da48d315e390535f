// The page: who may see it, the conversation, the composer. The rest is in link.js, outbox.js and actors.js.

import { Actors } from "/static/actors.js";
import { Link } from "/static/link.js";
import { Outbox } from "/static/outbox.js";

const MAX_CHARS = 100_000;
const NEAR_BOTTOM_PX = 80;
const BANNER_AFTER_MS = 1_500;
const STALE_DRAFT_MS = 60_000;
const STALE_TYPING_MS = 10_000; // the gateway says it again every four seconds
const DELAY_S = 4;
const WORDS = { sending: "sending…", safe: "✓ safe", answered: "✓ answered", refused: "not sent" };

const $ = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search).get("chat") ?? "main";
const chat = /^[A-Za-z0-9_-]{1,64}$/.test(asked) ? asked : "main";

const outbox = new Outbox(chat);
const own = new Map(); // client id → { row, state }, in the order of the page
const shown = new Set(); // ids of all messages on the page
const drafts = new Map(); // draft id → { row, body, at }
let typingUntil = 0;
const actors = new Actors(showLogin);
const link = new Link(chat, { onFrame: take, onState: showState, onLoggedOut: showLogin });

// --- messages ---------------------------------------------------------------------------------------------------------

function bubble(role, at) {
  const row = document.createElement("li");
  row.className = role;
  const body = document.createElement("div");
  body.className = "body";
  body.dir = "auto";
  const meta = document.createElement("div");
  meta.className = "meta";
  const time = document.createElement("time");
  const when = new Date(at * 1000);
  time.dateTime = when.toISOString();
  time.title = when.toLocaleString();
  const sameDay = when.toDateString() === new Date().toDateString();
  time.textContent = when.toLocaleString([], sameDay
    ? { hour: "2-digit", minute: "2-digit" }
    : { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  meta.append(time);
  row.append(body, meta);
  return { row, body, meta };
}

function showOwn(message, state) {
  shown.add(message.id);
  const { row, body, meta } = bubble("user", message.at);
  body.textContent = message.text;
  const label = document.createElement("span");
  label.className = "state";
  meta.append(label);
  own.set(message.id, { row, label, state: "" });
  mark(message.id, state);
  $("log").append(row);
}

function mark(id, state, why = "") {
  const message = own.get(id);
  if (!message || message.state === "answered") return;
  message.state = state;
  message.row.dataset.state = state;
  message.label.textContent = why ? `${WORDS[state]}: ${why}` : WORDS[state];
}

/** An answer answers the message it names and all that were sent before it. */
function markAnswered(replyTo) {
  for (const [id, message] of own) {
    if (message.state === "safe" || id === replyTo) mark(id, "answered");
    if (id === replyTo) return;
  }
}

function showItem(item) {
  if (shown.has(item.item_id)) {
    if (own.has(item.item_id)) accepted(item.item_id);
    return;
  }
  if (item.role === "user") {
    showOwn({ id: item.item_id, text: item.text, at: item.at }, "safe");
    return;
  }
  shown.add(item.item_id);
  if (item.text || item.files.length) {
    const { row, body } = bubble("agent", item.at);
    body.innerHTML = item.html; // made safe by the gateway; the page's policy runs no inline script either
    body.append(...item.files.map(fileOf));
    $("log").append(row);
  }
  item.answers.forEach(markAnswered);
  clearDrafts(); // one conversation, one answer at a time: a draft still alive is redrawn by its next word
}

/** A picture of ours as such, anything else as a link. */
function fileOf(file) {
  const link = document.createElement("a");
  link.className = "file";
  link.href = file.ref;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.textContent = file.name || file.ref;
  if (file.size_bytes) link.append(element("small", sizeOf(file.size_bytes)));
  if (file.kind !== "image" || !file.ref.startsWith("/")) return link;
  const picture = document.createElement("img");
  picture.src = file.ref;
  picture.alt = file.name;
  picture.addEventListener("load", () => settle($("jump").hidden));
  picture.addEventListener("error", () => {
    link.classList.remove("picture");
    link.replaceChildren(file.name, element("small", "not kept any more"));
  });
  link.classList.add("picture");
  link.replaceChildren(picture);
  return link;
}

function element(name, words) {
  const made = document.createElement(name);
  made.textContent = words;
  return made;
}

function sizeOf(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  const step = Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  return `${(bytes / 1000 ** step).toLocaleString([], { maximumFractionDigits: step && 1 })} ${units[step]}`;
}

function accepted(id) {
  outbox.drop(id);
  if (own.get(id)?.state !== "answered") mark(id, "safe");
}

function showDraft(frame) {
  let draft = drafts.get(frame.draft_id);
  if (!draft) {
    draft = bubble("agent draft", Date.now() / 1000);
    draft.meta.replaceChildren("writing…");
    drafts.set(frame.draft_id, draft);
    $("drafts").append(draft.row);
  }
  draft.at = Date.now();
  draft.body.innerHTML = frame.html;
}

function clearDrafts(olderThanMs = 0) {
  for (const [id, draft] of drafts) {
    if (Date.now() - draft.at < olderThanMs) continue;
    draft.row.remove();
    drafts.delete(id);
  }
}

/** Dots while an answer is worked on and nothing of it can be seen yet. */
function showThinking() {
  const waiting = Date.now() < typingUntil;
  let dots = $("thinking");
  if (waiting && drafts.size === 0 && !dots) {
    dots = document.createElement("div");
    dots.id = "thinking";
    dots.setAttribute("role", "img");
    dots.setAttribute("aria-label", "Hermes is thinking");
    dots.append(...[1, 2, 3].map(() => document.createElement("i")));
    $("drafts").append(dots);
  } else if (dots && (!waiting || drafts.size > 0)) {
    dots.remove();
  }
}

// --- frames -----------------------------------------------------------------------------------------------------------

function take(frame) {
  const follow = nearBottom();
  switch (frame.t) {
    case "welcome":
      clearDrafts();
      typingUntil = 0;
      frame.items.forEach(showItem);
      for (const message of outbox.all()) {
        if (!shown.has(message.id)) showOwn(message, "sending");
        link.send({ t: "send", id: message.id, text: message.text });
      }
      break;
    case "accepted":
      accepted(frame.id);
      break;
    case "refused":
      outbox.drop(frame.id);
      mark(frame.id, "refused", frame.message);
      break;
    case "message":
      showItem(frame.item);
      link.send({ t: "ack", item: frame.item.item_id });
      break;
    case "said":
      showItem(frame.item);
      break;
    case "typing":
      typingUntil = frame.on ? Date.now() + STALE_TYPING_MS : 0;
      break;
    case "draft":
      showDraft(frame);
      break;
    case "error":
      console.warn("the gateway could not take a frame:", frame.message);
      break;
  }
  $("empty").hidden = shown.size > 0;
  showThinking();
  settle(follow);
}

// --- scrolling --------------------------------------------------------------------------------------------------------

function nearBottom() {
  const box = $("scroll");
  return box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_BOTTOM_PX;
}

function settle(follow) {
  if (follow) $("scroll").scrollTop = $("scroll").scrollHeight;
  $("jump").hidden = nearBottom();
}

$("scroll").addEventListener("scroll", () => { $("jump").hidden = nearBottom(); }, { passive: true });
$("jump").addEventListener("click", () => settle(true));
new ResizeObserver(() => settle($("jump").hidden)).observe($("scroll"));

// --- the composer -----------------------------------------------------------------------------------------------------

const text = $("text");
const keepKey = `hermes.composer.${chat}`;

function fit() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
  const over = text.value.length - MAX_CHARS;
  $("composer-note").textContent = over > 0 ? `Too long by ${over.toLocaleString()} characters.` : "";
  try {
    sessionStorage.setItem(keepKey, text.value);
  } catch {
    // storage is full or forbidden: only a reload would lose it
  }
}

function submit() {
  const words = text.value;
  if (!words.trim() || words.length > MAX_CHARS) return;
  const message = outbox.add(words);
  showOwn(message, "sending");
  link.send({ t: "send", id: message.id, text: message.text });
  text.value = "";
  fit();
  $("empty").hidden = true;
  settle(true);
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
  text.focus();
});
text.addEventListener("input", fit);
text.addEventListener("paste", (event) => {
  const pasted = event.clipboardData.getData("text").length;
  if (pasted <= MAX_CHARS) return;
  event.preventDefault(); // laying out megabytes would freeze the page for as long as it holds them
  $("composer-note").textContent =
    `Not pasted: ${pasted.toLocaleString()} characters, and a message may have ${MAX_CHARS.toLocaleString()}.`;
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  }
});

// --- connection and login ---------------------------------------------------------------------------------------------

let bannerTimer = 0;

function showState(state, retryInS) {
  if ($("chat").hidden) return;
  $("link").dataset.state = state;
  $("link").lastElementChild.textContent = state;
  if (state === "online") {
    clearTimeout(bannerTimer);
    bannerTimer = 0;
    $("banner").hidden = true;
    actors.refresh();
  } else if (state === "offline") {
    $("banner").textContent = `No connection to the gateway; trying again in ${retryInS} s. What you write is kept.`;
    bannerTimer ||= setTimeout(() => { $("banner").hidden = false; }, BANNER_AFTER_MS);
  }
}

/** A message that nobody takes while the connection is up: the gateway itself knows what it waits for. */
async function explainDelay() {
  const oldest = outbox.all()[0];
  if ($("link").dataset.state !== "online") return;
  const late = oldest && Date.now() / 1000 - oldest.at > DELAY_S;
  const ready = late ? await fetch("/ready").catch(() => null) : null;
  const waiting = ready?.status === 503 ? (await ready.json()).waiting : [];
  if ($("link").dataset.state !== "online") return;
  $("banner").hidden = waiting.length === 0;
  $("banner").textContent = waiting.includes("store")
    ? "The gateway's disk takes no writes (store_degraded). What you write is kept here, and sent as soon as it can be."
    : `The gateway is not ready yet (${waiting.join(", ")}). What you write is kept here.`;
}
setInterval(explainDelay, 1_000 * DELAY_S / 2);

function showLogin(why = "") {
  clearTimeout(bannerTimer);
  $("banner").hidden = true;
  $("login-why").textContent = why;
  $("login").hidden = false;
  $("chat").hidden = true;
  $("link").hidden = true;
  $("actors-toggle").hidden = true;
  actors.stop();
}

function showChat() {
  $("login").hidden = true;
  $("chat").hidden = false;
  $("link").hidden = false;
  $("actors-toggle").hidden = false;
  actors.start();
  fit();
  text.focus();
  link.open();
}

/** Trade the code in the address for a cookie; the code leaves the address bar and the history whatever happens. */
async function start() {
  const code = location.hash.slice(1);
  if (code) {
    history.replaceState(null, "", location.pathname + location.search);
    const answer = await post("/login", { code });
    if (!answer.ok && (await fetch("/api/tree")).status === 401) return showLogin(answer.why);
  } else if ((await fetch("/api/tree").catch(() => null))?.status === 401) {
    return showLogin();
  }
  showChat();
}

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(body) }).catch(() => null);
  if (answer?.ok) return { ok: true, why: "" };
  const told = await answer?.json().catch(() => null);
  return { ok: false, why: told?.error?.message ?? "The gateway does not answer." };
}

addEventListener("hashchange", () => location.hash.length > 1 && location.reload());
$("logout").addEventListener("click", async () => {
  await post("/logout", {});
  location.reload();
});

$("chat-name").textContent = chat === "main" ? "" : chat;
if (chat !== "main") document.title = `${chat} – Hermes`;
text.value = sessionStorage.getItem(keepKey) ?? "";
setInterval(() => { clearDrafts(STALE_DRAFT_MS); showThinking(); }, STALE_TYPING_MS / 4);
start();
