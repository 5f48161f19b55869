# %% [markdown]
# # Transform: A + k (C - B)
#
# The difference between C and B is added to A, in shape and texture. B and C are photos, or folders whose mean is used:
# with a folder of young and one of old faces, A becomes older.

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
a, b, c = (EXAMPLES / f"{name}.jpg" for name in ("first", "third", "second"))

# %% [markdown]
# An amount of 1 adds the whole difference; a negative one subtracts it, and more than 1 exaggerates it.

# %%
amounts = [-0.5, 0, 0.5, 1]
made = [featureblend.transform(a, b, c, amount, blender=blender) for amount in amounts]
sheet = labelled_row([np.asarray(one.image) for one in made], [f"amount {amount}" for amount in amounts], scale=2)
print(save_image(out / "transform.png", sheet))

# %% [markdown]
# ![From less to more of the difference](transform.png)
#
# Hair and background stay, unless `keep_surroundings=False`. Several photos on each side:

# %%
group = featureblend.transform(a, [b, EXAMPLES / "fourth.jpg"], [c, EXAMPLES / "fifth.jpg"], 0.7, blender=blender)
print(group.save(out / "transform-groups.png"))

# %% [markdown]
# ![The difference of two groups](transform-groups.png)
