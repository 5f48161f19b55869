"use strict";
// Where the face is: `featureblend.faces.masks` and `featureblend.faces.parser` in Python.

const { masks: MASKS, parser: PARSER } = SETTINGS.constants;

function hull(points) { // Andrew's monotone chain
  const sorted = [...points].sort(([a, b], [c, d]) => a - c || b - d), found = [];
  for (const half of [sorted, [...sorted].reverse()]) {
    const start = found.length;
    for (const point of half) {
      while (found.length > start + 1) {
        const [[a, b], [c, d]] = found.slice(-2);
        if ((c - a) * (point[1] - b) - (d - b) * (point[0] - a) > 0) break;
        found.pop();
      }
      found.push(point);
    }
    found.pop();
  }
  return found;
}

// 1 in the hull of points, its outline included, as OpenCV fills it: to the nearest pixel, along rows and columns.
function hullMask(points, size) {
  const outline = hull(points.map((point) => point.map((one) => Math.round(clipped(one, -4 * size, 5 * size) * 16) / 16)));
  const mask = picture(size, size, 1);
  for (const axis of [0, 1])
    for (let line = 0; line < size; line++) {
      const met = [];
      outline.forEach((one, k) => {
        const other = outline[(k + 1) % outline.length], [low, high] = [one[1 - axis], other[1 - axis]];
        if (Math.min(low, high) > line || Math.max(low, high) < line) return;
        met.push(low === high ? one[axis] : one[axis] + ((line - low) / (high - low)) * (other[axis] - one[axis]));
        if (low === high) met.push(other[axis]);
      });
      if (!met.length) continue;
      for (let at = Math.max(0, Math.round(Math.min(...met))); at <= Math.min(size - 1, Math.round(Math.max(...met))); at++)
        mask.data[axis ? at * size + line : line * size + at] = 1;
    }
  return mask;
}

// The largest (or, to erode, the smallest) value about each pixel, in a disc or a square.
function grown(image, reach, { square = false, erode = false } = {}) {
  const { width, height } = image, sign = erode ? -1 : 1;
  const reached = (from, across, down) => mapped(from, (_, i) => {
    const x = i % width, y = (i - x) / width;
    let best = -Infinity;
    for (let v = Math.max(0, y - down); v <= Math.min(height - 1, y + down); v++) {
      const wide = square ? across : Math.round(Math.sqrt(reach * reach - (v - y) ** 2));
      for (let at = v * width + Math.max(0, x - wide), end = v * width + Math.min(width - 1, x + wide); at <= end; at++)
        if (sign * from.data[at] > best) best = sign * from.data[at];
    }
    return sign * best;
  });
  return square ? reached(reached(image, reach, 0), 0, reach) : reached(image, reach, reach);
}

const soft = (mask, spread) => blurred(mask, Math.max(spread, 0.3), "replicate");
const reachOf = (radius) => Math.max(1, Math.round(radius));
const BROWS = [17, 27], CHIN = 8;

function faceMask(marks, size, forehead = 0.4, softness = 0.03) {
  const eyes = meanPoint([meanPoint(marks.slice(36, 42)), meanPoint(marks.slice(42, 48))]);
  const up = [0, 1].map((axis) => (eyes[axis] - marks[CHIN][axis]) * forehead);
  const lifted = marks.slice(...BROWS).map(([x, y], k) => [x + up[0] * MASKS._ARCH[k], y + up[1] * MASKS._ARCH[k]]);
  const spread = softness * size;
  return soft(grown(hullMask([...marks, ...lifted], size), reachOf(1.6 * spread), { erode: true }), spread);
}

// Eyes, mouth, nose and skin, which share each pixel out.
function regionMasks(marks, size, grow = 0.03, softness = 0.025) {
  const left = picture(size, size, 1, new Float32Array(size * size).fill(1)), found = [];
  for (const name of ["eyes", "mouth", "nose"]) {
    const part = grown(hullMask(MASKS._POINTS[name].map((k) => marks[k]), size), reachOf(grow * size));
    found.push(masked(soft(part, softness * size), left));
    found[found.length - 1].data.forEach((value, i) => { left.data[i] -= value; });
  }
  return [...found, left];
}

// How far a mouth is open: `featureblend.faces.landmarks.mouth_opening`.
function mouthOpening(marks) {
  const far = (a, b) => Math.hypot(marks[a][0] - marks[b][0], marks[a][1] - marks[b][1]);
  return (far(61, 67) + far(62, 66) + far(63, 65)) / 3 / Math.max(far(60, 64), 1e-9);
}

const rescaledPoints = (points, factor) => points.map((point) => point.map((one) => (one + 0.5) * factor - 0.5));

