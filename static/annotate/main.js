// The annotation page: one item at a time, the next one fetched early, nothing lost on the way.
import { t } from "../base/i18n.js";
import { ask } from "./asking.js";
import { gold, notice, say, tick, today, waiting } from "./bar.js";
import { decide } from "./conflict.js";
import { box, clone, element, slot } from "./dom.js";
import { fillFrame, foldPrompt } from "./frame.js";
import { showGuidelines } from "./guidelines.js";
import { Journal } from "./journal.js";
import { Keys } from "./keys.js";
import { Outbox } from "./outbox.js";
import { Refused, call } from "./server.js";

// kind of task -> its view; fetched with the first item of that kind
const VIEWS = {
  step_critique: async () => (await import("./step_critique.js")).StepCritique,
  preference: async () => (await import("./preference.js")).Preference,
  critique_review: async () => (await import("./critique_review.js")).CritiqueReview,
};
const SAVE_AFTER = 500; // ms after the last change
const AGAIN = 3000; // ms until a call that nobody answered is repeated
const IDLE_AFTER = 5 * 60e3; // without a key or click for so long, the lease is left to run out
const DWELL_AT_MOST = 300e3; // a coffee break is not thinking time

const $ = (id) => document.getElementById(id);
const boot = JSON.parse($("annotate-state").textContent);
const journal = new Journal(boot.user);
const keys = new Keys(boot.keyboard);
const assignment = (token, what) => boot.urls.assignment.replace("TOKEN", token) + what;
const annotation = (pk) => boot.urls.annotation.replace("/0", `/${pk}`);
const outbox = new Outbox(journal, (token) => assignment(token, "submit"));

let current = null; // { item, view, form, returned, revision, key, ... } of the item on the page
let ahead = null; // promise of the reply after it
let busy = false;
let active = Date.now();

const drawTick = () => tick(current);

// ---- one item -----------------------------------------------------------------------------------

const take = (besides) => call("POST", boot.urls.next, { ...(boot.kind && { kind: boot.kind }), ...(besides && { besides }) })
  .then((reply) => ({ ...reply, at: Date.now() }));

async function show(reply) {
  const { item } = reply;
  const View = item && (await VIEWS[item.kind]());
  const Alternatives = item?.kind === "step_critique" ? await alternatives() : null;
  if (reply.waiting !== undefined) waiting(reply.waiting);
  current = null;
  ahead = null;
  document.body.dataset.kind = item?.kind ?? "";
  document.body.toggleAttribute("data-returned", Boolean(item?.returned));
  if (!item) { nothing(reply); return; }
  today(item.today);
  const form = clone(`tpl-${item.kind}`);
  fillFrame(form, item);
  const kept = journal.draft(nameOf(item));
  current = {
    item, form,
    returned: item.returned ?? null, // an own earlier answer, opened again
    revision: item.returned?.revision ?? item.draft?.revision ?? 0,
    key: kept?.key ?? crypto.randomUUID(), // one key per answer, also across a reload
    lease: item.lease_seconds, leaseEnd: reply.at + item.lease_seconds * 1000,
    shownAt: Date.now(), cursor: 0, dwell: {}, dirty: false, saving: "", savedAt: 0, timer: 0,
  };
  current.view = new View(form, item, hooks(item, Alternatives));
  for (const sheet of document.querySelectorAll("[data-keys-for]")) sheet.hidden = sheet.dataset.keysFor !== item.kind;
  $("stage").replaceChildren(form);
  restore(item, kept);
  current.view.start();
  drawTick();
  if (!current.returned) prefetch(item.token);
  if (item.guidelines && item.guidelines.read === false) readGuidelines(item.guidelines);
}

function prefetch(token) {
  ahead = take(token).catch(() => null);
  ahead.then((next) => next?.item && VIEWS[next.item.kind]().catch(() => null));
}

const alternatives = () => import("./alternatives.js").then((module) => module.Alternatives, () => null); // the rest works without

// What a view may ask of the page.
function hooks(item, Alternatives) {
  return {
    Alternatives, changed, say, dwell,
    advance: boot.advance,
    cap: (action) => keys.cap(action),
    assignment: (what) => assignment(item.token, what), // the address of one of the claim's routes
  };
}

// Under which name the browser keeps an item's draft.
const nameOf = (item) => (item.returned ? `answer-${item.returned.annotation}` : item.token);

function nothing({ why }) {
  const empty = clone("tpl-empty");
  box(empty, "why-none", why !== "quota");
  box(empty, "why-quota", why === "quota");
  $("stage").replaceChildren(empty);
  drawTick();
}

const read = new Set(); // versions read on this page: an item fetched before that does not know it yet

async function readGuidelines(guidelines) {
  if (read.has(guidelines.pk) || !(await showGuidelines(guidelines, true))) return;
  read.add(guidelines.pk);
  current?.view.start();
  try {
    await call("POST", boot.urls.guidelines.replace("/0/", `/${guidelines.pk}/`));
  } catch {
    // Asked again with the next item; nothing is lost.
  }
}

