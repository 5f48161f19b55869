# %% [markdown]
# # Mix: the eyes of one, the mouth of another
#
# Regions are combined in latent space, with soft edges, and keep their shapes: `eyes` (with the brows), `nose`, `mouth`
# and `hair` (with everything around the face).

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
base, other = EXAMPLES / "first.jpg", EXAMPLES / "third.jpg"

# %%
pictures, labels = [np.asarray(blender.align(base))], ["the base"]
for region in ("eyes", "nose", "mouth", "hair"):
    made = featureblend.mix(base, blender=blender, **{region: other})
    pictures.append(np.asarray(made.image))
    labels.append(f"{region} of the other")
pictures.append(np.asarray(blender.align(other)))
labels.append("the other")
print(save_image(out / "mix.png", labelled_row(pictures, labels)))

# %% [markdown]
# ![A region at a time](mix.png)
#
# Several regions from several photos, one of them in part:

# %%
made = featureblend.mix(base, eyes=other, mouth=(EXAMPLES / "second.jpg", 0.5), blender=blender)
print(made.save(out / "mix-several.png"))

# %% [markdown]
# ![Eyes of one, half the mouth of another](mix-several.png)
