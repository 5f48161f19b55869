"""Recipes: a model by name, from prepared photos to the model folder, as stages that each begin with the one before.

``featureblend train --recipe NAME --data FACES --run FOLDER`` follows one (`featureblend.training.staged`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...io.tables import check_choice
from ..experiment import Experiment
from .changes import overridden
from .registry import preset


@dataclass(frozen=True)
class Stage:
    """One run of a recipe."""

    name: str
    """The run's folder."""
    preset: str
    """The preset that it changes."""
    settings: tuple[str, ...] = ()
    """What differs from it, as ``featureblend train --set`` takes it."""
    until: int = 0
    """Images after which it ends, where it is planned for more (its learning rate has not fallen yet); 0 for all."""
    shard: str = ""
    """Of a folder of prepared faces, the one file that it learns from; empty for all."""
    mean_with: str = ""
    """An earlier stage: what comes next begins with the mean of both stages' weights."""

    @property
    def experiment(self) -> Experiment:
        """The settings in full."""
        return overridden(preset(self.preset), self.settings)

    @property
    def images(self) -> int:
        """Images that it sees."""
        return self.until or self.experiment.images


@dataclass(frozen=True)
class Recipe:
    """How a model is made.

    Examples
    --------
    >>> recipe("lfw-128").stages[-1].experiment.name
    'modern-clean'
    """

    name: str
    """The model's name."""
    data: str
    """What the model card says of the data."""
    photos: str
    """Of the folder of prepared faces, the photos: what the finished model is measured on."""
    stages: tuple[Stage, ...]
    """In order; each begins with the weights of the one before."""


_FINE = (
    "model_options.fine_channels=8",
    "batch_size=16",
    "learning_rate=5e-4",
    "final_learning_rate=5e-5",
    "ema_half_life=2000",
)
_LARGE = ("batch_size=192", "warmup=2000", "ema_half_life=20000")
_PHOTOS = "lfw.tar"

LFW_128 = Recipe(
    name="lfw-128",
    data=(
        "Labeled Faces in the Wild (LFW), deep-funneled, 10,911 photos of the train split, aligned at 160 px; for the "
        "cleaner 494 drawn faces besides"
    ),
    photos=_PHOTOS,
    stages=(
        # In place of the first bundled model, which was trained by another version of these networks.
        Stage("first", "modern-reconstruct", ("images=78944",), shard=_PHOTOS),
        Stage(
            "reconstruct",
            "modern-reconstruct",
            ("batch_size=16", "images=60000", "learning_rate=5e-4", "warmup=1000"),
            shard=_PHOTOS,
        ),
        Stage("joint", "modern", until=11_072, shard=_PHOTOS),
        Stage("finish", "modern-finish", until=8_192, shard=_PHOTOS, mean_with="reconstruct"),
        Stage(
            "fine-1",
            "modern-reconstruct",
            (*_FINE, "images=14000", "warmup=1000", "losses.texture=0.05"),
            until=4_688,
            shard=_PHOTOS,
        ),
        Stage(
            "fine-2",
            "modern-reconstruct",
            (*_FINE, "images=10000", "warmup=200", "losses.texture=0.2", "losses.laplacian=1.0", "losses.kl=0.1"),
            until=4_992,
            shard=_PHOTOS,
        ),
        Stage(
            "fine-3",
            "modern-fine",
            (
                "images=5600",
                "learning_rate=3e-4",
                "losses.kl=0.1",
                "model_options.fine_channels=8",
                "model_options.fine_skip=false",
            ),
            until=3_672,
            shard=_PHOTOS,
        ),
        Stage(
            "straight",
            "modern-reconstruct",
            (
                "model_options.fine_channels=20",
                "model_options.fine_skip=true",
                "batch_size=16",
                "images=12000",
                "learning_rate=4e-4",
                "final_learning_rate=1e-4",
                "warmup=300",
                "ema_half_life=1500",
                "losses.texture=0.2",
                "losses.laplacian=1.0",
                "losses.kl=0.05",
            ),
            shard=_PHOTOS,
        ),
        Stage("clean-1", "modern-clean", ("images=46000",), shard=_PHOTOS),
        Stage("clean-2", "modern-clean", ("images=46000", "learning_rate=1e-3"), shard=_PHOTOS),
        Stage("clean-3", "modern-clean", ("images=34000", "learning_rate=1e-3"), shard=_PHOTOS),
        Stage("clean-4", "modern-clean", ("images=14000", "learning_rate=1e-3"), shard=_PHOTOS),
        Stage("clean-5", "modern-clean", (*_LARGE, "images=496704", "final_learning_rate=1.5e-3")),
        Stage("clean-6", "modern-clean", (*_LARGE, "images=561600", "final_learning_rate=1e-5")),
    ),
)
"""The bundled model. Its own weights can't be made again bit by bit: see docs/model.md."""

RECIPES: Mapping[str, Recipe] = {LFW_128.name: LFW_128}
"""Recipes by the model's name."""


def recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises
    ------
    FeatureblendError
        If there is none.

    Examples
    --------
    >>> recipe("lfw-128").photos
    'lfw.tar'
    """
    check_choice(name, "recipe", RECIPES)
    return RECIPES[name]