const payloadOf = (returned) => (returned.outcome === "answered" ? returned.payload : (returned.payload.partial ?? {}));
const asDraft = (view, payload) => view.fromAnswer?.(payload) ?? payload;
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function restore(item, kept) {
  const { view } = current;
  let server = item.returned ? asDraft(view, payloadOf(item.returned)) : (item.draft?.payload ?? null);
  if (kept?.revision > current.revision) { // the page was written before the last save of the one before it was taken
    current.revision = kept.revision;
    if (!kept.dirty) server = kept.payload;
  }
  if (!kept?.dirty || same(kept.payload, server)) return view.restore(server);
  view.restore(kept.payload);
  if (kept.revision === current.revision) return changed(); // the network was away: send it now
  conflict({ payload: server, revision: current.revision });
}

async function conflict(theirs) {
  const mine = current;
  const { view } = mine;
  clearTimeout(mine.timer);
  mine.undecided = true; // nothing is sent meanwhile
  const choice = await decide(view, view.draft(), theirs.payload ?? {});
  mine.undecided = false;
  mine.revision = theirs.revision;
  if (mine !== current) return;
  if (choice === "theirs") {
    view.restore(theirs.payload);
    settled();
  } else {
    changed();
  }
  view.start();
}

// ---- drafts ---------------------------------------------------------------------------------------

function changed() {
  current.dirty = true;
  keep();
  clearTimeout(current.timer);
  if (!current.returned) current.timer = setTimeout(save, SAVE_AFTER);
  else drawTick();
}

function keep() {
  journal.keepDraft(nameOf(current.item), { payload: current.view.draft(), revision: current.revision, key: current.key, dirty: current.dirty });
}

function settled() {
  Object.assign(current, { dirty: false, saving: "", savedAt: Date.now() });
  keep();
}

async function save() {
  const mine = current;
  if (!mine || mine.returned || mine.undecided || mine.saving === "now" || busy) return;
  mine.saving = "now";
  const payload = mine.view.draft();
  try {
    const reply = await call("PUT", assignment(mine.item.token, "draft"), { payload, revision: mine.revision });
    mine.revision = reply.revision;
    mine.leaseEnd = Date.now() + mine.lease * 1000;
    mine.saving = "";
    if (mine !== current) return;
    makes(mine.form, reply.makes);
    if (same(mine.view.draft(), payload)) settled();
    else changed(); // typed on while it was saved
  } catch (error) {
    mine.saving = "offline";
    if (mine !== current) return;
    if (error instanceof Refused) { mine.saving = ""; refused(error); }
    else mine.timer = setTimeout(save, AGAIN);
  }
  drawTick();
}

// The line under the steps: what the loop learns from this answer as it stands.
function makes(form, products) {
  box(form, "makes", Boolean(products?.length));
  slot(form, "makes")?.replaceChildren(...(products ?? []).map(({ words }) => element("span", "made", words)));
}

function refused(error) {
  if (error.code === "draft_conflict") return conflict(error.reply.draft);
  if (error.status === 401 || error.status === 403) return notice(t("You are signed out. Sign in again in another tab; your work is kept here."), [[t("Try again"), save]]);
  if (error.status === 400 || current?.returned) return notice(error.message);
  notice(error.status === 404 ? t("This item is no longer yours.") : error.message, [[t("Next item"), advance]]);
}

// ---- answers --------------------------------------------------------------------------------------

const UNREACHABLE = t("The server cannot be reached. Your answer is kept in this browser and sent when it can be.");

async function submit(outcome, payload) {
  if (!current || busy) return;
  if (current.returned) return revise(outcome, payload);
  const mine = current;
  mine.form.setAttribute("aria-busy", "true");
  dwell(mine.cursor);
  clearTimeout(mine.timer);
  keep();
  const seconds = Object.values(mine.dwell).reduce((sum, s) => sum + s, 0);
  const body = { submit_key: mine.key, outcome, payload, seconds, step_seconds: mine.dwell };
  const entry = { token: mine.item.token, body };
  journal.keepAnswer(entry);
  busy = true;
  let reply = null;
  try {
    reply = await outbox.send(entry);
    notice("");
  } catch (error) {
    if (error instanceof Refused) { busy = false; mine.form.removeAttribute("aria-busy"); refused(error); return; }
    notice(UNREACHABLE);
    outbox.later();
  }
  await advance();
  busy = false;
  if (reply?.today) today(reply.today);
  gold(reply?.gold);
}

// An own earlier answer: it becomes a new revision, unless somebody changed it meanwhile.
async function revise(outcome, payload) {
  const mine = current;
  mine.form.setAttribute("aria-busy", "true");
  keep();
  busy = true;
  try {
    await call("PUT", annotation(mine.returned.annotation), { outcome, payload, revision: mine.revision });
    journal.dropDraft(nameOf(mine.item));
    current = null; // nothing more to keep
    window.location.assign(boot.urls.done);
  } catch (error) {
    busy = false;
    mine.form.removeAttribute("aria-busy");
    if (!(error instanceof Refused)) notice(t("The server cannot be reached. What you wrote is kept in this browser; save again in a moment."));
    else if (error.code === "revision_conflict") changedMeanwhile(mine, error.reply.annotation);
    else refused(error);
  }
}

