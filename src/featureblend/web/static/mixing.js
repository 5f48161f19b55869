"use strict";
// How the latents of two faces become one: `featureblend.model.mixing` and `fine_mixing` in Python.

const { fine_mixing: FINE } = SETTINGS.constants;

// Hair and background go to the source first: min(1, N w).
function sourceWeights(weights, source) {
  const first = Math.min(1, weights.length * weights[source]), others = 1 - weights[source];
  return weights.map((weight, n) => (n === source ? first : others > 0 ? (weight * (1 - first)) / others : 0));
}

// Shares at each place: by weight where the mask is 0, of the surroundings where it is 1; where there is hair it is 1.
function placed(inside, around, mask, hair) {
  const grid = mask.width, of = scaled(hair, grid, grid, "area");
  const far = mapped(mask, (value, i) => Math.max(value, of.data[i]));
  return inside.map((share, n) => mapped(far, (value) => share * (1 - value) + around[n] * value));
}

function partOf(latent, name) { // channels last, as a picture
  const [start] = SETTINGS.layout[name], [channels, grid] = SETTINGS.layout[`${name}_shape`];
  return mapped(picture(grid, grid, channels), (_, i) => latent[start + (i % channels) * grid * grid + Math.floor(i / channels)]);
}

function setPart(latent, name, { channels, width, data }) {
  const [start] = SETTINGS.layout[name], places = width * width;
  data.forEach((value, i) => { latent[start + (i % channels) * places + Math.floor(i / channels)] = value; });
}

const sharedOut = (maps, shares) => combined(maps.map((map, n) => masked(map, shares[n])), maps.map(() => 1));
const energyOf = ({ width, height, channels, data }) =>
  filled(width, height, (i) => {
    let total = 0;
    for (let c = i * channels; c < (i + 1) * channels; c++) total += data[c] * data[c];
    return total;
  });
const broad = (map, spread) => filtered(map, gaussianTaps(spread, Math.ceil(3 * spread)), "replicate");
const counting = (shares, i) => 1 / sum(shares.map(({ data }) => data[i] ** 2));

function lineShares(lines, shares, lead) {
  const energies = lines.map((one) => broad(energyOf(one), FINE.NEAR));
  const pulls = energies.map(({ data }, n) => {
    const least = FINE.UNSEEN * (sum(data) / data.length) + FINE.EPS;
    return data.map((value, i) => (value + least) * Math.exp(FINE.PULL * lead[n].data[i]));
  });
  const found = shares.map((share) => like(share, new Float32Array(share.data.length)));
  for (let i = 0; i < shares[0].data.length; i++) {
    const choosing = clipped(2 - counting(shares, i) / 2, 0, 1), most = Math.max(...pulls.map((pull) => pull[i]));
    const drawn = shares.map(({ data }, n) => data[i] * ((data[i] * pulls[n][i]) / most) ** choosing), total = sum(drawn);
    drawn.forEach((value, n) => { found[n].data[i] = value / total; });
  }
  return found;
}

function keptEnergy(parts, shares) {
  const mean = sharedOut(parts, shares), wanted = sharedOut(parts.map(energyOf), shares), has = energyOf(mean);
  return masked(mean, mapped(has, (value, i) => {
    const count = counting(shares, i);
    return Math.min(Math.sqrt((wanted.data[i] + FINE.EPS) / (value + FINE.EPS)), Math.sqrt(clipped(4 / count, 1, count)));
  }));
}

// `around`: shares in hair and background. `hair`: where either face has hair.
function mixed(latents, weights, around, hair) {
  const latent = latents[0].map((_, i) => sum(weights.map((weight, n) => weight * latents[n][i])));
  const spatial = latents.map((one) => partOf(one, "spatial"));
  setPart(latent, "spatial", sharedOut(spatial, placed(weights, around, outside(spatial[0].width, MASKS.CENTRE, MASKS.RADII), hair)));
  const fine = latents.map((one) => partOf(one, "fine")), grid = fine[0].width;
  const shares = placed(weights, around, outside(grid, MASKS.CENTRE, MASKS.RADII), hair);
  const ofLines = placed(weights, around, outside(grid, MASKS.FEATURES_CENTRE, MASKS.FEATURES_RADII), hair);
  const lead = weights.map((weight, n) => filled(grid, grid, (i) =>
    (weight - around[n]) * clipped((MASKS.MOUTH_BEGINS - (Math.floor(i / grid) + 0.5) / grid) / MASKS.MOUTH_SOFT, -1, 1)));
  const low = fine.map((one) => broad(one, FINE.BROAD)), lines = fine.map((one, n) => combined([one, low[n]], [1, -1]));
  setPart(latent, "fine", combined([sharedOut(low, shares), keptEnergy(lines, lineShares(lines, ofLines, lead))], [1, 1]));
  return latent;
}
