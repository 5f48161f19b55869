# %% [markdown]
# # Weights
#
# Weights are in the order of the photos and are scaled to sum to 1: `[2, 1]` gives the first photo two thirds.
# With two photos, *alpha* is the weight of the **second**: 0 is the first photo, 1 the second.

# %%
from pathlib import Path

import numpy as np

from featureblend import Blender
from featureblend.faces import EXAMPLES
from featureblend.io.image import save_image
from featureblend.io.sheets import labelled_row

out = Path("out/examples")
out.mkdir(parents=True, exist_ok=True)
blender = Blender.from_pretrained()
photos = [EXAMPLES / "first.jpg", EXAMPLES / "second.jpg"]

# %% [markdown]
# Detecting faces takes longer than blending them. To blend one pair repeatedly, as a slider does, find the faces once;
# `cleaned` restores them once, too.

# %%
faces = blender.cleaned([blender.find(photo) for photo in photos])
pictures, labels = [], []
for weights in ([3, 1], [1, 1], [1, 3]):
    blend = blender.blend_faces(faces, weights)
    pictures.append(np.asarray(blend.image))
    labels.append(f"{weights[0]} : {weights[1]}\nsimilarity {' and '.join(map(str, blend.measures['similarity']))}")
print(save_image(out / "weights.png", labelled_row(pictures, labels, scale=2)))

# %% [markdown]
# ![Three quarters, a half and a quarter of the first face](weights.png)
#
# Half the weight is not always half the likeness. `balance` finds the weights at which the blend is as near to one
# photo as to the other; with `balance="identity"`, nearness is dlib's similarity of identity.

# %%
even = blender.blend(photos, balance="pictures")
print("weights", [round(weight, 3) for weight in even.recipe["weights"]], "balance", even.measures["balance"])
print(even.save(out / "weights-even.png"))

# %% [markdown]
# ![Both count the same](weights-even.png)
#
# Shape and texture may have separate weights: here the second face's shape with the texture of the first.

# %%
other = blender.blend(photos, shape_weights=[0, 1], texture_weights=[1, 0])
print(other.save(out / "weights-shape.png"))

# %% [markdown]
# ![Shape of the second, texture of the first](weights-shape.png)