const changedMeanwhile = (mine, newer) => conflict({ payload: asDraft(mine.view, payloadOf(newer)), revision: newer.revision });

async function advance() {
  const early = current ? ahead : null;
  const answered = outbox.tokens;
  try {
    let reply = await early;
    if (!reply?.item) reply = await take();
    if (answered.has(reply.item?.token)) reply = await take(reply.item.token); // its answer is still on the way
    await show(reply);
    $("announce").textContent = reply.item ? t("Next item.") : t("Nothing more waits for you.");
  } catch {
    current = null;
    $("stage").replaceChildren(element("p", "empty", t("The server cannot be reached. The next item appears when it can.")));
    setTimeout(() => current ?? advance(), AGAIN);
  }
}

function answer() {
  const problem = current.view.problem();
  if (problem) return say(problem);
  submit("answered", current.view.payload());
}

// ---- setting aside ----------------------------------------------------------------------------------

async function setAside(kind) {
  const reason = await ask(kind);
  if (reason === null || !current || busy) return current?.view.start();
  if (kind === "flag") return raise(reason);
  if (kind !== "skip") return submit(kind, { reason, partial: current.view.draft() });
  busy = true;
  try {
    await call("POST", assignment(current.item.token, "skip"), { reason });
    journal.dropDraft(current.item.token);
    notice("");
    gold(null);
    await advance();
  } catch (error) {
    if (error instanceof Refused) refused(error);
    else notice(t("The server cannot be reached. Try again in a moment."));
  }
  busy = false;
}

async function raise(note) {
  try {
    await call("POST", assignment(current.item.token, "flag"), { note });
    say(t("Flagged: the lead reads your note."));
  } catch (error) {
    notice(error instanceof Refused ? error.message : t("The server cannot be reached. The flag was not sent; try again in a moment."));
  }
  current?.view.start();
}

// ---- time -----------------------------------------------------------------------------------------

function dwell(next) {
  if (!current) return;
  const spent = Math.min(Date.now() - current.shownAt, DWELL_AT_MOST) / 1000;
  current.dwell[current.cursor] = Math.round(((current.dwell[current.cursor] ?? 0) + spent) * 100) / 100;
  Object.assign(current, { shownAt: Date.now(), cursor: next });
}

async function beat() {
  if (!current || current.returned || document.hidden || Date.now() - active > IDLE_AFTER) return;
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

const ACTS = {
  submit: answer,
  undo: () => { notice(""); current.view.undo(); },
  redo: () => { notice(""); current.view.redo?.(); },
  skip: () => setAside("skip"),
  bad_problem: () => setAside("bad_problem"),
  give_up: () => setAside("give_up"),
  unsure_whole: () => setAside("unsure"),
  flag: () => setAside("flag"),
  prompt: () => foldPrompt(current.form, current.item),
  guidelines: () => current.item.guidelines && showGuidelines(current.item.guidelines, false).then(() => current?.view.start()),
  keys: () => $("keys").showModal(),
};
const NOT_FOR_RETURNED = ["skip", "flag"];

function act(name) {
  if (!current || busy || (current.returned && NOT_FOR_RETURNED.includes(name))) return;
  ACTS[name]();
}

function typing(event) {
  if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) { event.preventDefault(); current?.view.start(); }
}

document.addEventListener("keydown", (event) => {
  active = Date.now();
  const { target, key } = event;
  if (document.querySelector("dialog[open]") || event.isComposing) return;
  if (key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); act("submit"); return; }
  if (target.matches("textarea, input[type=text], select")) { if (!event.ctrlKey && !event.metaKey) typing(event); return; }
  if (event.altKey) return;
  const { name, usual } = keys.heard(event, current?.item.kind ?? "");
  if (name === "keys") { event.preventDefault(); ACTS.keys(); return; }
  if (!current || busy) return;
  if (current.view.capture?.(event)) { event.preventDefault(); return; }
  if (["Enter", " "].includes(key) && target.closest("button, a, summary")) return; // presses it
  if (name in ACTS) { event.preventDefault(); act(name); }
  else if (target.matches("input[type=radio]") && key.startsWith("Arrow")) return; // its own group's keys
  else if (usual && !usual.startsWith("Ctrl+") && current.view.key(usual, event)) event.preventDefault();
});

document.addEventListener("pointerdown", () => { active = Date.now(); });
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) { event.preventDefault(); act(button.dataset.act); }
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches(".item")) return;
  event.preventDefault();
  act("submit");
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) { dwell(current?.cursor ?? 0); if (current?.dirty) save(); }
  else if (current) { current.shownAt = Date.now(); beat(); }
});
window.addEventListener("online", () => { outbox.flush(); if (current?.dirty) save(); });
$("gold-close").addEventListener("click", () => gold(null));

setInterval(drawTick, 1000);
setInterval(beat, 30e3);

// An answer that could not be sent before the page was closed goes out before anything else.
const unsent = outbox.tokens;
if (unsent.size) await outbox.flush();
if (boot.item && unsent.has(boot.item.token)) await advance();
else await show({ item: boot.item, waiting: boot.waiting, why: boot.why, at: Date.now() });
