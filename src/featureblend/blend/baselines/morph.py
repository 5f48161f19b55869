"""Landmark warp and cross-dissolve: every face is warped to the mean shape, then the pixels are averaged.

Sources: T. Beier and S. Neely, "Feature-based image metamorphosis", SIGGRAPH 1992 (warp to a shape in between, then
cross-dissolve); P. J. Benson and D. I. Perrett, "Extracting prototypical facial images from expressions", Perception
22, 1993 (averages of many faces so made; the method of webmorph, and with triangles of facemorpher); F. L. Bookstein,
"Principal warps: thin-plate splines and the decomposition of deformations", IEEE Trans. PAMI 11(6), 1989 (the warp);
G. Wahba, "Spline models for observational data", SIAM 1990, section 2.4 (the smoothing form, with a stiffness a point).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import FeatureblendError
from ...faces.warp import mean_shape, sample, warp_map
from ...io.image import to_uint8
from .inputs import check_inputs


def blend(
    images: Sequence[np.ndarray], weights: Sequence[float], landmarks: Sequence[np.ndarray] | None = None
) -> np.ndarray:
    """Blend photos by warping each to the mean shape and averaging the pixels.

    Parameters
    ----------
    images : sequence of N (H, W, 3) uint8 arrays
        Aligned faces, sRGB, all of one shape.
    weights : sequence of N floats
        Sum to 1; the first photo's first.
    landmarks : sequence of N (68, 2) float arrays
        The faces' points, (x, y) in pixels of the crop, in one order.

    Returns
    -------
    (H, W, 3) uint8 array, sRGB

    Raises
    ------
    FeatureblendError
        If the landmarks are missing, the photos' shapes differ, or the weights do not fit them.

    Notes
    -----
    Inside the face the features meet and stay sharp. Landmarks say nothing of hair, neck and background, which
    cross-dissolve as in the pixel mean.

    References
    ----------
    Beier and Neely 1992; Benson and Perrett 1993 (see the head of this module).

    Examples
    --------
    >>> a, b = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    >>> faces = [np.array([(10.0, 12.0), (20.0, 12.0), (15.0, y)]) for y in (22.0, 25.0)]
    >>> bool((blend([a, b], (1, 0), faces) == a).all())
    True
    """
    checked = check_inputs(images, weights)
    if landmarks is None:
        raise FeatureblendError("a morph needs the landmarks of every face: detect the faces first")
    shape = mean_shape(landmarks, checked)
    result = np.zeros(images[0].shape)
    for image, weight, points in zip(images, checked, landmarks, strict=True):
        if weight:
            result += weight * sample(image, warp_map(image.shape[:2], points, shape))
    return to_uint8(result)
