"use strict";
// From two photos to a blend: `featureblend.blend.pipeline` in Python.

const networks = {};
let runtime = null;

async function unpacked(name) { // what the scripts of files/ hold: gzip, as text
  const packed = Uint8Array.from(atob(FILES[name]), (letter) => letter.charCodeAt(0));
  delete FILES[name];
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function loadNetworks(said = () => {}) {
  const code = new Blob([await unpacked("runtime.mjs")], { type: "text/javascript" });
  runtime = await import(URL.createObjectURL(code));
  Object.assign(runtime.env.wasm, { wasmBinary: await unpacked("runtime.wasm"), numThreads: 1 });
  runtime.env.logLevel = "error";
  for (const name of SETTINGS.networks) {
    said(name);
    networks[name] = await runtime.InferenceSession.create(await unpacked(name), { executionProviders: ["wasm"] });
  }
}

// What a network with one input makes of it: flat arrays by name.
async function run(name, shape, values) {
  const network = networks[name], input = new runtime.Tensor("float32", values, shape);
  const results = await network.run({ [network.inputNames[0]]: input });
  return Object.fromEntries(Object.entries(results).map(([key, tensor]) => [key, tensor.data]));
}

async function encoded(images) {
  const side = SETTINGS.imageSize, places = side * side, seen = new Float32Array(images.length * 3 * places);
  images.forEach(({ data }, n) => {
    for (let i = 0; i < places; i++)
      for (let c = 0; c < 3; c++) seen[(3 * n + c) * places + i] = data[3 * i + c] / 127.5 - 1;
  });
  const [flat] = Object.values(await run("encoder", [images.length, 3, side, side], seen));
  return images.map((_, n) => flat.subarray((n * flat.length) / images.length, ((n + 1) * flat.length) / images.length));
}

async function decoded(latent) {
  const side = SETTINGS.imageSize, places = side * side;
  const [flat] = Object.values(await run("decoder", [1, latent.length], latent));
  return rounded(mapped(picture(side, side, 3), (_, i) => (flat[(i % 3) * places + Math.floor(i / 3)] + 1) * 127.5));
}

// `alpha` is the second face's weight, `source` (0 or 1) whose hair and background it is, as far as alpha allows.
async function blendFaces(faces, alpha, source, size, detail = true) {
  const weights = [1 - alpha, alpha], around = sourceWeights(weights, source), side = SETTINGS.imageSize;
  const shape = meanShape(faces.map((face) => face.landmarks), weights);
  const images = faces.map((face) => rounded(warpedTo(face.crop, face.landmarks, shape)));
  const latents = await encoded(images), parts = [];
  for (const image of images) parts.push(await faceParts(image));
  const hair = anyonesHair(parts), skin = combined(parts.map(skinOf), around);
  const drawn = await decoded(mixed(latents, weights, around, hair));
  const blend = withMeanColour(drawn, combined(images, weights), combined(images, around), shape, skin, hair);
  if (!detail) return size === side ? blend : rounded(resized(blend, size));
  const frame = Math.floor(size / SETTINGS.constants.detail.FRAME), scaling = rescaling(size / side), marks = moved(shape, scaling);
  const parents = faces.map((face) => warpedTo(wideCrop(face, size, frame), moved(face.landmarks, scaling), marks, frame));
  return addDetail(blend, parents, weights, marks, around, skin, hair, faces.map((face) => mouthOpening(face.landmarks)));
}
