"""Each kind of damage does what it says."""

import numpy as np
import pytest
from drawn_faces import draw_face

from featureblend.errors import FeatureblendError
from featureblend.evaluation.degradation import DEGRADATIONS, degrade
from featureblend.metrics.scores import psnr, sharpness


def test_each_degradation_does_what_it_says():
    image, _ = draw_face(0, 128)
    assert sharpness(degrade(image, "blur")) < 0.3 * sharpness(image)
    grey = np.full((128, 128, 3), 128, np.uint8)
    assert degrade(grey, "noise").std() == pytest.approx(20, rel=0.02)
    assert not np.array_equal(degrade(grey, "noise", 0), degrade(grey, "noise", 1))
    red, green, blue = (degrade(grey, "light")[0, 0] / 128).tolist()
    assert (red, green, blue) == pytest.approx((0.715, 0.65, 0.5525), abs=0.005)
    assert degrade(image, "light").std() < 0.6 * image.std()
    jumps = np.abs(np.diff(degrade(image, "compression").astype(int), axis=1)).mean(axis=(0, 2))
    assert jumps[7::8].mean() > 1.2 * np.delete(jumps, np.s_[7::8]).mean()  # the edges of JPEG's blocks
    small = degrade(image, "thumbnail")
    assert sharpness(small) < 0.5 * sharpness(image)
    jumps = np.abs(np.diff(small.astype(int), n=2, axis=1)).mean(axis=(0, 2))
    assert jumps[14::16].mean() > 1.2 * jumps.mean()  # blocks twice as large
    assert degrade(image[:1, :1], "thumbnail").shape == (1, 1, 3)
    for kind in DEGRADATIONS:
        assert np.array_equal(degrade(image, kind, 3), degrade(image, kind, 3))
        assert psnr(degrade(image, kind), image) < 35
    with pytest.raises(FeatureblendError):
        degrade(image, "rain")
