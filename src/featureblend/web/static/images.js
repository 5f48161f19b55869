"use strict";
// Operations on pictures, as OpenCV does them. A picture is {width, height, channels, data}, row by row, with values
// from 0 to 255 unless said otherwise; the centres of pixels lie at whole numbers.

const picture = (width, height, channels, data = new Float32Array(width * height * channels)) => ({
  width, height, channels, data,
});
const like = (image, data) => picture(image.width, image.height, image.channels, data);
// A mask whose values `of` gives for each place, counted row by row.
function filled(width, height, of) {
  const found = picture(width, height, 1);
  for (let i = 0; i < found.data.length; i++) found.data[i] = of(i);
  return found;
}
function mapped(image, of) {
  const { data } = image, found = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) found[i] = of(data[i], i);
  return like(image, found);
}
const clipped = (value, low, high) => Math.min(Math.max(value, low), high);
const rounded = (image) => mapped(image, (value) => clipped(Math.floor(value + 0.5), 0, 255));
function roundedEven(image) { // as OpenCV rounds means: halves to even
  return mapped(image, (value) => {
    const low = Math.floor(value), rest = value - low;
    return clipped(rest > 0.5 || (rest === 0.5 && low % 2) ? low + 1 : low, 0, 255);
  });
}
const clippedPicture = (image) => mapped(image, (value) => clipped(value, 0, 255));
const sum = (values) => values.reduce((total, value) => total + value, 0);

// Where a place beyond the border of `length` places is read: mirrored at the last pixel's middle ("reflect101") or at
// its edge ("reflect"), or the last pixel ("replicate").
function bordered(place, length, border) {
  if (border === "replicate" || length === 1) return clipped(place, 0, length - 1);
  const past = border === "reflect101" ? 0 : 1;
  while (place < 0 || place >= length) place = place < 0 ? -place - past : 2 * length - 2 + past - place;
  return place;
}

// Weighted sums along one side after the other. A table holds for each new place the old ones it reads and their weights.
function resampled(image, across, down) {
  const { height, channels } = image, { taps, count: width } = across, row = width * channels;
  const wide = new Float32Array(height * row), read = channels === 3 ? readColours : readValues;
  const places = across.places.map((place) => place * channels);
  for (let y = 0; y < height; y++)
    read(image.data.subarray(y * image.width * channels, (y + 1) * image.width * channels),
      wide.subarray(y * row, (y + 1) * row), places, across.weights, taps, channels);
  const found = picture(width, down.count, channels), none = new Float32Array(row);
  for (let y = 0; y < down.count; y++) {
    const sums = found.data.subarray(y * row, (y + 1) * row), due = [];
    for (let at = y * down.taps; at < (y + 1) * down.taps; at++) if (down.weights[at]) due.push(at);
    const rowAt = (at) => at === undefined ? none : wide.subarray(down.places[at] * row, (down.places[at] + 1) * row);
    for (let k = 0; k < due.length; k += 4) { // four rows at a time, which is faster
      const [a, b, c, d] = [0, 1, 2, 3].map((j) => rowAt(due[k + j]));
      const [p, q, r, s] = [0, 1, 2, 3].map((j) => k + j < due.length ? down.weights[due[k + j]] : 0);
      for (let i = 0; i < row; i++) sums[i] += p * a[i] + q * b[i] + r * c[i] + s * d[i];
    }
  }
  return found;
}

function readColours(from, to, places, weights, taps) {
  for (let x = 0, at = 0; x < to.length; x += 3) {
    let red = 0, green = 0, blue = 0;
    for (const end = at + taps; at < end; at++) {
      const weight = weights[at], place = places[at];
      red += weight * from[place];
      green += weight * from[place + 1];
      blue += weight * from[place + 2];
    }
    to[x] = red;
    to[x + 1] = green;
    to[x + 2] = blue;
  }
}

function readValues(from, to, places, weights, taps, channels) {
  for (let x = 0, at = 0; x < to.length; x += channels, at += taps)
    for (let c = 0; c < channels; c++) {
      let total = 0;
      for (let k = at; k < at + taps; k++) total += weights[k] * from[places[k] + c];
      to[x + c] = total;
    }
}

function table(count, taps, of) {
  const made = { count, taps, places: new Int32Array(count * taps), weights: new Float32Array(count * taps) };
  for (let i = 0; i < count; i++)
    of(i).forEach(([place, weight], k) => {
      made.places[i * taps + k] = place;
      made.weights[i * taps + k] = weight;
    });
  return made;
}

