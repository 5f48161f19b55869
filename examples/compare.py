# %% [markdown]
# # Compare methods
#
# The same two aligned faces, blended by several methods, on one sheet with the measures under each.

# %%
from pathlib import Path

from featureblend import Blender
from featureblend.evaluation.compare import compare
from featureblend.faces import EXAMPLES

out = Path("out/examples")
out.mkdir(parents=True, exist_ok=True)
photos = [EXAMPLES / "first.jpg", EXAMPLES / "second.jpg"]
methods = ["latent", "latent-plain-mean", "pixel", "laplacian", "morph"]
found = compare(photos, out / "compare.png", Blender.from_pretrained(), methods)
for method, measures in found.measures.items():
    print(f"{method:20}sharpness {measures['sharpness']}, ghosting {measures['ghosting']}")

# %% [markdown]
# ![Each method on one pair](compare.png)
#
# The measures are pure functions of arrays, and so are the scores of whole sets of blends; here, how much detail a
# plain average of two faces loses, and how much of it is doubled.

# %%
import numpy as np

from featureblend.metrics import ghosting, sharpness

blender = Blender.from_pretrained()
first, second = (np.asarray(blender.align(photo)) for photo in photos)
average = ((first.astype(float) + second) / 2).round().astype(np.uint8)
kept = sharpness(average) / ((sharpness(first) + sharpness(second)) / 2)
print(f"sharpness {kept:.2f}, ghosting {ghosting(average, [first, second], [0.5, 0.5]).whole:.2f}")

# %% [markdown]
# One pair proves nothing: `featureblend evaluate` measures all methods on a thousand pairs of people that the model
# never saw.
