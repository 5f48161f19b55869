# %% [markdown]
# # Background, size and detail
#
# By default a blend is the aligned crop of a face at the photos' own size. Here it has another size and background, and
# is pasted back into a photo.

# %%
from pathlib import Path

from PIL import Image

from featureblend import Blender
from featureblend.faces import EXAMPLES

out = Path("out/examples")
out.mkdir(parents=True, exist_ok=True)
blender = Blender.from_pretrained()

# %% [markdown]
# First, a photo that shows more than a face: an example face in a wide picture.

# %%
scene = Image.new("RGB", (640, 400), (188, 202, 208))
scene.paste(Image.open(EXAMPLES / "third.jpg").convert("RGB").resize((320, 320), Image.Resampling.BICUBIC), (250, 80))
photos = [scene, EXAMPLES / "fourth.jpg"]

# %% [markdown]
# `source` pastes the blend into the first photo (`onto=2`: the second), by the exact inverse of the alignment and at
# that photo's own size. Hair, body and scene stay.

# %%
faces = blender.cleaned([blender.find(photo) for photo in photos])
back = blender.blend_faces(faces, background="source")
print(back.save(out / "backgrounds-source.png"), back.image.size)

# %% [markdown]
# ![The blend in the first photo](backgrounds-source.png)
#
# `transparent` and `black` cut the head out with its hair (`cut="face"`: the face alone); `average` shows the photos'
# mean around the face. `size` is the longest side in pixels, or `"source"` for the photo's own. Fine detail comes from
# the photos, warped to the blend's shape; `detail=False` shows the network's output alone, which is softer.

# %%
cut = blender.blend_faces(faces, background="transparent", size=320)
print(cut.save(out / "backgrounds-transparent.png"), cut.image.mode)
soft = blender.blend_faces(faces, size=320, detail=False)
print(soft.save(out / "backgrounds-soft.png"))
large = blender.blend_faces(faces, size=320)
print(large.save(out / "backgrounds-large.png"))

# %% [markdown]
# ![Nothing around the head](backgrounds-transparent.png)
# ![What the network draws](backgrounds-soft.png)
# ![With the photos' own detail](backgrounds-large.png)
#
# Hair and background can't meet halfway without ghosts, so one photo gives them: the sharpest and plainest one's,
# unless `surroundings` names another, or `"mean"`.

# %%
for who in (1, 2):
    named = blender.blend_faces(faces, surroundings=who, size=320)
    print(named.save(out / f"backgrounds-of-{who}.png"))

# %% [markdown]
# ![Surroundings of the first](backgrounds-of-1.png)
# ![Surroundings of the second](backgrounds-of-2.png)
