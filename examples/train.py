# %% [markdown]
# # Train a model of your own
#
# Prepare photos, train, export, blend: the whole process in miniature, on procedurally drawn faces. It needs the extra
# `train`. Two dozen steps teach a network next to nothing; a hundred thousand take the same calls.

# %%
import shutil
from pathlib import Path

from PIL import Image

from featureblend import Blender
from featureblend.training.dataset import FaceSet
from featureblend.faces.drawn import draw_face
from featureblend.training.prepare import PrepareSettings, prepare
from featureblend.training.presets import overridden, preset

out = Path("out/examples/train")
shutil.rmtree(out, ignore_errors=True)
for person in range(24):
    folder = out / "photos" / f"Person_{person:02}"
    folder.mkdir(parents=True)
    Image.fromarray(draw_face(person, 160)[0]).save(folder / f"Person_{person:02}_0001.png")

# %% [markdown]
# `prepare` finds and aligns every face and its landmarks, and splits them by person: each folder is one person. On the
# command line this is `featureblend prepare photos --out faces.tar`.

# %%
report = prepare(out / "photos", out / "faces.tar", PrepareSettings(size=40), jobs=1, quiet=True)
print(report)
faces = FaceSet.read(out / "faces.tar")

# %% [markdown]
# A preset is a named experiment; any of its settings can be changed. `toy` is the smallest.

# %%
from featureblend.training.loop import train

experiment = overridden(preset("toy"), ["images=96", "batch_size=8"])
run = train(experiment, faces, out / "run", quiet=True)
newest = sorted((run / "samples").glob("*.jpg"))[-1]
print(shutil.copy(newest, out / "samples.jpg"))

# %% [markdown]
# ![Inputs, reconstructions, and blends](train/samples.jpg)
#
# `export` writes the model folder, checks it against torch and measures it on people not seen in training.

# %%
from featureblend.training.export import export_model

export_model(run, out / "model", faces, data="faces drawn by rule", say=lambda line: None)
blender = Blender.from_pretrained(out / "model")
photos = sorted((out / "photos").glob("*/*.png"))[:2]
print(blender.blend(photos).save(out / "blend.png"), blender.image_size, "pixels")

# %% [markdown]
# ![A blend by a network that has barely begun](train/blend.png)
