"""Photos that are not as the training photos: each kind of damage does what it says, and the report shows the rest."""

import json
import sys

import numpy as np
import pytest
from drawn_faces import draw_face
from evaluation_faces import TINY, lines, make_faces, run

from featureblend.errors import FeatureblendError
from featureblend.evaluation.degradation import DEGRADATIONS, degrade
from featureblend.metrics.scores import psnr, sharpness
from featureblend.model.networks import Networks


@pytest.fixture(scope="module")
def faces():
    return make_faces()


@pytest.fixture(scope="module")
def finished(faces, tmp_path_factory):
    out = tmp_path_factory.mktemp("spoilt")
    run(faces, out, ("latent", "pixel"))
    return out


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
    with pytest.raises(FeatureblendError, match="unknown degradation 'rain': use one of blur"):
        degrade(image, "rain")


def test_the_report_shows_degraded_faces_and_a_portrait_for_the_evaluated_model_alone(finished):
    page = (finished / "report.html").read_text()
    assert page.count("<h2>Degraded photos</h2>") == 1
    section = page[page.index("<h2>Degraded photos</h2>") : page.index("<h2>Spread over")]
    assert section.count("<img") == 4 * (1 + len(DEGRADATIONS)) * 2 + 4
    assert "portrait, aligned" in section
    found = {line["figure"]: line for line in lines(finished) if line["figure"].startswith("psnr_")}
    assert set(found) == {f"psnr_{kind}" for kind in ("clean", *DEGRADATIONS)}
    assert {line["method"] for line in found.values()} == {"latent"}
    assert {(line["count"], line["left_out"]) for line in found.values()} == {(4, 0)}
    record = json.loads((finished / "methods" / "latent.json").read_text())
    assert record["spoilt"]["before"]["noise"] == pytest.approx(22, abs=1)  # 20 log10(255 / 20), less what is clipped
    assert all(found[f"psnr_{kind}"]["value"] < found["psnr_clean"]["value"] for kind in DEGRADATIONS)
    # Of drawn faces in weak light, of which it saw few, the cleaner brightens only some.
    for kind, gained in (("noise", 3), ("light", 2)):
        assert found[f"psnr_{kind}"]["value"] > record["spoilt"]["before"][kind] + gained


def test_a_second_run_takes_the_pictures_from_the_folder(faces, finished):
    before = (finished / "report.html").read_bytes()
    (finished / "report.html").unlink()
    run(faces, finished, ("latent", "pixel"))
    assert (finished / "report.html").read_bytes() == before


def test_what_is_missing_is_said_in_one_line_and_the_rest_goes_on(faces, tmp_path, monkeypatch):
    """scikit-image is not there, and the networks refuse one face when it is noisy."""
    from featureblend.evaluation.protocols import draw

    drawn, latents = draw(faces, TINY, 128), Networks.latents
    noisy = degrade(drawn.faces.images[drawn.parents[1]], "noise", 1)

    def failing(self, images, **options):
        if any(np.array_equal(image, noisy) for image in images):
            raise RuntimeError("too noisy")
        return latents(self, images, **options)

    monkeypatch.setattr(Networks, "latents", failing)
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    page = run(faces, tmp_path, ("latent",)).read_text()
    assert "Not shown: no portrait from elsewhere: scikit-image, which brings one, is not installed." in page
    assert f"{drawn.faces.sources[drawn.parents[1]]}: too noisy" in page
    counts = {line["figure"]: (line["count"], line["left_out"]) for line in lines(tmp_path)}
    assert counts["psnr_clean"] == counts["psnr_noise"] == (3, 1)
    assert counts["ghosting"] == (12, 0)
