"""Operations beyond a single blend: photos and codes in, pictures with a recipe out."""

from .averaging import Average, average
from .continua import Continuum, continuum
from .regions import REGIONS, mix
from .replaying import VERBS, repeat
from .transforms import symmetrize, transform

__all__ = [
    "REGIONS",
    "VERBS",
    "Average",
    "Continuum",
    "average",
    "continuum",
    "mix",
    "repeat",
    "symmetrize",
    "transform",
]
