"use strict";
// A photo's largest face: found (BlazeFace), marked (Face Mesh), and cut to the template. `featureblend.faces.finder` and
// `alignment` in Python; here the photo is to be upright.

const { finder: FINDER } = SETTINGS.constants;

function anchors() {
  const found = [];
  for (const [stride, count] of FINDER.ANCHORS) {
    const places = Array.from({ length: FINDER.DETECTOR_SIDE / stride }, (_, i) => ((i + 0.5) * stride) / FINDER.DETECTOR_SIDE);
    for (const y of places) for (const x of places) for (let k = 0; k < count; k++) found.push([x, y]);
  }
  return found;
}

function windows(photo, side) {
  const starts = [photo.height, photo.width].map((length) => {
    if (side >= length) return [(length - side) / 2];
    const steps = Math.ceil((length - side) / (side * (1 - 2 * FINDER.LARGE)) - 1e-9);
    return Array.from({ length: steps + 1 }, (_, i) => ((length - side) * i) / Math.max(steps, 1));
  });
  return starts[0].flatMap((top) => starts[1].map((left) => [left, top]));
}

// What a network sees of a photo, 0 to 1, black beyond it; the matrix counts from the corners of pixels.
function networkCrop(photo, matrix, side) {
  const zoom = Math.hypot(matrix[0][0], matrix[1][0]);
  let image = photo, map = matrix;
  if (zoom < 0.5) {
    const seen = moved([[0, 0], [side, 0], [0, side], [side, side]], inverted(matrix));
    const [left, right] = range(seen.map(([x]) => x), photo.width, 2 / zoom);
    const [top, bottom] = range(seen.map(([, y]) => y), photo.height, 2 / zoom);
    if (left >= right || top >= bottom) return new Float32Array(side * side * 3);
    image = cutOut(photo, left, top, right, bottom);
    const width = Math.max(1, Math.round(2 * zoom * image.width)), height = Math.max(1, Math.round(2 * zoom * image.height));
    map = after(after(matrix, [[1, 0, left], [0, 1, top]]), [[image.width / width, 0, 0], [0, image.height / height, 0]]);
    image = roundedEven(scaled(image, width, height, "area"));
  }
  const centres = after([[1, 0, -0.5], [0, 1, -0.5]], after(map, [[1, 0, 0.5], [0, 1, 0.5]]));
  return warpedAffine(image, centres, side, side, "linear", null).data.map((value) => value / 255);
}

const range = (places, length, reach) => [
  clipped(Math.floor(Math.min(...places) - reach), 0, length), clipped(Math.ceil(Math.max(...places) + reach), 0, length),
];

function cutOut(image, left, top, right, bottom) {
  const row = (right - left) * image.channels, found = picture(right - left, bottom - top, image.channels,
    new image.data.constructor(row * (bottom - top)));
  for (let y = top; y < bottom; y++) {
    const start = (y * image.width + left) * image.channels;
    found.data.set(image.data.subarray(start, start + row), (y - top) * row);
  }
  return found;
}

async function detected(photo, [left, top], side) {
  const zoom = FINDER.DETECTOR_SIDE / side, matrix = [[zoom, 0, -zoom * left], [0, zoom, -zoom * top]];
  const seen = networkCrop(photo, matrix, FINDER.DETECTOR_SIDE).map((value) => value * 2 - 1);
  const { regressors, classificators } = await run("blazeface_short", [1, FINDER.DETECTOR_SIDE, FINDER.DETECTOR_SIDE, 3], seen);
  const found = [];
  anchors().forEach(([x, y], i) => {
    const score = 1 / (1 + Math.exp(-clipped(classificators[i], -50, 50)));
    if (score <= FINDER.LEAST_SCORE) return;
    const values = Array.from(regressors.subarray(16 * i, 16 * i + 16), (value) => value / FINDER.DETECTOR_SIDE);
    const place = ([a, b]) => [(a + x) * side + left, (b + y) * side + top];
    const [cx, cy, w, h] = values;
    found.push({
      score, corners: [[cx - w / 2, cy - h / 2], [cx + w / 2, cy + h / 2]].map(place),
      points: Array.from({ length: 6 }, (_, k) => place(values.slice(4 + 2 * k, 6 + 2 * k))),
    });
  });
  return found;
}

function overlap([[a, b], [c, d]], [[e, f], [g, h]]) {
  const shared = Math.max(0, Math.min(c, g) - Math.max(a, e)) * Math.max(0, Math.min(d, h) - Math.max(b, f));
  return shared / Math.max((c - a) * (d - b) + (g - e) * (h - f) - shared, 1e-9);
}

