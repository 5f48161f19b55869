"""The short form of `make fuzz`, and what it found."""

import json

import fuzz
import pytest

pytestmark = pytest.mark.extras


def test_no_reader_trips_over_damaged_files(tmp_path):
    names = ["picture", "list", "code", "network", "recipe.png"]
    found = fuzz.campaign(names, 100, 7, tmp_path, "random", apart=False)
    assert {name: one["findings"] for name, one in found.items()} == {name: {} for name in names}
    assert all(one["cases"] >= 50 for one in found.values())


def test_a_reader_that_fails_hangs_or_writes_elsewhere_is_found(tmp_path):
    """The tool itself: what it would say of a bad reader."""

    def bad(data):
        if data == b"fail":
            raise ValueError("a")
        if data == b"write":
            (tmp_path / "elsewhere").write_bytes(data)

    inside = tmp_path / "inside"
    inside.mkdir()
    watch = fuzz.Watch("bad", fuzz.Reader(bad, [b""]), inside, inside / "bad.case")
    assert watch.one(b"good") == ""
    assert watch.one(b"fail").startswith("ValueError")
    assert watch.one(b"write").startswith("outside its folder")
    watch.quiet = True
    assert sorted(watch.findings) == ["bad-1.found", "bad-2.found"]


@pytest.mark.parametrize("inner", [[-1, 5], [4, -1], [1 << 40, 4]])
def test_a_network_whose_shapes_lie_is_a_line(tmp_path, inner):
    from featureblend.errors import FeatureblendError

    reader = fuzz.readers(tmp_path)["network"]()
    reader.read(reader.seeds[0])  # the honest one
    lie = fuzz.tiny_network("images", [3, 8, 8], "latent", [4], inner)
    with pytest.raises(FeatureblendError) as told:
        reader.read(b"\0" + lie)
    assert "\n" not in str(told.value)


def test_a_forged_recipe_is_a_line(tmp_path):
    from featureblend.edit.replay import replay
    from featureblend.errors import FeatureblendError

    whole = {"featureblend": "0.2.0", "verb": "blend", "inputs": [], "model": {}, "weights": [1]}
    for name in whole:
        for wrong in (None, 3, "a", [], [3], {}, {"a": 1}):
            (tmp_path / "recipe.json").write_text(json.dumps({**whole, name: wrong}))
            with pytest.raises(FeatureblendError):
                replay(tmp_path / "recipe.json", tmp_path / "again.png")