const CUBIC = -0.75;
function cubicTaps(share) {
  const far = (d) => ((CUBIC * d - 5 * CUBIC) * d + 8 * CUBIC) * d - 4 * CUBIC;
  const near = (d) => ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1;
  return [far(share + 1), near(share), near(1 - share), far(2 - share)];
}

const TAPS = { linear: (share) => [1 - share, share], cubic: cubicTaps };

function scalingTable(from, to, kind) {
  const scale = from / to;
  if (kind === "area")
    return table(to, Math.ceil(scale) + 2, (i) => {
      const start = i * scale, end = start + scale, found = [];
      for (let place = Math.floor(start); place < Math.min(from, Math.ceil(end - 1e-9)); place++)
        found.push([place, (Math.min(end, place + 1) - Math.max(start, place)) / scale]);
      return found;
    });
  const count = TAPS[kind](0).length;
  return table(to, count, (i) => {
    const at = (i + 0.5) * scale - 0.5, first = Math.floor(at);
    return TAPS[kind](at - first).map((weight, k) => [clipped(first + k + 1 - count / 2, 0, from - 1), weight]);
  });
}

function scaled(image, width, height, kind) {
  if (image.width === width && image.height === height) return image;
  return resampled(image, scalingTable(image.width, width, kind), scalingTable(image.height, height, kind));
}

// A square picture: area means where it shrinks, cubic where it grows; `resized` in Python.
const resized = (image, side) => scaled(image, side, side, side < image.width ? "area" : "cubic");
const enlarged = (image, side) => scaled(image, side, side, "linear");

function filtered(image, taps, border) {
  const reach = (taps.length - 1) / 2;
  const along = (length) => {
    if (taps.length <= length)
      return table(length, taps.length, (i) => taps.map((weight, k) => [bordered(i + k - reach, length, border), weight]));
    return table(length, length, (i) => { // a blur wider than the picture reads each place more than once
      const shares = Array.from({ length }, (_, place) => [place, 0]);
      taps.forEach((weight, k) => { shares[bordered(i + k - reach, length, border)][1] += weight; });
      return shares;
    });
  };
  const across = along(image.width);
  return resampled(image, across, image.height === image.width ? across : along(image.height));
}

function gaussianTaps(deviation, reach) {
  const taps = Array.from({ length: 2 * reach + 1 }, (_, k) => Math.exp(-((k - reach) ** 2) / (2 * deviation ** 2)));
  return taps.map((tap) => tap / sum(taps));
}

const blurred = (image, deviation, border = "reflect101") =>
  filtered(image, gaussianTaps(deviation, Math.round(deviation * 8 + 1) >> 1), border);

// Maps a picture by an affine matrix, which takes its pixels to the result's. Positions count in 32nds of a pixel, what
// column and row add to them in 1,024ths.
function warpedAffine(image, matrix, width, height, kind, border) {
  const back = inverted(matrix), { channels, data } = image;
  const found = picture(width, height, channels), count = TAPS[kind](0).length;
  const tables = Array.from({ length: 32 }, (_, k) => TAPS[kind](k / 32));
  const columns = new Int32Array(count);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const u = (Math.round(back[0][0] * x * 1024) + Math.round((back[0][1] * y + back[0][2]) * 1024) + 16) >> 5;
      const v = (Math.round(back[1][0] * x * 1024) + Math.round((back[1][1] * y + back[1][2]) * 1024) + 16) >> 5;
      const left = (u >> 5) + 1 - count / 2, top = (v >> 5) + 1 - count / 2;
      const across = tables[u & 31], down = tables[v & 31], to = (y * width + x) * channels;
      const inside = left >= 0 && left + count <= image.width;
      for (let k = 0; k < count; k++)
        columns[k] = inside ? left + k : border ? bordered(left + k, image.width, border)
          : left + k < 0 || left + k >= image.width ? -1 : left + k;
      for (let j = 0; j < count; j++) {
        let row = top + j;
        if (row < 0 || row >= image.height) {
          if (!border) continue;
          row = bordered(row, image.height, border);
        }
        for (let k = 0; k < count; k++) {
          if (columns[k] < 0) continue;
          const weight = down[j] * across[k], from = (row * image.width + columns[k]) * channels;
          for (let c = 0; c < channels; c++) found.data[to + c] += weight * data[from + c];
        }
      }
    }
  return rounded(found);
}

const LANCZOS = Array.from({ length: 32 }, (_, share) => {
  if (!share) return [0, 0, 0, 1, 0, 0, 0, 0];
  const taps = Array.from({ length: 8 }, (_, k) => {
    const at = Math.PI * (share / 32 + 3 - k);
    return (Math.sin(at) * Math.sin(at / 4)) / (at * at);
  });
  return taps.map((tap) => tap / sum(taps));
});

