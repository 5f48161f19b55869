"""Numbers on the command line: as in lists, with a decimal comma or as percentages; and no file is called '-'."""

# ruff: noqa: F811 (fixtures that are imported)

import pytest
from command_line import fails, place, shared_detector  # noqa: F401

from featureblend.cli import main
from featureblend.io.metadata import read_recipe

PIXEL = ["ana.png", "ben.jpg", "-o", "out.png", "--method", "pixel", "--quiet"]


@pytest.mark.parametrize(
    "words",
    [
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
    ],
)
def test_weights(place, words):
    main(["blend", *PIXEL, *words])
    assert read_recipe("out.png")["weights"] == [0.25, 0.75]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--weights", "0,5"], "may be one number or two"),
        (["--weights", "half", "half"], "numbers are due"),
        (["--weights", "1", "2", "more.png"], "photos come before the options"),
        (["--alpha", "50"], "a number from 0 to 1 is due"),
        (["--alpha", "half"], "one number is due"),
        (["--alpha", "0.5", "--weights", "1", "1"], "in place of weights"),
        (["--alpha", "0.5", "--balance"], "leave out --weights and --alpha"),
        (["--size", "256.5"], "256.5"),
    ],
)
def test_numbers_that_are_refused(fails, words, message):
    assert message in fails("blend", *PIXEL, *words)


@pytest.mark.parametrize(("low", "high"), [("-0.5", "1.5"), ("-0,5", "1,5"), ("-50%", "150%"), ("-,5", "+1,5")])
def test_ends_of_a_continuum(place, low, high):
    main(["continuum", *PIXEL, "--from", low, "--to", high, "--steps", "2", "--size", "32.0"])
    options = read_recipe("out.png")["options"]
    assert (options["start"], options["end"], options["size"]) == (-0.5, 1.5, 32)


def test_amounts_are_read_so_too(place):
    main(["symmetrize", "ana.png", "-o", "out.png", "--amount", "-50%"])
    assert read_recipe("out.png")["options"]["amount"] == -0.5
    main(["mix", "ana.png", "--eyes-from", "ben.jpg", "50%", "-o", "out.png"])
    assert read_recipe("out.png")["options"]["regions"]["eyes"] == [2, 0.5]


def test_an_amount_that_is_no_number_is_refused(fails):
    assert "'some' is no number" in fails("symmetrize", "ana.png", "-o", "new.png", "--amount", "some")


@pytest.mark.parametrize(
    "words",
    [
        ["blend", "-", "ben.jpg", "-o", "out.png"],
        ["blend", "ana.png", "ben.jpg", "-o", "-"],
        ["average", "-", "-o", "out.png"],
        ["batch", "-"],
        ["encode", "ana.png", "-o", "-"],
        ["prepare", "-", "--out", "faces.tar"],
        ["replay", "-"],
    ],
)
def test_standard_streams_are_refused_as_such(fails, words):
    assert fails(*words).startswith("'-' (standard input or output) can't be used")