function outside(grid, centre, radii) {
  return filled(grid, grid, (i) => {
    const x = (i % grid + 0.5) / grid, y = (Math.floor(i / grid) + 0.5) / grid;
    const far = Math.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1]);
    return clipped((far - MASKS.SOFT[0]) / (MASKS.SOFT[1] - MASKS.SOFT[0]), 0, 1);
  });
}

// Shares of background, skin, clothes and hair at each pixel; He and Sun's guided filter sharpens the network's answer.
async function faceParts(image) {
  const side = PARSER.SIDE, unit = (one) => mapped(one, (value) => value / 255);
  const small = unit(rounded(resized(image, side)));
  const [probabilities] = Object.values(await run("face_parser", [1, side, side, 3], small.data));
  const known = luma(small), guide = luma(unit(image)), taps = Array(2 * PARSER.RADIUS + 1).fill(1 / (2 * PARSER.RADIUS + 1));
  const mean = (one) => filtered(one, taps, "reflect"), values = picture(side, side, 4, probabilities);
  const centre = mean(known), level = mean(values), square = mean(masked(known, known)), product = mean(masked(values, known));
  const slope = picture(side, side, 4), offset = picture(side, side, 4);
  for (let i = 0; i < side * side; i++)
    for (let c = 4 * i; c < 4 * i + 4; c++) {
      const variance = square.data[i] - centre.data[i] ** 2;
      slope.data[c] = (product.data[c] - centre.data[i] * level.data[c]) / (variance + PARSER.SMOOTHNESS);
      offset.data[c] = level.data[c] - slope.data[c] * centre.data[i];
    }
  const steep = enlarged(mean(slope), image.width), start = enlarged(mean(offset), image.width);
  for (let i = 0; i < guide.data.length; i++) {
    let total = 0;
    for (let c = 4 * i; c < 4 * i + 4; c++)
      total += start.data[c] = clipped(steep.data[c] * guide.data[i] + start.data[c], 0, 1);
    for (let c = 4 * i; c < 4 * i + 4; c++) start.data[c] /= total;
  }
  return start;
}

// Numbers the patches of pixels that are set and touch, from 1; corners count.
function patches(set, width) {
  const labels = new Int32Array(set.length), height = set.length / width;
  let count = 0;
  for (let start = 0; start < set.length; start++) {
    if (!set[start] || labels[start]) continue;
    const stack = [start];
    labels[start] = ++count;
    while (stack.length) {
      const at = stack.pop(), x = at % width, y = (at - x) / width;
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++)
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++)
          if (set[v * width + u] && !labels[v * width + u]) { labels[v * width + u] = count; stack.push(v * width + u); }
    }
  }
  return { labels, count };
}

// Skin of the person in the middle, surely: not that of others, nor of what looks like it in the background.
function skinOf(parts) {
  const [, skin, clothes, hair] = [0, 1, 2, 3].map((c) => channel(parts, c)), side = parts.width;
  const around = (set) => grown(picture(side, side, 1, Float32Array.from(set)), Math.round(PARSER.EDGE * side), { square: true });
  let head = combined([skin, hair], [1, 1]);
  const worn = patches(clothes.data.map((value) => value > 0.5), side);
  const high = new Set(worn.labels.subarray(0, Math.round(PARSER.ABOVE_EYES * side) * side));
  high.delete(0);
  if (high.size)
    head = combined([head, masked(clothes, around(Array.from(worn.labels, (label) => high.has(label) ? 1 : 0)))], [1, 1]);
  const found = patches(head.data.map((value) => value > 0.5), side);
  if (found.count > 1) {
    const seen = new Int32Array(found.count + 1), low = Math.floor((3 * side) / 8), end = Math.floor((5 * side) / 8);
    for (let y = low; y < end; y++) for (let x = low; x < end; x++) seen[found.labels[y * side + x]]++;
    const own = 1 + seen.subarray(1).indexOf(Math.max(...seen.subarray(1)));
    head = masked(head, around(Array.from(found.labels, (label) => (label === own ? 1 : 0))));
  }
  const [low, high_] = SETTINGS.constants.skin.SURE;
  return mapped(skin, (value, i) => clipped((Math.min(value, head.data[i]) - low) / (high_ - low), 0, 1));
}

function anyonesHair(parts) {
  const side = parts[0].width, [low, high] = PARSER.SURE_HAIR, spread = PARSER.HAIR_REACH * side;
  const sure = filled(side, side, (i) =>
    clipped((Math.max(...parts.map(({ data }) => data[4 * i + 3])) - low) / (high - low), 0, 1));
  return blurred(grown(sure, reachOf(spread), { square: true }), Math.max(0.5, spread));
}
