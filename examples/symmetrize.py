# %% [markdown]
# # Symmetrize
#
# A face is blended with its own mirror image, in shape and in look.

# %%
from pathlib import Path

import numpy as np

import featureblend
from featureblend import Blender
from featureblend.demo import EXAMPLES
from featureblend.image import save_image
from featureblend.sheets import labelled_row

out = Path("out/examples")
out.mkdir(parents=True, exist_ok=True)
blender = Blender.from_pretrained()

# %% [markdown]
# An amount of 1 is symmetric, 0.5 goes half the way, and less than 0 exaggerates what differs.

# %%
pictures, labels = [], []
for amount in (-1, 0, 0.5, 1):
    made = featureblend.symmetrize(EXAMPLES / "second.png", amount, blender=blender)
    pictures.append(np.asarray(made.image))
    labels.append(f"amount {amount}\nsymmetry {made.measures['symmetry']}")
print(save_image(out / "symmetrize.png", labelled_row(pictures, labels, scale=2)))

# %% [markdown]
# ![From exaggerated to symmetric](symmetrize.png)
#
# Hair does not meet its mirror image, so it stays; `keep_surroundings=False` mirrors the whole picture.

# %%
whole = featureblend.symmetrize(EXAMPLES / "second.png", keep_surroundings=False, blender=blender)
print(whole.save(out / "symmetrize-whole.png"))

# %% [markdown]
# ![All of it](symmetrize-whole.png)
