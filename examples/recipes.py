# %% [markdown]
# # Recipes: the same file again
#
# Every picture and video of a blend holds its recipe: inputs by hash, weights, method, model, version, but no
# folders. `replay` makes the file again, byte for byte on one machine.

# %%
import json
from pathlib import Path

from featureblend import Blender
from featureblend.faces import EXAMPLES
from featureblend.io.metadata import read_recipe
from featureblend.edit.replay import replay

out = Path("out/examples")
out.mkdir(parents=True, exist_ok=True)
blend = Blender.from_pretrained().blend([EXAMPLES / "second.jpg", EXAMPLES / "fifth.jpg"], weights=[2, 1])
made = blend.save(out / "recipes.png")
print(json.dumps(read_recipe(made), indent=2))

# %% [markdown]
# ![A picture with its recipe](recipes.png)
#
# Inputs are found by content, whatever their names.

# %%
again = replay(made, out / "recipes-again.png", folders=[EXAMPLES])
print("the same bytes:", again.path.read_bytes() == made.read_bytes())

# %% [markdown]
# The picture is also marked as synthetic in XMP (IPTC's *digital source type*). `metadata=False` leaves out both.

# %%
print(b"compositeWithTrainedAlgorithmicMedia" in made.read_bytes())
bare = blend.save(out / "recipes-bare.png", metadata=False)
print(b"featureblend" in bare.read_bytes())
