// The composer: files by picker, paste and drop, with progress; the toolbar comes with the first focus.
// Everything here has a way without script: the picker sends files with the form, the preview is a page.

const token = () => JSON.parse(document.body.getAttribute("hx-headers:inherited") || "{}")["X-CSRF-Token"] || "";
const formOf = (node) => node.closest && node.closest("form[data-uploads]");
let toolbar;

function reveal(form) {
  toolbar ||= import("../parvis/vendor/markdown-toolbar-element.js");
  toolbar.then(() => {
    for (const bar of form.querySelectorAll("markdown-toolbar[hidden]")) bar.hidden = false;
  });
}

function say(form, text) {
  const status = form.querySelector("[data-upload-status]");
  if (status) status.textContent = text;
}

function count(form) {
  return form.querySelectorAll(".uploads .upload").length;
}

function send(form, file) {
  const words = form.querySelector("[data-upload-status]").dataset;
  if (count(form) >= Number(form.dataset.uploads)) return say(form, words.tooMany);
  const row = form.querySelector("[data-upload-template]").content.firstElementChild.cloneNode(true);
  const name = file.name || "image.png";
  const bar = row.querySelector("progress");
  const state = row.querySelector("[data-state]");
  row.querySelector("[data-name]").textContent = name;
  form.querySelector(".uploads").append(row);
  const submit = form.querySelector(".composer__foot [type=submit]:not([name])");
  const request = new XMLHttpRequest();
  row.querySelector("[data-remove]").addEventListener("click", () => {
    request.abort();
    const field = row.querySelector("input[name=file]");
    if (field) fetch(`/files/${field.value}`, { method: "DELETE", headers: { "X-CSRF-Token": token() } });
    row.remove();
    form.querySelector("textarea").focus();
  });
  const done = () => {
    form.dataset.pending = Number(form.dataset.pending || 1) - 1;
    submit.disabled = Number(form.dataset.pending) > 0;
  };
  form.dataset.pending = Number(form.dataset.pending || 0) + 1;
  submit.disabled = true;
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) bar.value = (100 * event.loaded) / event.total;
  });
  request.addEventListener("loadend", () => {
    done();
    if (request.status === 201) received(form, row, JSON.parse(request.responseText), file);
    else if (row.isConnected) refused(row, state, bar, request, words);
  });
  request.addEventListener("load", () => say(form, request.status === 201 ? `${words.sent} : ${name}` : words.failed));
  request.open("PUT", "/files");
  request.setRequestHeader("X-CSRF-Token", token());
  request.setRequestHeader("X-File-Name", encodeURIComponent(name));
  request.setRequestHeader("HX-Request-Type", "json");
  request.setRequestHeader("Accept", "application/json");
  request.send(file);
}

function received(form, row, stored, file) {
  const field = document.createElement("input");
  field.type = "hidden";
  field.name = "file";
  field.value = stored.id;
  row.append(field);
  row.querySelector("progress").remove();
  row.querySelector("[data-state]").textContent = new Intl.NumberFormat(document.documentElement.lang, {
    style: "unit", unit: "kilobyte", maximumFractionDigits: 0,
  }).format(stored.size / 1000);
  if (stored.kind === "picture") {
    const thumb = document.createElement("img");
    thumb.className = "upload__thumb";
    thumb.alt = "";
    thumb.src = `${stored.url}?size=480`;
    row.querySelector(".upload__thumb").replaceWith(thumb);
    const alt = row.querySelector("[data-alt]");
    alt.querySelector("input").name = `alt-${stored.id}`;
    alt.hidden = false;
  }
}

function refused(row, state, bar, request, words) {
  bar.remove();
  row.classList.add("upload--bad");
  let detail = words.failed;
  try {
    const problem = JSON.parse(request.responseText);
    detail = Object.values(problem.errors || {})[0] || problem.detail || detail;
  } catch { /* an answer of a proxy is not JSON */ }
  state.textContent = detail;
}

document.addEventListener("focusin", (event) => {
  const form = formOf(event.target);
  if (form) reveal(form);
});

document.addEventListener("change", (event) => {
  const form = formOf(event.target);
  if (!form || event.target.name !== "upload") return;
  for (const file of event.target.files) send(form, file);
  event.target.value = "";
});

document.addEventListener("paste", (event) => {
  const form = formOf(event.target);
  const files = form ? [...event.clipboardData.files] : [];
  if (!files.length) return;
  event.preventDefault();
  for (const file of files) send(form, file);
});

document.addEventListener("dragover", (event) => {
  const form = formOf(event.target);
  if (form && event.dataTransfer.types.includes("Files")) {
    event.preventDefault();
    form.classList.add("is-over");
  }
});

document.addEventListener("dragleave", (event) => {
  const form = formOf(event.target);
  if (form && !form.contains(event.relatedTarget)) form.classList.remove("is-over");
});

document.addEventListener("drop", (event) => {
  const form = formOf(event.target);
  if (!form || !event.dataTransfer.files.length) return;
  event.preventDefault();
  form.classList.remove("is-over");
  for (const file of event.dataTransfer.files) send(form, file);
});

for (const form of document.querySelectorAll("form[data-uploads]")) reveal(form);
