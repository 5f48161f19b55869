"""Settings of a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import FeatureblendError
from ...io.tables import check_choice
from ...training.presets import preset
from ..methods import check_methods, method_names
from .tasks import PEERS

TIMED_METHODS = (*(name for name in method_names() if name != "pca"), *PEERS)
"""What can be timed: the methods that need no training faces, and other people's programs."""

PARTS = ("use", "blend", "whole", "stages")
"""What people wait for; two aligned faces to one; two files to a file; the stages of the latter."""


@dataclass(frozen=True)
class BenchmarkSettings:
    """How to measure."""

    methods: Sequence[str] | None = None
    """Some of `TIMED_METHODS`; all by default."""
    parts: Sequence[str] = PARTS
    """Some of `PARTS`."""
    size: int | None = None
    """Side of the aligned faces in pixels; the model's by default."""
    photo_size: int | None = None
    """Scale the photos so that the longer side has so many pixels; as they are by default."""
    repeat: int = 20
    """Rounds at most; each times everything once."""
    fresh: int = 3
    """Fresh starts of each, for the time of the import and of the first blend."""
    seconds: float = 120.0
    """No further round begins after so many seconds; one round and one start of each are always done."""
    reference: str | None = None
    """The method whose time is 1; 'latent' by default, or the first where that is not among them."""
    train: str | None = None
    """A preset whose training step is also timed."""
    patience: float = 120.0
    """Seconds after which a method that gives no answer is left out; a training step may take five times as long."""

    def check(self) -> tuple[str, ...]:
        """The methods asked for, in the table's order.

        Raises
        ------
        FeatureblendError
            If a setting is out of its range or names what there isn't.

        Examples
        --------
        >>> BenchmarkSettings(methods=["morph", "pixel"]).check()
        ('pixel', 'morph')
        >>> BenchmarkSettings(repeat=0).check()
        Traceback (most recent call last):
        featureblend.errors.FeatureblendError: --repeat 0: expected a whole number from 1 to 100000
        """
        methods = check_methods(TIMED_METHODS if self.methods is None else self.methods, TIMED_METHODS)
        for part in self.parts:
            check_choice(part, "part", PARTS)
        if not self.parts and self.train is None:
            raise FeatureblendError(f"no part is named: use some of {', '.join(PARTS)}, or --train")
        if self.reference is not None and self.reference not in methods:
            raise FeatureblendError(f"--reference {self.reference}: name one of the methods, {', '.join(methods)}")
        for name, value, least, greatest in (
            ("--size", self.size, 32, 4096),
            ("--photo-size", self.photo_size, 32, 8192),
            ("--repeat", self.repeat, 1, 100_000),
            ("--fresh", self.fresh, 1, 1000),
        ):
            if value is not None and not least <= value <= greatest:
                raise FeatureblendError(f"{name} {value}: expected a whole number from {least} to {greatest}")
        if not self.seconds > 0:
            raise FeatureblendError(f"--seconds {self.seconds:g}: expected more than 0")
        if self.train is not None:
            preset(self.train)
        return methods
