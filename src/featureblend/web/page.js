// The continuum's player: all pictures are in the page, one of them is shown.
function featureblendShow(range) {
  const player = range.closest(".fb-player");
  const frames = [...player.querySelectorAll(".fb-frames img")];
  frames.forEach((frame, place) => { frame.hidden = place !== Number(range.value); });
  player.querySelector(".fb-caption").textContent = frames[Number(range.value)].alt;
}

// How much of the photo is uncovered over the blend.
function featureblendCut(range) {
  range.closest(".fb-compare").style.setProperty("--cut", `${range.value}%`);
}

function featureblendPlay(button) {
  const range = button.closest(".fb-player").querySelector("input[type=range]");
  if (button.dataset.timer) {
    clearInterval(Number(button.dataset.timer));
    delete button.dataset.timer;
    button.textContent = "Play";
    return;
  }
  let step = Number(range.value) < Number(range.max) ? 1 : -1;
  button.textContent = "Pause";
  button.dataset.timer = setInterval(() => {
    if (!button.isConnected) { clearInterval(Number(button.dataset.timer)); return; }
    if (Number(range.value) + step > Number(range.max) || Number(range.value) + step < 0) step = -step;
    range.value = Number(range.value) + step;
    featureblendShow(range);
  }, 120);
}

// Whoever touches the slider wants the picture to stay, also where it stands at an end.
function featureblendHold(range) {
  const button = range.closest(".fb-player").querySelector(".fb-play");
  if (button.dataset.timer) featureblendPlay(button);
  featureblendShow(range);
}

// It plays by itself once, unless the visitor wants no motion.
function featureblendStart(picture) {
  const button = picture.closest(".fb-player").querySelector(".fb-play");
  if (button.dataset.started || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  button.dataset.started = "1";
  featureblendPlay(button);
}

// A file that was just made is handed to the browser's own download.
function featureblendSave(file) {
  if (!file || !file.url) return;
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name || "blend.png";
  document.body.append(link);
  link.click();
  link.remove();
}

// Whoever waits for other visitors is told the place in the queue: Gradio writes it, but where nobody sees it.
let featureblendWaited = 0;
setInterval(() => {
  let line = document.getElementById("fb-queue");
  if (!line) {
    line = document.createElement("p");
    line.id = "fb-queue";
    line.setAttribute("role", "status");
    document.body.append(line);
  }
  const places = [...document.querySelectorAll(".progress-text")]
    .map((part) => /queue: (\d+)\/\d+/.exec(part.textContent)).filter(Boolean).map((found) => Number(found[1]));
  featureblendWaited = places.length ? featureblendWaited + 1 : 0;
  const text = featureblendWaited > 2 ? `Others are before you: you are number ${Math.min(...places)} in the queue.` : "";
  if (line.textContent !== text) line.textContent = text;
}, 400);
