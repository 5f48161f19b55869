# %% [markdown]
# # Symmetrize
#
# `symmetrize` blends a face with its own mirror image, in shape and texture.

# %%
from pathlib import Path

import numpy as np

import featureblend
from featureblend import Blender
from featureblend.faces import EXAMPLES
from featureblend.io.image import save_image
from featureblend.io.sheets import labelled_row

out = Path("out/examples")
out.mkdir(parents=True, exist_ok=True)
blender = Blender.from_pretrained()

# %% [markdown]
# An amount of 1 makes the face symmetric, 0.5 goes half the way, and a negative amount exaggerates its asymmetry.

# %%
pictures, labels = [], []
for amount in (-1, 0, 0.5, 1):
    made = featureblend.symmetrize(EXAMPLES / "second.jpg", amount, blender=blender)
    pictures.append(np.asarray(made.image))
    labels.append(f"amount {amount}\nsymmetry {made.measures['symmetry']}")
print(save_image(out / "symmetrize.png", labelled_row(pictures, labels, scale=2)))

# %% [markdown]
# ![From exaggerated to symmetric](symmetrize.png)
#
# Hair and background stay, since they would ghost with their mirror image; `keep_surroundings=False` mirrors all.

# %%
whole = featureblend.symmetrize(EXAMPLES / "second.jpg", keep_surroundings=False, blender=blender)
print(whole.save(out / "symmetrize-whole.png"))

# %% [markdown]
# ![The whole picture symmetric](symmetrize-whole.png)
