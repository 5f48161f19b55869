"use strict";
// What the networks do not draw: the skin's colour, and the photos' own fine detail. `featureblend.blend.compositing`'s
// `skin`, `detail`, `detail_weights` and `fusion` in Python.

const { skin: SKIN, detail: DETAIL, detail_weights: CHOICE, fusion: FUSION } = SETTINGS.constants;

// A wide blur needs no pixels: it is made at a quarter of the side.
function blurredWide(image, deviation) {
  if (deviation < 16) return blurred(image, deviation);
  return enlarged(blurred(resized(image, image.width / 4), deviation / 4), image.width);
}

// Carries pictures' values from where they are known to everywhere, the nearest counting most.
function spreadOut(images, known) {
  const unit = known.width / 128, steps = [[5, 1], [10, 1e-1], [20, 1e-2], [40, 1e-3]];
  const everywhere = (image) =>
    combined(steps.map(([deviation]) => blurredWide(image, deviation * unit)), steps.map(([, share]) => share));
  const share = mapped(everywhere(known), (value) => 1 / (value + 1e-6));
  return images.map((image) => masked(everywhere(masked(image, known)), share));
}

// Recolours skin from `old` to `new` and keeps its shading, as far as `share` says.
function tinted(image, old, wanted, share) {
  const found = like(image, new Float32Array(image.data.length)), levels = [image, old, wanted].map((one) => luma(one).data);
  for (let i = 0; i < share.data.length; i++) {
    const [level, was, becomes] = levels.map((one) => one[i]);
    const gain = clipped(Math.max(becomes, 1) / Math.max(was, 1), ...SKIN.TINT_GAIN), there = Math.min(was * gain, 255);
    const dark = level <= was, left = dark ? level / Math.max(was, 1) : (255 - level) / Math.max(255 - was, 1);
    const moved_ = dark ? level * gain : there + (level - was) * Math.min(1, (255 - there) / Math.max(255 - was, 1));
    const kept = Math.min(1, gain);
    for (let c = 3 * i; c < 3 * i + 3; c++) {
      const value = image.data[c];
      const chroma = left * (wanted.data[c] - becomes) + kept * (value - level - left * (old.data[c] - was));
      found.data[c] = value + share.data[i] * (moved_ + chroma - value);
    }
  }
  return found;
}

const without = (mask, hair) => mapped(mask, (value, i) => value * (1 - hair.data[i]));

// Sets the broad band of a decoded face to the mean of its parents' pixels, and skin around it to the face's colour.
function withMeanColour(decoded, mean, around, marks, skin, hair) {
  const size = decoded.width, core = without(faceMask(marks, size, 0, 0.02), hair), deep = without(faceMask(marks, size, 0), hair);
  const wanted = tinted(around, ...spreadOut([around, mean], deep), mapped(skin, () => 1));
  const known = mapped(core, (value, i) => Math.max(value, skin.data[i]));
  const change = mapped(wanted, (value, i) => {
    const p = Math.floor(i / 3);
    return (value + core.data[p] * (mean.data[i] - value) - decoded.data[i]) * known.data[p];
  });
  const low = blurred(change, SKIN.LOW_BAND * size), weight = blurred(known, SKIN.LOW_BAND * size);
  return rounded(mapped(decoded, (value, i) => {
    const p = Math.floor(i / 3);
    return value + (known.data[p] * low.data[i]) / (weight.data[p] + 1e-3);
  }));
}

function agreement(first, second, where) { // correlation of two bands
  let both = 0, one = 0, other = 0;
  where.data.forEach((weight, i) => {
    both += weight * first.data[i] * second.data[i];
    one += weight * first.data[i] ** 2;
    other += weight * second.data[i] ** 2;
  });
  return both / Math.sqrt(one * other + 1e-6);
}

