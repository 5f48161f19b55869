"""Recipes: a model by name, from prepared photos to the model folder, as stages that each begin with the one before.

``featureblend train --recipe NAME --data FACES --run FOLDER`` follows one (`featureblend.training.staged`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

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
_on_photos = partial(Stage, shard=_PHOTOS)

LFW_128 = Recipe(
    name="lfw-128",
    data=(
        "Labeled Faces in the Wild (LFW), deep-funneled, 10,911 photos of the train split, aligned at 160 px; for the "
        "cleaner 494 drawn faces besides"
    ),
    photos=_PHOTOS,
    stages=(
        # In place of the first bundled model, which was trained by another version of these networks.
        _on_photos("first", "modern-reconstruct", ("images=78944",)),
        _on_photos(
            "reconstruct", "modern-reconstruct", ("batch_size=16", "images=60000", "learning_rate=5e-4", "warmup=1000")
        ),
        _on_photos("joint", "modern", until=11_072),
        _on_photos("finish", "modern-finish", until=8_192, mean_with="reconstruct"),
        _on_photos(
            "fine-1", "modern-reconstruct", (*_FINE, "images=14000", "warmup=1000", "losses.texture=0.05"), until=4_688
        ),
        _on_photos(
            "fine-2",
            "modern-reconstruct",
            (*_FINE, "images=10000", "warmup=200", "losses.texture=0.2", "losses.laplacian=1.0", "losses.kl=0.1"),
            until=4_992,
        ),
        _on_photos(
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
        ),
        _on_photos(
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
        ),
        _on_photos("clean-1", "modern-clean", ("images=46000",)),
        _on_photos("clean-2", "modern-clean", ("images=46000", "learning_rate=1e-3")),
        _on_photos("clean-3", "modern-clean", ("images=34000", "learning_rate=1e-3")),
        _on_photos("clean-4", "modern-clean", ("images=14000", "learning_rate=1e-3")),
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
