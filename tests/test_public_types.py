"""Every public function takes values that are nearly of the right type, or says in one line what is wrong."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from example_photos import small_example
from PIL import Image

from featureblend import Blender, Code, FeatureblendError, average, continuum, mix, symmetrize, transform
from featureblend.io.metadata import read_recipe

pytestmark = pytest.mark.usefixtures("model_sized")

A, B = (small_example(f"{name}.jpg", 256) for name in ("first", "second"))
ODD = [None, True, "x", "", b"x", 3.5, float("nan"), 10**30, np.int64(-7), [], [None], {}, {"x": 1}, object(),
       io.BytesIO(), Path("nowhere"), np.zeros(3), np.ones(2, int), np.array(True), (1, "2"), -0.5,
       (10**400, 1)]  # fmt: skip


@pytest.fixture(scope="module")
def faces(blender):
    return [blender.find(photo) for photo in (A, B)]


def calls(blender, faces, folder):
    """Every public function by the names of what it takes, and a call that works."""
    made = blender.blend_faces(faces, method="pixel", measures="none")
    code = Code(np.zeros(blender.config.latent_dim, np.float32), blender.config.identity, "ana.jpg", faces[0].landmarks)
    small = {"which": "largest", "size": 16, "blender": blender}
    flags = {"warp": True, "detail": True}
    return {
        "blend": (blender.blend, {"photos": [A, B], "method": "pixel", "weights": None, "alpha": None,
                  "which": "largest", "measures": "none", "balance": None, "surroundings": "auto",
                  "warp": True, "detail": None,
                  "shape_weights": None, "texture_weights": None, "background": "blend", "cut": "head",
                  "size": None, "onto": 1}),
        "blend_faces": (blender.blend_faces, {"faces": faces, "weights": None, "alpha": None, "method": "pixel",
                        "measures": "none", "names": None, "size": None}),
        "find": (blender.find, {"photo": A, "which": "largest", "position": 1}),
        "encode": (blender.encode, {"photo": A, "which": "largest"}),
        "decode": (blender.decode, {"code": code}),
        "from_pretrained": (Blender.from_pretrained, {"model": None, "mend": True}),
        "average": (average, {"source": [A, B], "method": "pixel", "weights": None, "which": "largest",
                    "surroundings": "mean", "warp": True, "quiet": True, "blender": blender}),
        "continuum": (continuum, {"photos": [A, B], "method": "pixel", "steps": 2, "start": 0.0, "end": 1.0,
                      "ease": "linear", "which": "largest", "surroundings": "auto", "size": None,
                      "bounce": False, "warp": True, "detail": None, "quiet": True, "blender": blender}),
        "mix": (mix, {"base": A, "eyes": B, **flags, **small}),
        "symmetrize": (symmetrize, {"photo": A, "amount": 1.0, "keep_surroundings": True, **flags, **small}),
        "transform": (transform, {"photo": A, "start": A, "end": B, "amount": 0.0, "keep_surroundings": True,
                      "quiet": True, **flags, **small}),
        "Blend.save": (made.save, {"path": folder / "a.png", "format": None, "metadata": True}),
        "Continuum.save": (continuum([A, B], method="pixel", steps=2, blender=blender).save,
                           {"out": folder / "a.gif", "fps": 10, "columns": None, "metadata": True}),
        "Code.save": (code.save, {"path": folder / "a.npz"}),
        "Code.load": (Code.load, {"path": code.save(folder / "b.npz")}),
    }  # fmt: skip


def test_no_odd_value_is_a_bare_error(blender, faces, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # A face is found at once, and encoding costs nothing: what is tested comes before.
    monkeypatch.setattr(blender.detector, "search", kept(blender.detector.search))
    bare = []
    for name, (function, whole) in calls(blender, faces, tmp_path).items():
        function(**whole)
        for argument in whole:
            for value in ODD[argument == "blender" :]:  # None is the bundled model
                try:
                    function(**{**whole, argument: value})
                except FeatureblendError:
                    pass
                except Exception as error:
                    bare.append(f"{name}: {argument}={value!r}: {type(error).__name__}: {error}")
    assert not bare, "\n".join(bare)


def test_a_flag_is_true_or_false(blender, tmp_path):
    made = blender.blend([A, B], method="pixel", measures="none", warp=np.bool_(False), detail=np.bool_(False))
    flagged = (
        lambda value: blender.blend([A, B], method="pixel", warp=value),
        lambda value: blender.blend([A, B], method="pixel", detail=value),
        lambda value: continuum([A, B], bounce=value, blender=blender),
        lambda value: average([A, B], warp=value, blender=blender),
        lambda value: mix(A, eyes=B, warp=value, blender=blender),
        lambda value: symmetrize(A, keep_surroundings=value, blender=blender),
        lambda value: transform(A, A, B, detail=value, blender=blender),
        lambda value: made.save(tmp_path / "a.png", metadata=value),
        lambda value: Blender.from_pretrained(mend=value),
    )
    for call, value in itertools.product(flagged, ("no", 0, [False], np.zeros(1, bool), object())):
        with pytest.raises(FeatureblendError, match="expected True or False"):
            call(value)
    assert not list(tmp_path.iterdir())


def kept(detect):
    """Search each picture once."""
    known = {}

    def detected(image):
        key = image.shape, image.tobytes()
        if key not in known:
            known[key] = detect(image)
        return known[key]

    return detected


def test_alpha_is_the_second_photos_weight(blender, faces):
    for made in (blender.blend([A, B], alpha=0.25, method="pixel"), blender.blend_faces(faces, alpha=np.float32(0.25))):
        assert made.recipe["weights"] == [0.75, 0.25]
    for wrong in ({"alpha": 50}, {"alpha": 0.5, "weights": [1, 1]}, {"alpha": "half"}):
        with pytest.raises(FeatureblendError, match="alpha"):
            blender.blend([A, B], method="pixel", **wrong)
    with pytest.raises(FeatureblendError, match="alpha is the second of two"):
        blender.blend([A, B, A], alpha=0.5)


def test_a_whole_number_of_any_type_is_one(blender):
    for number in [float, np.float32, np.int64]:
        whole = {"size": number(48), "onto": number(2), "which": number(1), "surroundings": number(2)}
        made = blender.blend([A, B], method="pixel", measures="none", **whole)
        assert made.image.size == (48, 48)
        assert (made.recipe["options"]["size"], made.recipe["faces"]) == (48, [1, 1])
        assert len(continuum([A, B], steps=number(3), size=number(32), method="pixel", blender=blender).frames) == 3
        with pytest.raises(FeatureblendError, match=r"48\.5"):
            blender.blend([A, B], method="pixel", size=48.5)


def test_a_blend_goes_into_an_open_file(blender, tmp_path):
    for format in ["png", "JPG", "webp"]:
        made, stream = blender.blend([A, B], method="pixel"), io.BytesIO()
        assert made.save(stream, format=format) is stream
        path = made.save(tmp_path / f"a.{format.lower()}")
        assert stream.getvalue() == path.read_bytes()
        assert read_recipe(path)["method"] == "pixel"
        stream.seek(0)
        assert Image.open(stream).size == made.image.size
        with pytest.raises(FeatureblendError, match="format='png'"):
            made.save(io.BytesIO())
        with pytest.raises(FeatureblendError, match="magic is no picture format"):
            made.save(io.BytesIO(), format="magic")
