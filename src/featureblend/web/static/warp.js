"use strict";
// The thin-plate spline that warps a face to a shape: `featureblend.faces.warp` in Python.

const { warp: WARP } = SETTINGS.constants;

const meanShape = (shapes, weights) =>
  shapes[0].map((_, k) => [0, 1].map((axis) => sum(shapes.map((shape, n) => weights[n] * shape[k][axis]))));

function borderPoints(side) {
  const along = Array.from({ length: WARP.BORDER_POINTS - 1 }, (_, k) => (k / (WARP.BORDER_POINTS - 1)) * (side - 1));
  const last = side - 1;
  return [
    ...along.map((a) => [a, 0]), ...along.map((a) => [last, a]), ...along.map((a) => [last - a, last]),
    ...along.map((a) => [0, last - a]),
  ];
}

const kernelOf = (squared) => { const floored = Math.max(squared, 1e-12); return floored * Math.log(floored); };
const squaredDistance = ([a, b], [c, d]) => (a - c) ** 2 + (b - d) ** 2;

// Solves a square system for two right sides, by elimination with pivots.
function solved(system, right) {
  const count = system.length, rows = system.map((row, i) => Float64Array.from([...row, ...right[i]]));
  for (let k = 0; k < count; k++) {
    let best = k;
    for (let i = k + 1; i < count; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[best][k])) best = i;
    [rows[k], rows[best]] = [rows[best], rows[k]];
    for (let i = k + 1; i < count; i++) {
      const factor = rows[i][k] / rows[k][k];
      if (factor) for (let j = k; j < count + 2; j++) rows[i][j] -= factor * rows[k][j];
    }
  }
  for (let k = count - 1; k >= 0; k--)
    for (let axis = 0; axis < 2; axis++) {
      for (let j = k + 1; j < count; j++) rows[k][count + axis] -= rows[k][j] * rows[j][count + axis];
      rows[k][count + axis] /= rows[k][k];
    }
  return rows.map((row) => [row[count], row[count + 1]]);
}

// For each pixel of the warped square, where it is read in the original: (x, y) one after the other.
function warpMap(side, landmarks, target) {
  const border = borderPoints(side), points = [...target, ...border].map(([x, y]) => [x / side, y / side]);
  const count = points.length, known = target.length;
  const displacement = [...target.map(([x, y], k) => [landmarks[k][0] - x, landmarks[k][1] - y]), ...border.map(() => [0, 0])];
  const system = points.map((one, i) => {
    const row = points.map((other) => kernelOf(squaredDistance(one, other)));
    row[i] += WARP.STIFFNESS;
    if (i >= known) {
      const nearest = Math.min(...points.slice(0, known).map((other) => squaredDistance(one, other)));
      row[i] += Math.exp(-nearest / WARP.YIELD_DISTANCE ** 2);
    }
    return [...row, 1, ...one];
  });
  for (let k = 0; k < 3; k++) system.push([...points.map(([x, y]) => [1, x, y][k]), 0, 0, 0]);
  const solution = solved(system, [...displacement, [0, 0], [0, 0], [0, 0]]);
  const step = Math.max(1, Math.floor(side / WARP.GRID_CELLS)), nodes = Math.ceil(side / step) + 4;
  const coarse = picture(nodes, nodes, 2);
  for (let j = 0; j < nodes; j++)
    for (let i = 0; i < nodes; i++) {
      const node = [((i - 1) * step) / side, ((j - 1) * step) / side], at = 2 * (j * nodes + i);
      let x = solution[count][0] + node[0] * solution[count + 1][0] + node[1] * solution[count + 2][0];
      let y = solution[count][1] + node[0] * solution[count + 1][1] + node[1] * solution[count + 2][1];
      for (let k = 0; k < count; k++) {
        const value = kernelOf(squaredDistance(node, points[k]));
        x += value * solution[k][0];
        y += value * solution[k][1];
      }
      coarse.data[at] = x;
      coarse.data[at + 1] = y;
    }
  const spline = table(side, 4, (i) => { // Keys's cubic convolution, a = -0.5
    const first = Math.floor(i / step), share = i / step - first;
    return [share + 1, share, 1 - share, 2 - share].map((d, k) =>
      [first + k, k % 3 ? (1.5 * d - 2.5) * d * d + 1 : ((-0.5 * d + 2.5) * d - 4) * d + 2]);
  });
  const { data } = resampled(coarse, spline, spline);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      data[2 * (y * side + x)] += x;
      data[2 * (y * side + x) + 1] += y;
    }
  return data;
}

// A picture with a frame around it, warped to a shape: values from 0 to 255, not rounded.
function warpedTo(image, landmarks, target, frame = 0) {
  const side = image.width - 2 * frame, places = warpMap(side, landmarks, target);
  if (frame) for (let i = 0; i < places.length; i++) places[i] += frame;
  return clippedPicture(remapped(image, places, side, side));
}
