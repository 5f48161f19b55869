# %% [markdown]
# # Codes: faces as numbers
#
# A code holds a face's latent and landmarks. Every function and command takes codes in place of photos, so that a set
# of faces is detected and encoded only once.

# %%
from dataclasses import replace
from pathlib import Path

from featureblend import Blender, Code
from featureblend.faces import EXAMPLES

out = Path("out/examples")
out.mkdir(parents=True, exist_ok=True)
blender = Blender.from_pretrained()

# %%
code = blender.encode(EXAMPLES / "first.jpg")
print(code.latent.shape, code.latent.dtype, code.landmarks.shape)

# %% [markdown]
# The file is a numpy `.npz`; reading it runs no code. It names its model, and other models refuse it.

# %%
path = code.save(out / "first.npz")
print(path, path.stat().st_size, "bytes")
again = Code.load(path)
print((again.latent == code.latent).all())

# %% [markdown]
# A code can be decoded to its picture, and blended with photos.

# %%
blender.decode(code).save(out / "codes-decoded.png")
print(blender.blend([path, EXAMPLES / "third.jpg"]).save(out / "codes-blend.png"))

# %% [markdown]
# ![The decoded code](codes-decoded.png)
# ![A blend of a code and a photo](codes-blend.png)
#
# For your own arithmetic, change the latent and decode it. This is the plain mean of five latents, as the paper
# proposes; `blend` also warps the faces to one shape first, and takes hair and background from one photo.

# %%
latents = [blender.encode(photo).latent for photo in sorted(EXAMPLES.glob("*.jpg"))]
mean = replace(code, latent=sum(latents) / len(latents), name="mean of five")
blender.decode(mean).save(out / "codes-mean.png")

# %% [markdown]
# ![The mean of five latents](codes-mean.png)
