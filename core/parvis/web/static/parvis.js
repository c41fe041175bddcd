// What makes the interface smoother: messages, dialogs, menus, keys, look, drafts. Nothing here is needed to use Parvis.

const root = document.documentElement;
const body = document.body;
const words = body.dataset;
const dialog = document.getElementById("dialog");
const toasts = document.getElementById("toasts");
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const make = (tag, cls, text) => Object.assign(document.createElement(tag), { className: cls, textContent: text });

// -- messages: six seconds, longer while pointed at or holding the focus

function fade(toast) {
  let left;
  const start = () => { left = setTimeout(() => toast.remove(), 6000); };
  for (const pause of ["pointerenter", "focusin"]) toast.addEventListener(pause, () => clearTimeout(left));
  for (const go of ["pointerleave", "focusout"]) toast.addEventListener(go, start);
  start();
}

function say(text, kind = "ok") {
  const toast = make("div", kind === "bad" ? "toast toast--bad" : "toast", text);
  toasts.append(toast);
  // An error stays until it is closed: it may be the only copy.
  if (kind === "bad") {
    const close = make("button", "btn btn--sm btn--quiet push", words.close);
    close.addEventListener("click", () => toast.remove());
    toast.append(close);
  }
}

for (const toast of toasts.children) fade(toast);
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) if (node.matches?.(".toast:not(.toast--bad)")) fade(node);
  }
}).observe(toasts, { childList: true });

// -- dialogs: shown when their content has come, the focus goes back to what opened them

let opener;

function show() {
  if (dialog.open) return;
  opener = document.activeElement;
  dialog.showModal();
}

dialog.addEventListener("close", () => {
  dialog.replaceChildren();
  if (opener?.isConnected) opener.focus();
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.closest("button[data-close]")) {
    event.preventDefault();
    dialog.close();
  }
});

document.addEventListener("htmx:confirm", (event) => {
  const { ctx, issueRequest, dropRequest } = event.detail;
  const button = event.target.closest("[hx-confirm]") || event.target;
  event.preventDefault();
  const was = dialog.open;
  const title = Object.assign(make("h2", "", ctx.confirm), { id: "dialog-title" });
  const keep = make("button", "btn", words.keep);
  const go = make("button", "btn btn--stop", button.dataset.confirm || button.textContent.trim());
  const parts = [make("div", "dialog__b"), make("div", "dialog__f")];
  parts[0].append(title);
  parts[1].append(keep, go);
  dialog.replaceChildren(...parts);
  let answer = dropRequest;
  go.addEventListener("click", () => { answer = issueRequest; dialog.close(); });
  keep.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => answer(), { once: true });
  if (!was) show();
  keep.focus();
});

// -- after a swap: dialogs open or close, the focus goes where the page says, times and drafts are cared for

const focusable = "a[href], button:not([disabled]), input:not([type=hidden]), textarea, select, [tabindex]";

function focus(node) {
  if (!node) return;
  if (!node.matches(focusable)) node.tabIndex = -1;
  node.focus();
}

document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  const from = ctx.sourceElement;
  const more = from?.dataset.more && $(from.dataset.more);
  ctx.parvis = {
    source: from,
    dialog: from?.closest("[data-dialog]"),
    inDialog: dialog.contains(from),
    place: ctx.target?.id,
    focus: from?.dataset.focus,
    count: more?.childElementCount,
    more,
  };
  // An error message takes the place of nothing; a form that came back with its faults does.
  const { status } = ctx.response || {};
  if (status < 400) return;
  const note = new DOMParser().parseFromString(ctx.text, "text/html").querySelector("[data-error]");
  if (!note && (status === 422 || status === 409)) return;
  event.preventDefault();
  failed(note, status, from);
});

document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  const kept = ctx.parvis || {};
  const bad = ctx.response?.status >= 400;
  if (kept.dialog && !bad) show();
  else if (kept.inDialog && !bad && !dialog.contains(ctx.target)) {
    opener = ctx.target?.isConnected ? ctx.target : document.getElementById(ctx.target?.id) || opener;
    dialog.close();
  }
  if (!bad && kept.source?.matches?.("form[data-draft]")) forget(kept.source.dataset.draft);
  const loud = $("[data-focus-me]");
  if (loud) {
    loud.removeAttribute("data-focus-me");
    focus(loud);
  } else if (kept.focus) focus($(kept.focus));
  else if (kept.more) focus(kept.more.children[kept.count]);
  else if (document.activeElement === body) {
    // What held the focus is gone: go to what came in its place, never to the top of the page.
    const place = document.getElementById(kept.place);
    if (place) focus(place.matches("[tabindex]") ? place : $(focusable, place) || place);
  }
  for (const form of $$("form[data-draft]")) restore(form);
});

