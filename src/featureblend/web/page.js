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
