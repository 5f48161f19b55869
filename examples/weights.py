# %% [markdown]
# # Weights: who counts how much
#
# Weights stand in the order of the photos and are scaled to sum to 1: `[2, 1]` gives the first photo two thirds.
# Of two photos, *alpha* is the weight of the **second**: 0 is the first photo, 1 the second.

# %%
from pathlib import Path

import numpy as np

from featureblend import Blender
from featureblend.demo import EXAMPLES
from featureblend.image import save_image
from featureblend.sheets import labelled_row

out = Path("out/examples")
out.mkdir(parents=True, exist_ok=True)
blender = Blender.from_pretrained()
photos = [EXAMPLES / "first.png", EXAMPLES / "second.png"]

# %% [markdown]
# Finding the faces takes longer than blending them, so find them once where one pair is blended again and again.
# That is what a slider does. `cleaned` undoes damage of the photos once, too.

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
# Half the weight is not always half the likeness. `balance` searches the weights at which the blend is as near to one
# photo as to the other; with `balance="identity"` nearness is who is recognised, by dlib's embedding.

# %%
even = blender.blend(photos, balance="pictures")
print("weights", [round(weight, 3) for weight in even.recipe["weights"]], "balance", even.measures["balance"])
print(even.save(out / "weights-even.png"))

# %% [markdown]
# ![Both count the same](weights-even.png)
#
# Shape and look may have weights of their own: here the second face's shape, with the look of the first.

# %%
other = blender.blend(photos, shape_weights=[0, 1], texture_weights=[1, 0])
print(other.save(out / "weights-shape.png"))

# %% [markdown]
# ![Shape of the second, look of the first](weights-shape.png)