// -- trouble: a note beside the form, the text stays in it

function failed(note, status, from) {
  const text = note?.textContent.trim().replace(/\s+/g, " ") || words.failed;
  if (status === 401 && note) {
    const head = Object.assign(make("div", "dialog__b"), { id: "dialog-title" });
    head.append(note);
    dialog.replaceChildren(head);
    show();
    return;
  }
  const form = from?.closest("form");
  const place = form && !form.matches("#act") ? form : null;
  if (!place || !note) return say(text, "bad");
  $(":scope > [data-error]", place)?.remove();
  place.prepend(note);
  focus(note);
}

document.addEventListener("htmx:error", ({ target, detail }) => {
  if (!detail.ctx) return;
  const note = make("div", "note note--warn", words.offline);
  note.setAttribute("role", "alert");
  note.dataset.error = "0";
  const form = target.closest?.("form");
  failed(form ? note : null, 0, target);
});

// -- drafts: what is being written survives a reload and a lost connection, on this tab only

const key = (name) => `draft:${name}`;
const forget = (name) => sessionStorage.removeItem(key(name));
const fields = (form) => $$("textarea, input[type=text], input:not([type])", form).filter((field) => field.name);

function restore(form) {
  if (form.dataset.restored) return;
  form.dataset.restored = "1";
  const kept = JSON.parse(sessionStorage.getItem(key(form.dataset.draft)) || "{}");
  for (const field of fields(form)) if (!field.value && kept[field.name]) field.value = kept[field.name];
}

document.addEventListener("input", ({ target }) => {
  const form = target.closest("form[data-draft]");
  if (!form) return;
  const kept = Object.fromEntries(fields(form).map((field) => [field.name, field.value]));
  sessionStorage.setItem(key(form.dataset.draft), JSON.stringify(kept));
});

document.addEventListener("submit", ({ target, submitter }) => {
  if (submitter?.hasAttribute("data-sign-out")) {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith("draft:")) sessionStorage.removeItem(name);
  }
  if (target.matches("[data-draft]") && !target.hasAttribute("hx-post")) forget(target.dataset.draft);
});

// -- look without reload, links to copy

document.addEventListener("click", (event) => {
  const choice = event.target.closest("[data-theme-choice]");
  if (choice) {
    event.preventDefault();
    if (choice.value === "auto") delete root.dataset.theme;
    else root.dataset.theme = choice.value;
    for (const other of $$("[data-theme-choice]")) other.ariaPressed = String(other.value === choice.value);
    const form = new FormData(choice.form);
    form.set(choice.name, choice.value);
    fetch(choice.formAction, { method: "POST", body: form, redirect: "manual" });
    return;
  }
  const copy = event.target.closest("[data-copy]");
  if (copy && navigator.clipboard) {
    event.preventDefault();
    navigator.clipboard.writeText(copy.dataset.copy).then(() => {
      dialog.close();
      say(words.copied);
    });
  }
  const compose = event.target.closest("[data-compose]") && $("#composer-open");
  if (compose) {
    event.preventDefault();
    compose.click();
  }
});

// -- keys: arrows in menus; single letters only where they are switched on, never while writing

function move(event, items, step) {
  const at = items.indexOf(document.activeElement);
  const next = items[(at + step + items.length) % items.length];
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const menu = event.target.closest(".menu") || $(".menu:popover-open, dialog[open] .menu");
  if (menu && /^Arrow(Up|Down)$/.test(event.key)) {
    return move(event, $$("a[href], button", menu), event.key === "ArrowDown" ? 1 : -1);
  }
  if (!("shortcuts" in words) || dialog.open || event.target.matches("input, textarea, select, [contenteditable]")) return;
  const posts = $$("[role=feed] > article, .post");
  if (event.key === "?") $("[popovertarget=keys]")?.click(); // by its button, beside which it opens
  else if (event.key === "n") {
    event.preventDefault();
    $("[data-compose], #composer-open")?.click();
  } else if ((event.key === "j" || event.key === "k") && posts.length) {
    const at = posts.indexOf(event.target.closest("article"));
    const next = posts[Math.min(Math.max(at + (event.key === "j" ? 1 : -1), 0), posts.length - 1)];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
});

for (const form of $$("form[data-draft]")) restore(form);
for (const loud of $$("[data-focus-me]")) focus(loud);
if (location.hash === "#composer-open") addEventListener("load", () => $("#composer-open")?.click());