// Whose detail each region of the face has: a row of shares for each.
function faceShares(parents, blend, weights, around, regions, core, pulls) {
  const side = core.width, band = (image) => {
    const grey = luma(image);
    return combined([blurred(grey, 0.012 * side), blurred(grey, 0.09 * side)], [1, -1]);
  };
  const bands = parents.map(band), drawn = band(blend), load = [...around];
  return regions.map((region, place) => {
    const where = masked(region, core);
    const logs = bands.map((one, n) =>
      CHOICE.POWER * Math.log(weights[n]) + CHOICE.AGREEMENT * agreement(one, drawn, where) - CHOICE.BALANCE * load[n]
        + (place === DETAIL.MOUTH ? pulls[n] : 0));
    const powers = logs.map((one) => Math.exp(one - Math.max(...logs))), row = powers.map((one) => one / sum(powers));
    row.forEach((share, n) => { load[n] += share / regions.length; });
    return row;
  });
}

function ownShare(weights) {
  const count = weights.length, over = ((Math.max(...weights) - 1 / count) * count) / (count - 1);
  return Math.max(0, 1 - Math.abs(1 - over)) ** 2;
}

const parentShare = (side) =>
  clipped(Math.log2(side / DETAIL.BLEND_SIDE) / Math.log2(DETAIL.PARENT_SIDE / DETAIL.BLEND_SIDE), 0, 1);
const guideOf = (image) => clippedPicture(resized(image, DETAIL.GUIDE));
const brightness = ({ width, height, data }) =>
  blurred(filled(width, height, (i) => (data[3 * i] + data[3 * i + 1] + data[3 * i + 2]) / 3), 3.8);

// How far parents' lines match at each place.
function matchMeasure(bands, weights) {
  const greys = bands.map(luma), near = (image) => blurred(image, FUSION.NEAR);
  const mean = near(mapped(combined(greys, weights), (value) => value ** 2));
  const energy = near(combined(greys.map((grey) => mapped(grey, (value) => value ** 2)), weights));
  const alone = sum(weights.map((share) => share ** 2));
  return mapped(mean, (value, i) =>
    ((value + FUSION.FAINT) / (energy.data[i] + FUSION.FAINT) - alone) / Math.max(1 - alone, 1e-6));
}

// What takes a blend's face to the weighted mean of its parents, as far as their lines match.
function towardMean(made, parents, weights, around, where) {
  const levels = Math.floor(Math.log2(where.width / 8)), pyramids = parents.map((one) => laplacianPyramid(one, levels));
  const leaning = weights.map((share, n) => share * Math.exp(FUSION.LEAN * (share - around[n])));
  const lines = leaning.map((share) => share / sum(leaning)), [least, most] = FUSION.MATCH;
  const places = gaussianPyramid(where, levels);
  return blurred(collapsed(laplacianPyramid(made, levels).map((band, k) => {
    const bands = pyramids.map((one) => one[k]), fine = band.width >= FUSION.LINES_SIDE;
    let taken = places[k];
    if (fine) taken = masked(taken, mapped(matchMeasure(bands, lines), (value) => clipped((value - least) / (most - least), 0, 1)));
    return masked(combined([...bands, band], [...(fine ? lines : weights), -1]), taken);
  })), FUSION.FINEST);
}

// How far mouths differ, 0 to 1, and what of it speaks for each parent's mouth.
function mouthsApart(openings, weights) {
  const rising = (value, [least, most]) => clipped((value - least) / (most - least), 0, 1);
  const mean = sum(openings.map((one, n) => weights[n] * one)), lead = openings.map((one) => one - mean);
  const spread = Math.sqrt(sum(lead.map((one, n) => weights[n] * one ** 2)));
  const closed = Math.min(...openings.filter((_, n) => weights[n] > 0));
  const apart = rising(2 * spread, DETAIL.MOUTHS_APART) * (1 - rising(closed, DETAIL.CLOSED));
  return [apart, lead.map((one) => DETAIL.MOUTH_PULL * apart * one)];
}

