// Keeps the page live: new lines of the timeline as they are recorded, the part beside it when something changed.
"use strict";

const MOST_LINES = 200;
const PART_DELAY = 400;
const RETRY_DELAY = 3000;
// What keeps the record from being up to date is not in the record: no line of the timeline tells of it.
const PART_INTERVAL = 15000;

function ago(us, now) {
  const seconds = (now - us) / 1e6;
  const size = Math.abs(seconds);
  if (size < 1) return "now";
  const [unit, name] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([unit]) => size >= unit);
  const text = `${Math.round(size / unit)} ${name}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

function refreshTimes(root) {
  const now = Date.now() * 1000;
  for (const time of root.querySelectorAll("time[data-us]")) time.textContent = ago(Number(time.dataset.us), now);
}

function setTime(time, us) {
  const moment = new Date(us / 1000);
  time.dataset.us = us;
  if (!Number.isNaN(moment.getTime())) time.dateTime = time.title = moment.toISOString();
  time.textContent = ago(us, Date.now() * 1000);
}

// Of what was seen in a cluster only the last field managers are known (wording.py says the same).
const SEEN = ["ObjectChanged", "DriftObserved"];

function by(kind, actor) {
  if (!actor) return "";
  if (SEEN.includes(kind)) return `last field manager${actor.includes(", ") ? "s" : ""}: ${actor}`;
  return `by ${who(actor)}`;
}

function who(actor) {
  return actor.replace(/[0-9a-f]{16,}/g, (id) => `${id.slice(0, 8)}…`);
}

// Characters that do not show, or change how others read, are written out (decklog/model/printable.py says which).
const HIDDEN = new RegExp(
  "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb" +
  "\\u034f\\u115f\\u1160\\u3164\\uffa0" +
  "\\u{13430}-\\u{1345f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}\\ud800-\\udfff]", "gu");

function visible(text) {
  return text.replace(HIDDEN, (found) => {
    const code = found.codePointAt(0);
    const [mark, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
    return `\\${mark}${code.toString(16).padStart(digits, "0")}`;
  });
}

function line(template, moment, scoped) {
  const item = template.content.firstElementChild.cloneNode(true);
  item.classList.add(moment.level, "new");
  item.dataset.leaf = moment.leaf;
  setTime(item.querySelector("time"), moment.time_us);
  item.querySelector(".kind").textContent = moment.kind;
  item.querySelector(".summary").textContent = visible(moment.summary);
  item.querySelector(".actor").textContent = visible(by(moment.kind, moment.actor));
  const link = item.querySelector("a");
  if (scoped || !moment.application) {
    link.replaceWith(scoped ? "" : visible(moment.source));
  } else {
    link.textContent = visible(moment.application);
    link.href = `/applications/${encodeURIComponent(moment.application)}`;
  }
  return item;
}

function partRefresher(part) {
  let waiting = false, loading = false, again = false;
  async function load() {
    waiting = false;
    if (loading) { again = true; return; }
    loading = true;
    try {
      const answer = await fetch(part.dataset.src, { headers: { Accept: "text/html" }, redirect: "manual" });
      if (answer.ok) { part.innerHTML = await answer.text(); refreshTimes(part); }
    } catch { /* the stream says that the server is away, and asks again when it is back */ }
    loading = false;
    if (again) { again = false; soon(); }
  }
  function soon() {
    if (!waiting) { waiting = true; setTimeout(load, PART_DELAY); }
  }
  return soon;
}

function follow() {
  const list = document.getElementById("timeline");
  if (!list) return;
  const template = document.getElementById("moment");
  const state = document.getElementById("live");
  const part = document.getElementById("part");
  const refresh = part ? partRefresher(part) : () => {};
  const scope = list.dataset.app;
  let last = Number(list.dataset.leaf);
  let lost = false;

  function show(text, isLive) {
    state.hidden = false;
    state.className = isLive ? "live" : "live lost";
    state.textContent = text;
  }

  function connect() {
    const query = new URLSearchParams({ last_leaf: last });
    if (scope) query.set("app", scope);
    const stream = new EventSource(`/api/v1/stream?${query}`);
    stream.onopen = () => {
      show("Live", true);
      if (lost) refresh();
      lost = false;
    };
    stream.onerror = () => {
      lost = true;
      show("Connection lost, trying again", false);
      if (stream.readyState === EventSource.CLOSED) reconnect();  // a browser gives up at an answer that is no stream
    };
    stream.onmessage = (event) => add(JSON.parse(event.data));
  }

  async function reconnect() {
    await new Promise((done) => { setTimeout(done, RETRY_DELAY); });
    try {
      const answer = await fetch("/api/v1/timeline?limit=1");
      if (answer.status === 401) { show("Logged out: reload the page", false); return; }
    } catch { /* nobody answers: the next attempt will tell */ }
    connect();
  }

  function add(moment) {
    if (moment.leaf <= last) return;
    last = moment.leaf;
    document.getElementById("timeline-empty")?.remove();
    list.prepend(line(template, moment, Boolean(scope)));
    while (list.children.length > MOST_LINES) list.lastElementChild.remove();
    refresh();
  }

  setInterval(() => { if (!document.hidden) refresh(); }, PART_INTERVAL);
  connect();
}

document.addEventListener("DOMContentLoaded", () => {
  refreshTimes(document);
  setInterval(() => refreshTimes(document), 10000);
  follow();
});