function merged(boxes) {
  let left = [...boxes].sort((one, other) => other.score - one.score);
  const found = [];
  while (left.length) {
    const alike = left.filter((box) => overlap(box.corners, left[0].corners) > FINDER.OVERLAP);
    const total = sum(alike.map((box) => box.score));
    const mean = (name) => left[0][name].map((place, k) =>
      place.map((_, axis) => sum(alike.map((box) => (box.score * box[name][k][axis]) / total))));
    found.push({ corners: mean("corners"), points: mean("points"), score: left[0].score });
    left = left.filter((box) => !alike.includes(box));
  }
  return found;
}

const boxSide = ({ corners: [[a, b], [c, d]] }) => Math.max(c - a, d - b);

async function boxesIn(photo) {
  const longest = Math.max(photo.width, photo.height), finest = Math.max(FINDER.FINEST_WINDOW, FINDER.FINEST_SHARE * longest);
  let found = [];
  for (let side = longest; ; side /= 2) {
    for (const place of windows(photo, side)) found = found.concat(await detected(photo, place, side));
    found = merged(found);
    if (Math.max(0, ...found.map(boxSide)) > FINDER.LARGE * side || side / 2 < finest) return found;
  }
}

// The (468) points of a face, x and y; the second pass steadies those of the first.
async function meshOf(photo, box) {
  const side = FINDER.MESH_SIDE;
  let centre = [0, 1].map((axis) => (box.corners[0][axis] + box.corners[1][axis]) / 2), length = FINDER.MESH_MARGIN * boxSide(box);
  let eyes = [0, 1].map((axis) => box.points[1][axis] - box.points[0][axis]), photoPoints, flag;
  for (let pass = 0; pass < 2; pass++) {
    const size = Math.max(Math.hypot(...eyes), 1e-6), [x, y] = eyes.map((one) => one / size), zoom = side / length;
    const axes = [[zoom * x, zoom * y], [-zoom * y, zoom * x]];
    const matrix = axes.map(([a, b]) => [a, b, side / 2 - a * centre[0] - b * centre[1]]);
    const results = await run("face_mesh", [1, side, side, 3], networkCrop(photo, matrix, side));
    const [mesh, presence] = Object.values(results).sort((one, other) => other.length - one.length);
    flag = presence[0];
    const flat = Array.from({ length: 468 }, (_, i) => [mesh[3 * i] + 0.5, mesh[3 * i + 1] + 0.5]);
    photoPoints = moved(flat, inverted(matrix));
    const limits = [0, 1].map((axis) => [Math.min, Math.max].map((one) => one(...flat.map((point) => point[axis]))));
    length = (FINDER.MESH_MARGIN * Math.max(...limits.map(([low, high]) => high - low))) / zoom;
    [centre] = moved([limits.map(([low, high]) => (low + high) / 2)], inverted(matrix));
    eyes = [0, 1].map((axis) => photoPoints[FINDER.RIGHT_EYE][axis] - photoPoints[FINDER.LEFT_EYE][axis]);
  }
  if (1 / (1 + Math.exp(-flag)) < FINDER.LEAST_PRESENCE) return null;
  return photoPoints.map(([x, y]) => [x - 0.5, y - 0.5]);
}

// The largest face of a photo: its landmarks, the matrix of its aligned crop, and that crop. null if there is none.
async function findFace(photo) {
  let largest = null;
  for (const box of await boxesIn(photo)) {
    const mesh = await meshOf(photo, box);
    if (!mesh) continue;
    const [xs, ys] = [0, 1].map((axis) => mesh.map((point) => point[axis]));
    const area = (Math.max(...xs) - Math.min(...xs)) * (Math.max(...ys) - Math.min(...ys));
    if (!largest || area > largest.area) largest = { mesh, area };
  }
  if (!largest) return null;
  const marks = seenLandmarks(largest.mesh);
  const side = SETTINGS.imageSize, matrix = cropMatrix(marks, side);
  const face = { photo, matrix, landmarks: moved(marks, matrix), crop: cropped(photo, matrix, side), wide: {} };
  return face;
}

