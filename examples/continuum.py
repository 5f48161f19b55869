# %% [markdown]
# # A continuum: from one face to the next
#
# Pictures in even steps. Position 0 is the first photo, 1 the second, 2 the third.

# %%
from pathlib import Path

import featureblend
from featureblend import Blender
from featureblend.faces import EXAMPLES

out = Path("out/examples")
out.mkdir(parents=True, exist_ok=True)
blender = Blender.from_pretrained()
photos = [EXAMPLES / "first.jpg", EXAMPLES / "third.jpg", EXAMPLES / "fourth.jpg"]

# %%
way = featureblend.continuum(photos[:2], steps=5, blender=blender)
print(way.positions)

# %% [markdown]
# The file's suffix decides the format: `.png` and `.jpg` a contact sheet, `.gif` and `.webp` an animation,
# `.mp4` a video, and a name without a suffix a folder of numbered pictures with a table of their weights.

# %%
print(way.save(out / "continuum.png"))

# %% [markdown]
# ![Five steps on one sheet](continuum.png)
#
# Through several photos in turn, there and back, slowing down at each photo:

# %%
film = featureblend.continuum(photos, steps=4, bounce=True, ease="in-out", blender=blender)
print(film.save(out / "continuum.gif", fps=6), len(film.frames), "pictures")

# %% [markdown]
# ![From face to face and back](continuum.gif)
#
# Beyond the photos every difference is exaggerated, as in a caricature. The table gives each picture's position.

# %%
beyond = featureblend.continuum(photos[:2], steps=4, start=-0.5, end=1.5, blender=blender)
folder = beyond.save(out / "continuum-frames")
print((folder / "frames.csv").read_text())
print(beyond.save(out / "continuum-beyond.png"))

# %% [markdown]
# ![Beyond both photos](continuum-beyond.png)
