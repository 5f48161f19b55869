"use strict";
// What the page shows, and what happens when something is changed.

const LONGEST = 4096; // larger photos are reduced first
const faces = [null, null];
const element = (name) => document.getElementById(name);
const controls = ["alpha", "source", "size", "detail", "swap"].map(element);
const labels = ["first", "second"].map((name) => element(name).closest("label"));
let changed = 0, shown = -1, busy = false;

function say(text, error = false) {
  element("message").textContent = text;
  element("message").className = error ? "error" : "";
}

async function opened(file) {
  const bitmap = await createImageBitmap(file), scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // behind what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height), found = new Uint8Array((data.length / 4) * 3);
  for (let i = 0, j = 0; i < data.length; i++) if (i % 4 < 3) found[j++] = data[i];
  return picture(canvas.width, canvas.height, 3, found);
}

// Shows what the webcam sees until a photo is taken, or none.
async function photographed() {
  const dialog = element("webcam"), video = dialog.querySelector("video");
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
  try {
    await video.play();
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
    return dialog.returnValue ? [Object.assign(await createImageBitmap(video), { name: "your webcam photo" })] : [];
  } finally {
    for (const track of video.srcObject.getTracks()) track.stop();
  }
}

function draw(canvas, { width, height, data }) {
  const shown = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) shown.data.set([data[3 * i], data[3 * i + 1], data[3 * i + 2], 255], 4 * i);
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(shown, 0, 0);
}

function show(place, name) {
  draw(labels[place].querySelector("canvas"), faces[place].crop);
  labels[place].querySelector("span").textContent = name;
}

function swap() {
  faces.reverse();
  labels.map((label) => label.querySelector("span").textContent).reverse().forEach((name, place) => show(place, name));
  return update();
}

async function take(place, file) {
  say(`Looking for a face in ${file.name} …`);
  await new Promise(requestAnimationFrame);
  let photo;
  try {
    photo = await opened(file);
  } catch {
    return say(`This browser can’t read ${file.name}: try a JPEG or PNG.`, true);
  }
  const face = await findFace(photo);
  if (!face) return say(`No face found in ${file.name}: try a photo with a larger, upright, unhidden face.`, true);
  faces[place] = face;
  show(place, file.name);
  say(faces.every(Boolean) ? "" : "Choose the other photo.");
  await update();
}

// Draws the blend as often as something has changed; what was changed meanwhile is drawn once.
async function update() {
  changed++;
  element("percent").textContent = `${element("alpha").value} %`;
  if (busy || !faces.every(Boolean)) return;
  busy = true;
  for (const one of controls) one.disabled = false;
  while (shown !== changed) {
    shown = changed;
    const begun = performance.now();
    const made = await blendFaces(faces, element("alpha").value / 100, Number(element("source").value),
      Number(element("size").value), element("detail").checked);
    draw(element("blend"), made);
    document.body.dataset.milliseconds = Math.round(performance.now() - begun);
    await new Promise(requestAnimationFrame);
  }
  busy = false;
  document.body.dataset.shown = shown;
  element("download").disabled = false;
}

// A PNG with the note that it is synthetic: an XMP chunk after the header, which is 33 bytes long.
async function marked(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer()), note = Uint8Array.from(atob(SETTINGS.note), (one) => one.charCodeAt(0));
  const chunk = new Uint8Array(note.length + 12), view = new DataView(chunk.buffer);
  view.setUint32(0, note.length);
  chunk.set(new TextEncoder().encode("iTXt"), 4);
  chunk.set(note, 8);
  let crc = ~0;
  for (const byte of chunk.subarray(4, -4)) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  view.setUint32(note.length + 8, ~crc);
  return new Blob([bytes.subarray(0, 33), chunk, bytes.subarray(33)], { type: "image/png" });
}

async function download() {
  const blob = await new Promise((done) => element("blend").toBlob(done, "image/png"));
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await marked(blob)), download: "blend.png" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function script(address) {
  return new Promise((done, failed) =>
    document.body.append(Object.assign(document.createElement("script"), { src: address, onload: done, onerror: failed })));
}

async function start() {
  const cameras = document.querySelectorAll("button.webcam");
  for (const [place, label] of labels.entries()) {
    let turn = Promise.resolve();
    const given = (files) => { if (files.length) turn = turn.then(() => ready).then(() => take(place, files[0])); };
    label.querySelector("input").addEventListener("change", ({ target }) => {
      given([...target.files]);
      target.value = ""; // so that the same file can be chosen again
    });
    label.addEventListener("dragover", (event) => event.preventDefault());
    label.addEventListener("drop", (event) => { event.preventDefault(); given(event.dataTransfer.files); });
    cameras[place].hidden = !navigator.mediaDevices; // which pages have from disk, this machine or over https alone
    cameras[place].addEventListener("click", async () => {
      for (const one of cameras) one.disabled = true;
      await photographed().then(given, (error) => say(`The webcam can’t be used (${error.message}).`, true));
      for (const one of cameras) one.disabled = false;
    });
  }
  for (const one of controls) one.addEventListener("input", update);
  element("swap").addEventListener("click", swap);
  element("download").addEventListener("click", download);
  for (const name of ["runtime.mjs", "runtime.wasm", ...SETTINGS.networks]) await script(`files/${name}.js`);
  await loadNetworks();
  document.body.dataset.ready = "yes";
  say("Choose two photos.");
}
const ready = start();
ready.catch((error) => say(`The page could not be loaded: ${error.message || "a file of it is missing"}.`, true));
