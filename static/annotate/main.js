// The annotation page: one item at a time, the next one fetched early, nothing lost on the way.
import { box, clone, element, fill, slot } from "./dom.js";
import { Journal } from "./journal.js";
import { Preference } from "./preference.js";
import { Refused, call } from "./server.js";
import { StepCritique } from "./step_critique.js";

const VIEWS = { step_critique: StepCritique, preference: Preference };
const SAVE_AFTER = 500; // ms after the last change
const IDLE_AFTER = 5 * 60e3; // without a key or click for so long, the lease is left to run out
const DWELL_AT_MOST = 300e3; // a coffee break is not thinking time

const $ = (id) => document.getElementById(id);
const boot = JSON.parse($("annotate-state").textContent);
const journal = new Journal(boot.user);
const assignment = (token, what) => boot.urls.assignment.replace("TOKEN", token) + what;

let current = null; // { item, view, form, revision, key, ... } of the item on the page
let ahead = null; // promise of the reply after it
let busy = false;
let active = Date.now();

// ---- words on the page ------------------------------------------------------------------------

function notice(text, actions = []) {
  $("notice-text").textContent = text;
  $("notice-actions").replaceChildren(...actions.map(([label, run]) => {
    const button = element("button", "button small", label);
    button.type = "button";
    button.addEventListener("click", () => { notice(""); run(); });
    return button;
  }));
  $("notice").hidden = text === "";
}

// Quiet feedback: shown for what needs seeing, only spoken for what is visible anyway.
function say(text, spokenOnly = false) {
  $("announce").textContent = text;
  if (!spokenOnly) notice(text);
}

