# %% [markdown]
# # Train a model of your own
#
# Prepare photos, train, export, blend: the whole way in miniature, on faces that featureblend draws by rule. It
# needs the extra `train`. Two dozen steps teach a network next to nothing; the way is the same with a hundred thousand.

# %%
import shutil
from pathlib import Path

from PIL import Image

from featureblend import Blender
from featureblend.data import FaceSet
from featureblend.drawn import draw_face
from featureblend.prepare import PrepareSettings, prepare
from featureblend.presets import overridden, preset

out = Path("out/examples/train")
shutil.rmtree(out, ignore_errors=True)
for person in range(40):
    folder = out / "photos" / f"Person_{person:02}"
    folder.mkdir(parents=True)
    Image.fromarray(draw_face(person, 160)[0]).save(folder / f"Person_{person:02}_0001.png")

# %% [markdown]
# `prepare` finds, aligns and marks every face, and splits them by person: a file's folder is its person. On the command
# line it is `featureblend prepare photos --out faces.tar`.

# %%
report = prepare(out / "photos", out / "faces.tar", PrepareSettings(size=40), jobs=1, quiet=True)
print(report)
faces = FaceSet.read(out / "faces.tar")

# %% [markdown]
# A preset is an experiment by name; any of its settings can be changed. `toy` is the smallest.

# %%
from featureblend.train.loop import train

experiment = overridden(preset("toy"), ["images=96", "batch_size=8"])
run = train(experiment, faces, out / "run", quiet=True)
newest = sorted((run / "samples").glob("*.jpg"))[-1]
print(shutil.copy(newest, out / "samples.jpg"))

# %% [markdown]
# ![Inputs, what the network makes of them, and blends](train/samples.jpg)
#
# `export` writes the model folder, checks it against torch and measures it on people that it was not trained on.

# %%
from featureblend.export import export_model

export_model(run, out / "model", faces, data="faces drawn by rule", say=lambda line: None)
blender = Blender.from_pretrained(out / "model")
photos = sorted((out / "photos").glob("*/*.png"))[:2]
print(blender.blend(photos).save(out / "blend.png"), blender.image_size, "pixels")

# %% [markdown]
# ![A blend by a network that has barely begun](train/blend.png)
