"""Weights, and how a recipe names what went in."""

import base64
import hashlib
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from featureblend.blend.recipes import Blend, Code, input_facts, normalised_weights
from featureblend.errors import FeatureblendError

NUMBERS = st.floats(min_value=0, allow_nan=False, allow_infinity=False)


@given(st.lists(NUMBERS, min_size=2, max_size=9).filter(any))
@pytest.mark.filterwarnings("error")  # an overflow must not even warn: it would be a line on the user's screen
def test_any_weights_that_are_not_all_zero_are_scaled_to_sum_1(weights):
    shares = normalised_weights(weights, len(weights))
    assert abs(shares.sum() - 1) < 1e-12
    assert (shares >= 0).all()
    largest = max(weights)
    assert shares[weights.index(largest)] == shares.max()
    for weight, share in zip(weights, shares, strict=True):
        if largest < 1e300 and weight > 1e-290:
            assert share == pytest.approx(weight / largest * shares.max(), rel=1e-9)


def test_the_ends_of_the_number_line():
    for weights, due in [([5e-324, 5e-324], [0.5, 0.5]), ([1.7e308, 1.7e308], [0.5, 0.5]), ([0, 3], [0, 1])]:
        assert normalised_weights(weights, 2).tolist() == due


def test_equal_weights_are_the_default_and_only_that():
    assert normalised_weights(None, 4).tolist() == [0.25] * 4
    with pytest.raises(FeatureblendError, match="weights missing: 0 for 2 photos"):
        normalised_weights([], 2)


def test_weights_that_do_not_fit():
    for weights, message in [
        ([0, 0], "weights 0 0: at least one must be more than 0"),
        ([-0.0, 0], "at least one must be more than 0"),
        ([2, -1], "weights 2 -1: none may be negative"),
        ([1, float("nan")], "weights 1 nan: each must be a finite number"),
        ([1, float("inf")], "weights 1 inf: each must be a finite number"),
        ([1, 2, 3], "weights 1 2 3: 3 for 2 photos; give one for each photo"),
        ([1], "weights 1: 1 for 2 photos"),
        (1, "weights 1: 1 for 2 photos"),
        ([[1, 1]], "2 for 2 photos; give one for each photo"),
        (["one", "two"], "each must be a number"),
        ([[1], [1, 2]], "each must be a number"),
    ]:
        with pytest.raises(FeatureblendError, match=message):
            normalised_weights(weights, 2)


def test_a_recipes_weights_stay_what_they_are():
    """To the last bit: a recipe that is followed gives the recipe again."""
    for weights in [[2, 1], [0.1, 0.2], [5, 3, 1], [1, 1, 1, 1, 1, 1, 1], [0.7, 0.3]]:
        once = normalised_weights(weights, len(weights))
        again = normalised_weights(once.tolist(), len(weights))
        assert again.tolist() == once.tolist()
        assert normalised_weights(once, len(weights)) is not once
        assert normalised_weights([0.7, 0.3], 2).tolist() == [0.7, 0.3]


def test_a_file_is_named_by_its_hash_and_without_its_folder(tmp_path):
    path = tmp_path / "secret place" / "ana.jpg"
    path.parent.mkdir()
    path.write_bytes(b"picture")
    assert input_facts(path, 1) == {"name": "ana.jpg", "sha256": hashlib.sha256(b"picture").hexdigest()}
    assert input_facts(str(path), 1) == input_facts(path, 1)


def test_a_picture_in_memory_is_named_by_what_is_seen():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    due = {"name": "photo 2", "pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}
    assert input_facts(pixels, 2) == due
    assert input_facts(Image.fromarray(pixels), 2) == due
    # Two palettes under one set of indices are two pictures.
    one = Image.fromarray(np.zeros((4, 4), np.uint8)).convert("P")
    other = one.copy()
    other.putpalette([9, 9, 9] * 256)
    assert input_facts(one, 1) != input_facts(other, 1)


def test_a_code_is_named_by_its_numbers():
    latent = np.arange(4, dtype=np.float32)
    facts = input_facts(Code(latent, "model", "/home/me/ana.jpg"), 1)
    assert facts == {"name": "ana.jpg", "latent_sha256": hashlib.sha256(latent.tobytes()).hexdigest()}
    assert input_facts(Code(latent, "model"), 3)["name"] == "code 3"


def test_codes_can_be_compared_and_kept_in_sets():
    code = Code(np.zeros(4, np.float32), "model")
    assert code == code
    assert code != Code(np.zeros(4, np.float32), "model")
    assert len({code, code}) == 1


def test_a_blend_shows_itself_in_a_notebook():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    blend = Blend(image, {"sharpness": 0.9}, {}, warnings=("<b>.jpg: small",))
    shown = blend._repr_html_()
    picture = re.search(r"data:image/png;base64,([^\"]+)", shown)[1]
    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(picture)))) == np.asarray(image)).all()
    assert "sharpness" in shown
    assert "&lt;b&gt;.jpg" in shown
    assert blend._repr_png_() == base64.b64decode(picture)
