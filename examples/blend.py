# %% [markdown]
# # Blend photos
#
# A blend takes two or more photos of faces and gives one. The photos here are the example faces that come with
# featureblend: its own model made them, so no person is in them. Put paths of your own photos in their place.

# %%
from pathlib import Path

from featureblend import Blender
from featureblend.faces import EXAMPLES

out = Path("out/examples")
out.mkdir(parents=True, exist_ok=True)
blender = Blender.from_pretrained()

# %% [markdown]
# `Blender.from_pretrained()` opens the bundled model. One blender serves any number of blends.

# %%
blend = blender.blend([EXAMPLES / "first.jpg", EXAMPLES / "third.jpg"])
print(blend.save(out / "blend.png"))

# %% [markdown]
# ![The even blend of two example faces](blend.png)
#
# Every blend measures itself. Sharpness is relative to the photos; ghosting is 0 without doubled outlines; similarity
# is to each photo, in the order in which they were given.

# %%
for name in ("sharpness", "ghosting", "similarity"):
    print(f"{name:12}{blend.measures[name]}")

# %% [markdown]
# What speaks against a photo is said in plain sentences: several faces, a head that is turned far, a face that is
# small, damage that was undone, a photo without colours among others.

# %%
print(*(blend.warnings or ["nothing speaks against it"]), sep="\n")

# %% [markdown]
# The aligned faces that went in are at hand too, and so three pictures become one sheet.

# %%
import numpy as np

from featureblend.io.image import save_image
from featureblend.io.sheets import labelled_row

pictures = [np.asarray(picture) for picture in (blend.parents[0], blend.image, blend.parents[1])]
print(save_image(out / "blend-sheet.png", labelled_row(pictures, ["first", "blend", "third"], scale=2)))

# %% [markdown]
# ![First photo, blend, second photo](blend-sheet.png)
#
# More than two work alike, and so do the methods that learn nothing, for comparison.

# %%
five = blender.blend(sorted(EXAMPLES.glob("*.jpg")))
print(five.save(out / "blend-five.png"))
morph = blender.blend([EXAMPLES / "first.jpg", EXAMPLES / "third.jpg"], method="morph")
print("ghosting: latent", blend.measures["ghosting"], "morph", morph.measures["ghosting"])

# %% [markdown]
# ![Five faces in one](blend-five.png)
