# %% [markdown]
# # The average of a folder
#
# Hundreds of photos, in sorted order and constant memory. Photos that can't be used are skipped, and listed with the
# reason.

# %%
import shutil
from pathlib import Path

import numpy as np

import featureblend
from featureblend import Blender
from featureblend.faces import EXAMPLES
from featureblend.io.image import save_image

out = Path("out/examples")
folder = out / "average-photos"
shutil.rmtree(folder, ignore_errors=True)
shutil.copytree(EXAMPLES, folder)
save_image(folder / "wall.png", np.full((200, 200, 3), 200, np.uint8))
blender = Blender.from_pretrained()

# %%
made = featureblend.average(folder, blender=blender)
print(len(made.used), "photos are in it")
for one in made.skipped:
    print(one.photo, "is not:", one.reason)
made.image.save(out / "average.png")

# %% [markdown]
# ![The average of six faces](average.png)
#
# Weights by name, from a mapping or a CSV file of `photo,weight`: photos without one are left out.

# %%
table = folder / "weights.csv"
table.write_text("photo,weight\nfirst.jpg,3\nsecond.jpg,1\n")
weighted = featureblend.average(folder, weights=table, blender=blender)
print(weighted.used, weighted.recipe["weights"])
weighted.image.save(out / "average-weighted.png")

# %% [markdown]
# ![Three quarters of one face, one quarter of another](average-weighted.png)