// The landmarks of a mesh, the jaw's where a photo shows the face's outline: featureblend.faces.landmarks.seen_landmarks.
function seenLandmarks(mesh) {
  const marks = SETTINGS.landmarks.map((place) => mesh[place]);
  const left = meanPoint(marks.slice(36, 42)), right = meanPoint(marks.slice(42, 48));
  const length = Math.hypot(right[0] - left[0], right[1] - left[1]);
  const [a, b] = [0, 1].map((axis) => (right[axis] - left[axis]) / length);
  const upright = ([x, y]) => [a * x + b * y, a * y - b * x];
  const turned = marks.map(upright), heights = mesh.map((point) => upright(point)[1]);
  const level = SETTINGS.level * (Math.max(...heights) - Math.min(...heights));
  const inner = mesh.filter((_, place) => !SETTINGS.outline.includes(place)).map(upright);
  for (let point = 0; point < 17; point++) {
    if (point === 8) continue;
    const beside = inner.filter(([, y]) => Math.abs(y - turned[point][1]) < level).map(([x]) => x);
    turned[point][0] = (point < 8 ? Math.min : Math.max)(turned[point][0], ...beside);
  }
  return turned.map(([x, y]) => [a * x - b * y, b * x + a * y]);
}

function meanPoint(points) {
  return [0, 1].map((axis) => sum(points.map((point) => point[axis])) / points.length);
}

// FFHQ's similarity.
function cropMatrix(marks, size) {
  const { eye_scale, mouth_scale, centre_shift } = SETTINGS.crop;
  const left = meanPoint(marks.slice(36, 42)), right = meanPoint(marks.slice(42, 48)), eyes = meanPoint([left, right]);
  const mouth = meanPoint([marks[48], marks[54]]), across = [right[0] - left[0], right[1] - left[1]];
  const down = [mouth[0] - eyes[0], mouth[1] - eyes[1]], axis = [across[0] + down[1], across[1] - down[0]];
  const half = Math.max(Math.hypot(...across) * eye_scale, Math.hypot(...down) * mouth_scale);
  const [a, b] = axis.map((one) => ((one / Math.hypot(...axis)) * size) / 2 / half);
  const centre = eyes.map((one, k) => one + down[k] * centre_shift);
  return [[a, b, (size - 1) / 2 - a * centre[0] - b * centre[1]], [-b, a, (size - 1) / 2 + b * centre[0] - a * centre[1]]];
}

// Which columns (or rows) of a photo a crop needs, those that are mirrored at the photo's edge included.
function seenRange(places, length, scale) {
  const reach = 4 + 4 / scale;
  const low = Math.min(Math.min(...places), 2 * (length - 1) - Math.max(...places)) - reach;
  const high = Math.max(Math.max(...places), -Math.min(...places)) + reach;
  const start = clipped(Math.floor(low), 0, length - 1);
  return [start, clipped(Math.ceil(high) + 1, start + 1, length)];
}

// A square crop, mirrored beyond the photo, without aliasing: `featureblend.faces.alignment.warped`.
function cropped(photo, matrix, size) {
  const scale = Math.hypot(matrix[0][0], matrix[1][0]), last = size - 1;
  const seen = moved([[0, 0], [last, 0], [last, last], [0, last]], inverted(matrix));
  const [left, right] = seenRange(seen.map(([x]) => x), photo.width, scale);
  const [top, bottom] = seenRange(seen.map(([, y]) => y), photo.height, scale);
  let image = cutOut(photo, left, top, right, bottom), map = after(matrix, [[1, 0, left], [0, 1, top]]);
  if (scale >= 0.75) return warpedAffine(image, map, size, size, "cubic", "reflect101");
  let times = Math.ceil(1.25 / scale);
  if (scale <= 1 / 3) {
    const width = Math.max(1, Math.round(image.width * 3 * scale)), height = Math.max(1, Math.round(image.height * 3 * scale));
    const across = width / image.width, down = height / image.height;
    map = after(map, inverted([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5]]));
    image = roundedEven(scaled(image, width, height, "area"));
    times = 3;
  }
  const finer = map.map(([a, b, c]) => [a * times, b * times, c * times + (times - 1) / 2]);
  return roundedEven(scaled(warpedAffine(image, finer, size * times, size * times, "cubic", "reflect101"), size, size, "area"));
}

// The crop at a side in pixels with a frame of what the photo shows around it; kept, since each blend asks for it.
function wideCrop(face, size, frame) {
  const key = `${size} ${frame}`;
  if (!face.wide[key]) {
    const [first, second] = after(rescaling(size / SETTINGS.imageSize), face.matrix);
    const shifted = [[first[0], first[1], first[2] + frame], [second[0], second[1], second[2] + frame]];
    face.wide = { [key]: cropped(face.photo, shifted, size + 2 * frame) };
  }
  return face.wide[key];
}

const nativeSide = (face) => Math.max(1, Math.round(SETTINGS.imageSize / Math.hypot(face.matrix[0][0], face.matrix[1][0])));
