"""Numbers on the command line: as in lists, with a decimal comma or as percentages."""

# ruff: noqa: F811 (fixtures that are imported)

import pytest
from command_line import place, shared_detector  # noqa: F401

from featureblend.cli import main
from featureblend.io.metadata import read_recipe

pytestmark = pytest.mark.usefixtures("model_sized")

PIXEL = ["ana.png", "ben.jpg", "-o", "out.png", "--method", "pixel", "--quiet"]


def test_weights(place):
    for words in [
        ["--weights", "0.25,0.75"],
        ["--weights", "0,25", "0,75"],
        ["--weights", "25%", "75%"],
        ["--weights", "25", "%", "75", "%"],
        ["--weights", "25%,75%"],
        ["--weights", "1;3"],
        ["--weights", "1:3"],
        ["--alpha", "0.75"],
        ["--alpha", "0,75"],
        ["--alpha", "75%"],
    ]:
        main(["blend", *PIXEL, *words])
        assert read_recipe("out.png")["weights"] == [0.25, 0.75]


def test_ends_of_a_continuum(place):
    for low, high in [("-0.5", "1.5"), ("-0,5", "1,5"), ("-50%", "150%"), ("-,5", "+1,5")]:
        main(["continuum", *PIXEL, "--from", low, "--to", high, "--steps", "2", "--size", "32.0"])
        options = read_recipe("out.png")["options"]
        assert (options["start"], options["end"], options["size"]) == (-0.5, 1.5, 32)


def test_amounts_are_read_so_too(place):
    main(["symmetrize", "ana.png", "-o", "out.png", "--amount", "-50%"])
    assert read_recipe("out.png")["options"]["amount"] == -0.5
    main(["mix", "ana.png", "--eyes-from", "ben.jpg", "50%", "-o", "out.png"])
    assert read_recipe("out.png")["options"]["regions"]["eyes"] == [2, 0.5]