// The blend with its parents' fine detail, at their size; the parents are warped to its shape.
async function addDetail(blend, parents, weights, marks, around, skin, hair, openings) {
  const size = parents[0].width, side = DETAIL.GUIDE, own = ownShare(weights), guides = parents.map(guideOf), guide = guideOf(blend);
  const points = rescaledPoints(marks, side / size), hairy = clippedPicture(resized(hair, side));
  const inside = without(faceMask(points, side, 0.075), hairy), core = without(faceMask(points, side, 0, 0.02), hairy);
  const deep = without(faceMask(points, side, 0, 0.03), hairy), regions = regionMasks(points, side);
  const [apart, pulls] = mouthsApart(openings, weights);
  const rows = faceShares(guides, guide, weights, around, regions, core, pulls);
  const chosen = parents.map((_, n) => combined(regions, rows.map((row) => row[n])));
  const [was, aim] = spreadOut([combined(guides, around), guide], deep);
  const becomes = combined([was, aim], [own, 1 - own]), donor = brightness(sharedOut(guides, chosen)), light = brightness(guide);
  const gain = mapped(light, (value, i) =>
    clipped((value + 16) / (donor.data[i] + 16), ...DETAIL.CONTRAST_GAIN) ** (1 - own));

  const powers = around.map((share) => share ** DETAIL.OUTLINES), clearer = powers.map((power) => power / sum(powers));
  let outside_ = combined(parents, around), shown = skin;
  if (skin.width < Math.min(size, DETAIL.SKIN_SIDE))
    shown = skinOf(await faceParts(rounded(clippedPicture(resized(outside_, Math.min(size, DETAIL.SKIN_SIDE))))));
  const tint = (image) => tinted(image, enlarged(was, size), enlarged(becomes, size), enlarged(shown, size));
  const alone = around.some((share) => share === 1);
  const outlines = alone ? null : tint(combined(parents, clearer));
  outside_ = tint(outside_);
  const detail = sharedOut(parents, chosen.map((share) => enlarged(share, size)));
  const levels = Math.floor(Math.log2(size / 8)), masks = gaussianPyramid(enlarged(inside, size), levels);
  const gains = gaussianPyramid(enlarged(gain, size), levels);
  const large = clippedPicture(resized(blend, size));
  const softBands = laplacianPyramid(large, levels, DETAIL.PARENT_SIDE - 1); // of the others nothing is taken
  const [fineBands, outBands] = [detail, outside_].map((image) => laplacianPyramid(image, levels));
  const clearBands = alone ? outBands : laplacianPyramid(outlines, levels);
  const made = collapsed(softBands.map((softBand, k) => {
    const last = k === levels, fine = fineBands[k].data, width = softBand.width;
    const out = (width >= DETAIL.OUTLINES_SIDE ? clearBands : outBands)[k].data;
    const taken = own + (1 - own) * (last ? 0 : parentShare(width));
    return mapped(softBand, (value, i) => {
      const p = Math.floor(i / 3), face = (1 - taken) * value + taken * (last ? 1 : gains[k].data[p]) * fine[i];
      return out[i] + masks[k].data[p] * (face - out[i]);
    });
  }));
  const whole = mapped(without(faceMask(points, side, 0, DETAIL.WHOLE_SOFT), hairy), (value) => value * (1 - own));
  const change = resized(towardMean(guideOf(made), guides, weights, around, whole), size);
  const found = combined([made, change], [1, 1]);
  if (!apart || own === 1) return rounded(found);
  const whose = rows[DETAIL.MOUTH], seen = without(deep, regions[DETAIL.MOUTH]);
  const skins = spreadOut([combined(guides, whose), guideOf(found)], seen).map((one) => enlarged(one, size));
  const lips = masked(regionMasks(points, side, ...DETAIL.LIPS)[DETAIL.MOUTH], inside);
  const share = enlarged(mapped(lips, (value) => value * apart * (1 - own)), size);
  const mouth = tinted(combined(parents, whose), ...skins, mapped(share, () => 1));
  return rounded(mapped(found, (value, i) => value + share.data[Math.floor(i / 3)] * (mouth.data[i] - value)));
}