// Reads a picture of three channels at places (x, y), by Lanczos's kernel of 8 x 8 pixels, mirrored beyond the border.
function remapped(image, places, width, height) {
  const found = picture(width, height, 3), { data } = image, columns = new Int32Array(8);
  for (let i = 0; i < width * height; i++) {
    const u = Math.round(places[2 * i] * 32), v = Math.round(places[2 * i + 1] * 32);
    const across = LANCZOS[u & 31], down = LANCZOS[v & 31], left = (u >> 5) - 3, top = (v >> 5) - 3;
    for (let k = 0; k < 8; k++)
      columns[k] = 3 * (left >= 0 && left + 8 <= image.width ? left + k : bordered(left + k, image.width, "reflect101"));
    let red = 0, green = 0, blue = 0;
    for (let j = 0; j < 8; j++) {
      const inside = top + j >= 0 && top + j < image.height;
      const row = 3 * image.width * (inside ? top + j : bordered(top + j, image.height, "reflect101"));
      let r = 0, g = 0, b = 0;
      for (let k = 0; k < 8; k++) {
        const at = row + columns[k], weight = across[k];
        r += weight * data[at];
        g += weight * data[at + 1];
        b += weight * data[at + 2];
      }
      red += down[j] * r;
      green += down[j] * g;
      blue += down[j] * b;
    }
    found.data[3 * i] = red;
    found.data[3 * i + 1] = green;
    found.data[3 * i + 2] = blue;
  }
  return found;
}

// Burt and Adelson's pyramids; sides are even at every level.
const REDUCE = [1, 4, 6, 4, 1].map((tap) => tap / 16);
function halved(image) {
  const along = (length) =>
    table(length / 2, 5, (i) => REDUCE.map((weight, k) => [bordered(2 * i + k - 2, length, "reflect101"), weight]));
  return resampled(image, along(image.width), along(image.height));
}
function doubled(image) {
  const along = (length) =>
    table(2 * length, 3, (i) => {
      const at = i >> 1, before = at ? at - 1 : Math.min(1, length - 1), after = Math.min(at + 1, length - 1);
      return i % 2 ? [[at, 0.5], [after, 0.5]] : [[before, 0.125], [at, 0.75], [after, 0.125]];
    });
  return resampled(image, along(image.width), along(image.height));
}
function gaussianPyramid(image, levels) {
  const found = [image];
  for (let k = 0; k < levels; k++) found.push(halved(found[k]));
  return found;
}
function laplacianPyramid(image, levels, largest = Infinity) { // bands of more pixels a side than `largest` are left out
  const means = gaussianPyramid(image, levels);
  return means.map((mean, k) =>
    k === levels || mean.width > largest ? mean : combined([mean, doubled(means[k + 1])], [1, -1]));
}
const collapsed = (bands) => bands.reduceRight((coarse, band) => combined([doubled(coarse), band], [1, 1]));

// A weighted sum of pictures.
function combined(images, weights) {
  const found = like(images[0], new Float32Array(images[0].data.length));
  images.forEach(({ data }, n) => {
    const weight = weights[n];
    if (weight) for (let i = 0; i < data.length; i++) found.data[i] += weight * data[i];
  });
  return found;
}

// A picture times a mask of one channel.
function masked(image, mask) {
  const { channels } = image, found = like(image, new Float32Array(image.data.length));
  for (let i = 0; i < mask.data.length; i++)
    for (let c = 0; c < channels; c++) found.data[i * channels + c] = image.data[i * channels + c] * mask.data[i];
  return found;
}

const channel = ({ width, height, channels, data }, c) => filled(width, height, (i) => data[i * channels + c]);
const luma = ({ width, height, data }) =>
  filled(width, height, (i) => 0.299 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2]);

// 2 x 3 matrices, as lists of rows.
function inverted([[a, b, e], [c, d, f]]) {
  const det = a * d - b * c;
  return [[d / det, -b / det, (b * f - d * e) / det], [-c / det, a / det, (c * e - a * f) / det]];
}
const after = (matrix, first) => // `first`, then `matrix`
  matrix.map(([a, b, c]) => [0, 1, 2].map((k) => a * first[0][k] + b * first[1][k] + (k === 2 ? c : 0)));
const moved = (points, [[a, b, e], [c, d, f]]) => points.map(([x, y]) => [a * x + b * y + e, c * x + d * y + f]);
const rescaling = (factor) => [[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2]];
