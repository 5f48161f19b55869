# %% [markdown]
# # Batches: a list of blends
#
# Each row of a CSV file describes a blend: `photo1`, `photo2` and so on, and optionally `weights` or `alpha` (the
# second photo's weight), `name`, `method` and more. Paths are relative to the list.

# %%
import shutil
from pathlib import Path

from featureblend.edit.batch import BatchSettings, every_pair, read_rows, run_batch
from featureblend.faces import EXAMPLES

out = Path("out/examples")
folder = out / "batch-photos"
shutil.rmtree(folder, ignore_errors=True)
shutil.copytree(EXAMPLES, folder)
shutil.rmtree(out / "batch", ignore_errors=True)
(folder / "pairs.csv").write_text(
    "photo1,photo2,alpha,name\n"
    "first.jpg,third.jpg,0.25,quarter\n"
    "first.jpg,third.jpg,0.75,three-quarters\n"
    "first.jpg,nobody.png,0.5,missing\n"
)

# %%
report = run_batch(read_rows(folder / "pairs.csv"), out / "batch", settings=BatchSettings(), jobs=1, quiet=True)
print(report.made, "made,", report.failed, "failed")
for name, reason in report.failures:
    print(name, "failed:", reason)

# %% [markdown]
# ![A quarter of the second](batch/quarter.png)
# ![Three quarters of the second](batch/three-quarters.png)
#
# `results.csv` has a row for each blend, with its measures. Repeating the call makes only what is missing.

# %%
print(report.table.read_text().splitlines()[0])
again = run_batch(read_rows(folder / "pairs.csv"), out / "batch", settings=BatchSettings(), jobs=1, quiet=True)
print(again.made, "made,", again.kept, "kept")

# %% [markdown]
# The pairs of a folder can serve as a list, too.

# %%
print([row.name for row in every_pair(folder)])
