// The cards that are shown, in order: each is what holds one handle.
const featureblendGrips = () => [...document.querySelectorAll(".fb-grip")];
const featureblendCard = (grip) => document.getElementById(`card-${grip.dataset.place}`);

// A card is put elsewhere by its handle, dragged or with the arrow keys; the others make room meanwhile.
document.addEventListener("pointerdown", (start) => {
  const grip = start.target.closest(".fb-grip");
  if (!grip || start.button) return;
  start.preventDefault();
  grip.focus();
  grip.setPointerCapture(start.pointerId);
  const cards = featureblendGrips().map(featureblendCard);
  const middles = cards.map((card) => card.getBoundingClientRect()).map((box) => box.y + box.height / 2);
  const from = Number(grip.dataset.place) - 1;
  let to = from;
  grip.onpointermove = (now) => {
    const by = now.clientY - start.clientY;
    const away = middles.map((middle) => Math.abs(middle - middles[from] - by));
    to = away.indexOf(Math.min(...away));
    cards.forEach((card, place) => {
      const passed = place > from ? place <= to : place >= to && place < from;
      const room = passed ? middles[place + Math.sign(from - place)] - middles[place] : 0;
      card.style.transform = `translateY(${place === from ? by : room}px)`;
      card.classList.toggle("fb-dragged", place === from);
    });
  };
  grip.onlostpointercapture = () => {
    grip.onpointermove = grip.onlostpointercapture = null;
    cards.forEach((card) => { card.style.transform = ""; card.classList.remove("fb-dragged"); });
    if (to !== from) featureblendAsk({ place: from + 1, to: to + 1 });
  };
});

// The handle stays in hand: once the photo stands at its new place, the handle there has the focus.
function featureblendHand(face, to, tries = 600, held = document.activeElement) {
  const next = document.querySelector(`.fb-grip[data-place="${to}"]`);
  if (next?.nextElementSibling.alt === face) next.focus();
  else if (tries && document.activeElement === held) setTimeout(featureblendHand, 50, face, to, tries - 1, held);
}

document.addEventListener("keydown", (event) => {
  const grip = event.target.closest(".fb-grip");
  const by = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
  if (!grip || !by) return;
  event.preventDefault();
  const to = Number(grip.dataset.place) + by;
  if (to < 1 || to > featureblendGrips().length) return;
  featureblendHand(grip.nextElementSibling.alt, to);
  featureblendAsk({ place: Number(grip.dataset.place), to });
});

// The dialog with a whole photo: a frame to draw, to move and to pull at its corners, and faces to pick.
function featureblendCropper(place, tries = 40) {
  const dialog = document.querySelector(`.fb-cropper[data-place="${place}"]`);
  if (!dialog) { // the page is not redrawn yet
    if (tries) setTimeout(featureblendCropper, 50, place, tries - 1);
    return;
  }
  dialog.showModal();
  if (dialog.dataset.ready) return;
  dialog.dataset.ready = "1";
  const whole = dialog.querySelector(".fb-whole"), frame = whole.querySelector(".fb-part");
  const least = 0.05;
  let part = dialog.dataset.part.split(" ").map(Number); // left, top, right, bottom, as shares
  const within = (value, low = 0, high = 1) => Math.min(Math.max(value, low), high);
  const draw = (sides) => {
    part = sides;
    ["left", "top", "right", "bottom"].forEach((side, at) => {
      frame.style[side] = `${100 * (at < 2 ? part[at] : 1 - part[at])}%`;
    });
  };
  const pull = (sides, dx, dy, old) => {
    const pulled = [...old], [x, y] = sides;
    pulled[x] = x ? within(old[2] + dx, old[0] + least) : within(old[0] + dx, 0, old[2] - least);
    pulled[y] = y === 3 ? within(old[3] + dy, old[1] + least) : within(old[1] + dy, 0, old[3] - least);
    draw(pulled);
  };
  const move = (dx, dy, old) => {
    dx = within(dx, -old[0], 1 - old[2]);
    dy = within(dy, -old[1], 1 - old[3]);
    draw([old[0] + dx, old[1] + dy, old[2] + dx, old[3] + dy]);
  };
  const sidesOf = (corner) => corner.dataset.sides.split(" ").map(Number);
  whole.addEventListener("pointerdown", (start) => {
    if (start.button || start.target.closest(".fb-pick")) return;
    start.preventDefault();
    whole.setPointerCapture(start.pointerId);
    const size = whole.getBoundingClientRect(), old = part, corner = start.target.closest(".fb-corner");
    const at = (event) => [within((event.clientX - size.x) / size.width), within((event.clientY - size.y) / size.height)];
    const [x, y] = at(start);
    const inside = part.join() !== "0,0,1,1" && start.target === frame;
    whole.onpointermove = (now) => {
      const [nowX, nowY] = at(now);
      if (corner) pull(sidesOf(corner), nowX - x, nowY - y, old);
      else if (inside) move(nowX - x, nowY - y, old);
      else if (Math.min(Math.abs(nowX - x), Math.abs(nowY - y)) >= least) {
        draw([Math.min(x, nowX), Math.min(y, nowY), Math.max(x, nowX), Math.max(y, nowY)]);
      }
    };
    whole.onlostpointercapture = () => { whole.onpointermove = null; };
  });
  frame.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] || [0, 0];
    if (!dx && !dy) return;
    event.preventDefault();
    pull(sidesOf(event.target), 0.02 * dx, 0.02 * dy, part);
  });
  const done = (wish) => { dialog.close(); featureblendAsk({ place, ...wish }); };
  dialog.querySelectorAll(".fb-pick").forEach((face) => { face.onclick = () => done({ which: Number(face.dataset.which) }); });
  dialog.querySelector(".fb-use").onclick = () => done({ part });
  dialog.querySelector(".fb-all").onclick = () => done({ part: [0, 0, 1, 1] });
  draw(part);
}

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

// Gradio redraws a page in place: what a running film needs is kept on its button, not in attributes.
function featureblendPlay(button) {
  const range = button.closest(".fb-player").querySelector("input[type=range]");
  if (button.timer) {
    clearInterval(button.timer);
    button.timer = 0;
    button.textContent = "Play";
    return;
  }
  let step = Number(range.value) < Number(range.max) ? 1 : -1;
  button.textContent = "Pause";
  button.timer = setInterval(() => {
    if (!button.isConnected) { clearInterval(button.timer); return; }
    button.textContent = "Pause";
    if (Number(range.value) + step > Number(range.max) || Number(range.value) + step < 0) step = -step;
    range.value = Number(range.value) + step;
    featureblendShow(range);
  }, 120);
}

// Whoever touches the slider wants the picture to stay, also where it stands at an end.
function featureblendHold(range) {
  const button = range.closest(".fb-player").querySelector(".fb-play");
  if (button.timer) featureblendPlay(button);
  featureblendShow(range);
}

// It plays by itself once, unless the visitor wants no motion.
function featureblendStart(picture) {
  const button = picture.closest(".fb-player").querySelector(".fb-play");
  if (!button.timer && !matchMedia("(prefers-reduced-motion: reduce)").matches) featureblendPlay(button);
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