function tick() {
  if (!current) { $("lease").textContent = ""; $("saved").textContent = ""; return; }
  const left = Math.round((current.leaseEnd - Date.now()) / 1000);
  $("lease").textContent = left > 0 ? `yours for ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "yours until someone else takes it";
  const { saving, savedAt, dirty } = current;
  const ago = savedAt ? Math.round((Date.now() - savedAt) / 1000) : 0;
  $("saved").textContent = saving === "offline" ? "kept in this browser, not sent yet" : dirty ? "saving…" : savedAt ? `saved ${ago < 2 ? "just now" : ago < 90 ? `${ago} s ago` : `${Math.round(ago / 60)} min ago`}` : "";
}

// ---- one item -----------------------------------------------------------------------------------

const take = (besides) => call("POST", boot.urls.next, { ...(boot.kind && { kind: boot.kind }), ...(besides && { besides }) })
  .then((reply) => ({ ...reply, at: Date.now() }));

function show(reply) {
  const { item } = reply;
  $("waiting").textContent = reply.waiting >= 1000 ? "1000+" : reply.waiting;
  current = null;
  ahead = null;
  document.body.dataset.kind = item?.kind ?? "";
  if (!item) { $("stage").replaceChildren(clone("tpl-empty")); tick(); return; }
  const form = clone(`tpl-${item.kind}`);
  common(form, item);
  const kept = journal.draft(item.token);
  current = {
    item, form,
    revision: item.draft?.revision ?? 0,
    key: kept?.key ?? crypto.randomUUID(), // one key per answer, also across a reload
    lease: item.lease_seconds, leaseEnd: reply.at + item.lease_seconds * 1000,
    shownAt: Date.now(), cursor: 0, dwell: {}, dirty: false, saving: "", savedAt: 0, timer: 0,
  };
  const view = new VIEWS[item.kind](form, item, { changed, say, dwell });
  current.view = view;
  for (const sheet of document.querySelectorAll("[data-keys-for]")) sheet.hidden = sheet.dataset.keysFor !== item.kind;
  $("stage").replaceChildren(form);
  restore(view, item, kept);
  view.start();
  tick();
  ahead = take(item.token).catch(() => null);
}

function common(form, item) {
  fill(form, "prompt", item.prompt.text);
  box(form, "reference", item.reference !== null);
  fill(form, "reference", item.reference ?? "");
  box(form, "conversation", item.prompt.messages.length > 1);
  slot(form, "conversation").replaceChildren(...item.prompt.messages.flatMap((m) => [element("p", "label", m.role), element("p", "response-text", m.content)]));
  box(form, "guidelines", item.guidelines !== null);
  fill(form, "guidelines-number", item.guidelines?.number ?? "");
  fill(form, "guidelines", item.guidelines?.text ?? "");
}

function restore(view, item, kept) {
  const server = item.draft?.payload ?? null;
  if (!kept?.dirty || JSON.stringify(kept.payload) === JSON.stringify(server)) return view.restore(server);
  view.restore(kept.payload);
  if (kept.revision === current.revision) return changed(); // the network was away: send it now
  conflict({ payload: server, revision: current.revision });
}

function conflict(theirs) {
  notice("This item was also changed in another window.", [
    ["Keep what is here", () => { current.revision = theirs.revision; changed(); }],
    ["Take the other version", () => { current.view.restore(theirs.payload); current.revision = theirs.revision; settled(); }],
  ]);
}

// ---- drafts ---------------------------------------------------------------------------------------

function changed() {
  current.dirty = true;
  keep();
  clearTimeout(current.timer);
  current.timer = setTimeout(save, SAVE_AFTER);
}

function keep() {
  journal.keepDraft(current.item.token, { payload: current.view.draft(), revision: current.revision, key: current.key, dirty: current.dirty });
}

function settled() {
  Object.assign(current, { dirty: false, saving: "", savedAt: Date.now() });
  keep();
}

async function save() {
  const mine = current;
  if (!mine || mine.saving === "now" || busy) return;
  mine.saving = "now";
  const payload = mine.view.draft();
  try {
    const reply = await call("PUT", assignment(mine.item.token, "draft"), { payload, revision: mine.revision });
    mine.revision = reply.revision;
    mine.leaseEnd = Date.now() + mine.lease * 1000;
    mine.saving = "";
    if (mine !== current) return;
    if (JSON.stringify(mine.view.draft()) === JSON.stringify(payload)) settled();
    else changed(); // typed on while it was saved
  } catch (error) {
    mine.saving = "offline";
    if (mine !== current) return;
    if (error instanceof Refused) { mine.saving = ""; refused(error); }
    else mine.timer = setTimeout(save, 3000);
  }
  tick();
}

function refused(error) {
  if (error.code === "draft_conflict") return conflict(error.reply.draft);
  if (error.status === 401 || error.status === 403) return notice("You are signed out. Sign in again in another tab; your work is kept here.", [["Try again", save]]);
  if (error.status === 400) return notice(error.message);
  notice(error.status === 404 ? "This item is no longer yours." : error.message, [["Next item", advance]]);
}

// ---- answers --------------------------------------------------------------------------------------

async function send(entry) {
  try {
    await call("POST", assignment(entry.token, "submit"), entry.body);
  } catch (error) {
    // A refusal is final; silence is not, and the same key makes a repeat harmless. Signed out counts as silence.
    if (error instanceof Refused && ![401, 403].includes(error.status)) journal.dropAnswer(entry);
    throw error;
  }
  journal.dropAnswer(entry);
  journal.dropDraft(entry.token);
}

async function submit(outcome, payload) {
  if (!current || busy) return;
  const mine = current;
  mine.view.form.setAttribute("aria-busy", "true");
  dwell(mine.cursor);
  clearTimeout(mine.timer);
  keep();
  const seconds = Object.values(mine.dwell).reduce((sum, s) => sum + s, 0);
  const body = { submit_key: mine.key, outcome, payload, seconds, step_seconds: mine.dwell };
  const entry = { token: mine.item.token, body };
  journal.keepAnswer(entry);
  busy = true;
  try {
    await send(entry);
    notice("");
  } catch (error) {
    if (error instanceof Refused) { busy = false; mine.form.removeAttribute("aria-busy"); refused(error); return; }
    notice("The server cannot be reached. Your answer is kept in this browser and sent when it can be.");
    retryLater();
  }
  busy = false;
  await advance();
}

async function advance() {
  const early = current ? ahead : null;
  const answered = new Set(journal.outbox().map((entry) => entry.token));
  try {
    let reply = await early;
    if (!reply?.item) reply = await take();
    if (answered.has(reply.item?.token)) reply = await take(reply.item.token); // its answer is still on the way
    show(reply);
    $("announce").textContent = reply.item ? "Next item." : "Nothing more waits for you.";
  } catch {
    current = null;
    $("stage").replaceChildren(element("p", "empty", "The server cannot be reached. The next item appears when it can."));
    setTimeout(() => current ?? advance(), 3000);
  }
}

let retry = 0;
function retryLater() {
  clearTimeout(retry);
  retry = setTimeout(flush, 3000);
}

async function flush() {
  for (const entry of journal.outbox()) {
    try {
      await send(entry);
      if (!journal.outbox().length) notice("");
    } catch (error) {
      if (!(error instanceof Refused)) { retryLater(); return; }
      notice(`An earlier answer was not taken: ${error.message}`);
    }
  }
}

const REASONS = {
  skip: { title: "Skip this item", hint: "Someone else will be asked. You will not see it again.", ok: "Skip", list: ["Not my field", "Too long", "I know the author’s answer", "Unclear guidelines"] },
  bad_problem: { title: "Bad problem", hint: "The question itself is at fault, whatever the response.", ok: "Mark as bad problem", list: ["Something is missing", "Contradicts itself", "Vague", "Several questions in one", "The reference is wrong"] },
  give_up: { title: "Give up", hint: "A good problem, but you cannot judge the response.", ok: "Give up", list: ["Too hard for me", "Takes too long to check", "The guidelines do not cover it"] },
};

function ask(kind) {
  if (!current || busy) return;
  const { title, hint, ok, list } = REASONS[kind];
  $("reason-title").textContent = title;
  $("reason-hint").textContent = hint;
  $("reason-ok").textContent = ok;
  $("reason-text").value = "";
  $("reason-list").replaceChildren(...list.map((text) => { const o = element("option", "", ""); o.value = text; return o; }));
  $("reason").returnValue = "";
  $("reason").showModal();
  $("reason-text").focus();
  $("reason").onclose = () => { if ($("reason").returnValue === "ok") setAside(kind, $("reason-text").value.trim()); };
}

async function setAside(kind, reason) {
  if (kind !== "skip") return submit(kind, { reason, partial: current.view.draft() });
  try {
    await call("POST", assignment(current.item.token, "skip"), { reason });
    journal.dropDraft(current.item.token);
    notice("");
    await advance();
  } catch (error) {
    if (error instanceof Refused) refused(error);
    else notice("The server cannot be reached. Try again in a moment.");
  }
}

function answer() {
  const problem = current.view.problem();
  if (problem) return say(problem);
  submit("answered", current.view.payload());
}

// ---- time -----------------------------------------------------------------------------------------

function dwell(next) {
  if (!current) return;
  const spent = Math.min(Date.now() - current.shownAt, DWELL_AT_MOST) / 1000;
  current.dwell[current.cursor] = Math.round(((current.dwell[current.cursor] ?? 0) + spent) * 100) / 100;
  Object.assign(current, { shownAt: Date.now(), cursor: next });
}

async function beat() {
  if (!current || document.hidden || Date.now() - active > IDLE_AFTER) return;
  const mine = current;
  try {
    const reply = await call("POST", assignment(mine.item.token, "heartbeat"));
    mine.leaseEnd = Date.now() + reply.lease_seconds * 1000;
    const next = (await ahead)?.item;
    if (next) await call("POST", assignment(next.token, "heartbeat"));
  } catch (error) {
    if (error instanceof Refused && mine === current && !busy) refused(error);
  }
}

// ---- keys and buttons -------------------------------------------------------------------------------

const ACTS = { s: "skip", x: "bad_problem", g: "give_up", u: "undo" };

function act(name) {
  if (!current) return;
  if (name === "undo") { notice(""); current.view.undo(); } else ask(name);
}

document.addEventListener("keydown", (event) => {
  active = Date.now();
  const { target, key } = event;
  if (document.querySelector("dialog[open]")) return;
  const text = target.matches("textarea, input[type=text], select");
  if (key === "Enter" && (event.ctrlKey || event.metaKey) && current) { event.preventDefault(); answer(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (text) {
    if (key === "Escape" || (key === "Enter" && !event.shiftKey)) { event.preventDefault(); current?.view.start(); }
    return;
  }
  if (key === "?") { event.preventDefault(); $("keys").showModal(); return; }
  if (!current || busy) return;
  if (key === "Enter") {
    if (target.closest("button, a, summary")) return;
    event.preventDefault();
    answer();
  } else if (key in ACTS) { event.preventDefault(); act(ACTS[key]); }
  else if (target.matches("input[type=radio]") && key.startsWith("Arrow")) return; // its own group's keys
  else if (current.view.key(key)) event.preventDefault();
});

document.addEventListener("pointerdown", () => { active = Date.now(); });
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) { event.preventDefault(); act(button.dataset.act); }
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches(".item")) return;
  event.preventDefault();
  if (current && !busy) answer();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) { dwell(current?.cursor ?? 0); if (current?.dirty) save(); }
  else if (current) { current.shownAt = Date.now(); beat(); }
});
window.addEventListener("online", () => { flush(); if (current?.dirty) save(); });

setInterval(tick, 1000);
setInterval(beat, 30e3);

// An answer that could not be sent before the page was closed goes out before anything else.
const unsent = new Set(journal.outbox().map((entry) => entry.token));
if (unsent.size) await flush();
if (boot.item && unsent.has(boot.item.token)) await advance();
else show({ item: boot.item, waiting: boot.waiting, at: Date.now() });
