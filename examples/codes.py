# %% [markdown]
# # Codes: faces as numbers
#
# A code is what the encoder gives for one face, with what belongs to it. Every verb and command takes codes in the
# place of photos, so that a set of faces is found and encoded once.

# %%
from dataclasses import replace
from pathlib import Path

from featureblend import Blender, Code
from featureblend.demo import EXAMPLES

out = Path("out/examples")
out.mkdir(parents=True, exist_ok=True)
blender = Blender.from_pretrained()

# %%
code = blender.encode(EXAMPLES / "first.png")
print(code.latent.shape, code.latent.dtype, code.landmarks.shape)

# %% [markdown]
# Its file is numpy's `.npz` without anything that runs when it is read. It knows its model: another model refuses it.

# %%
path = code.save(out / "first.npz")
print(path, path.stat().st_size, "bytes")
again = Code.load(path)
print((again.latent == code.latent).all())

# %% [markdown]
# A code gives its picture back, and goes into blends beside photos.

# %%
blender.decode(code).save(out / "codes-decoded.png")
print(blender.blend([path, EXAMPLES / "third.png"]).save(out / "codes-blend.png"))

# %% [markdown]
# ![What the code stands for](codes-decoded.png)
# ![A blend of a code and a photo](codes-blend.png)
#
# For arithmetic of your own, change the latent and decode it. Here goes the plain mean of five latents, which is what
# the paper proposes; `blend` also bends the faces to one shape first and lets one photo give hair and background.

# %%
latents = [blender.encode(photo).latent for photo in sorted(EXAMPLES.glob("*.png"))]
mean = replace(code, latent=sum(latents) / len(latents), name="mean of five")
blender.decode(mean).save(out / "codes-mean.png")

# %% [markdown]
# ![The mean of five latents](codes-mean.png)
