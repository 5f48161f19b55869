"""Measures of pictures and of sets of them: pure functions of arrays."""

from ..faces.masks import hull_mask
from .critic import auc, fresh_critic_auc
from .distance import Distance, balance, balance_of_distances, picture_distance
from .distributions import NeighbourAccuracy, fid, kid, nearest_neighbour_accuracy
from .ghosts import Ghosting, ghosting
from .intervals import bootstrap_interval
from .mirror import symmetry
from .patch_statistics import FEATURES_NAME, image_features
from .paths import (
    boundary_error,
    cycle_error,
    mean_distance,
    path_irregularity,
    path_lengths,
    path_positions,
    smoothness,
)
from .scores import MS_SSIM_WEIGHTS, ms_ssim, psnr, relative_sharpness, sharpness, ssim
from .skin import skin_between, skin_colour
from .spectrum import radial_spectrum, spectrum_distance
from .variety import Nearest, diversity, nearest_distances

__all__ = [
    "FEATURES_NAME",
    "MS_SSIM_WEIGHTS",
    "Distance",
    "Ghosting",
    "Nearest",
    "NeighbourAccuracy",
    "auc",
    "balance",
    "balance_of_distances",
    "bootstrap_interval",
    "boundary_error",
    "cycle_error",
    "diversity",
    "fid",
    "fresh_critic_auc",
    "ghosting",
    "hull_mask",
    "image_features",
    "kid",
    "mean_distance",
    "ms_ssim",
    "nearest_distances",
    "nearest_neighbour_accuracy",
    "path_irregularity",
    "path_lengths",
    "path_positions",
    "picture_distance",
    "psnr",
    "radial_spectrum",
    "relative_sharpness",
    "sharpness",
    "skin_between",
    "skin_colour",
    "smoothness",
    "spectrum_distance",
    "ssim",
    "symmetry",
]
