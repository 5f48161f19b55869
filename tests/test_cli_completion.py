"""The Tab key: what bash, zsh and fish are given, and what bash makes of it."""

import json
import shutil
import subprocess
import sys

import pytest

from featureblend.blend.pipeline import METHODS
from featureblend.cli import main
from featureblend.cli.commands import COMMANDS
from featureblend.evaluation.compare import COMPARED_METHODS as COMPARED
from featureblend.paper.plan import FIGURES
from featureblend.training.presets import PRESETS


@pytest.fixture
def script(capsys):
    def of(shell):
        main(["completion", shell])
        return capsys.readouterr().out

    return of


@pytest.fixture
def tab(script, tmp_path):
    """Press the Tab key in bash after some words: gives its candidates."""
    (tmp_path / "script").write_text(script("bash"))
    for name in ("ana.jpg", "ben.jpg"):
        (tmp_path / name).write_bytes(b"")

    def press(*words):
        code = """
            compopt() { :; } # the real one works at the key only
            source ./script
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _shtab_featureblend
            printf '%s\\n' "${COMPREPLY[@]}"
        """
        done = subprocess.run(
            ["bash", "--norc", "-c", code, "bash", "featureblend", *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.stderr == ""
        return [one for one in done.stdout.split("\n") if one]

    return press


def test_every_command_and_option_is_known(script):
    for shell in ["bash", "zsh", "fish"]:
        text = script(shell)
        assert all(name in text for name in COMMANDS)
        dashes = "" if shell == "fish" else "--"
        for option in ("surroundings", "inputs-dir", "all-pairs", "no-metadata", "no-detail", "eyes-from", "from"):
            assert f"{dashes}{option}" in text, option
        assert all(method in text for method in (*METHODS, *COMPARED))


def test_help_stays_on_its_options_line(script):
    """A line of help by itself would be a candidate."""
    for shell in ["zsh", "fish"]:
        lines = [line for line in script(shell).splitlines() if "landmarks warped to the mean, then averaged" in line]
        assert lines
        assert all("laplacian" in line for line in lines)


def test_each_shell_understands_its_own(script, tmp_path):
    here = [shell for shell in ("bash", "zsh", "fish") if shutil.which(shell)]
    assert here
    for shell in here:
        (tmp_path / shell).write_text(script(shell))
        subprocess.run([shell, "-n", tmp_path / shell], check=True)


def test_words_at_the_tab_key(tab):
    for words, due in [
        (["bl"], ["blend"]),
        (["--v"], ["--version"]),
        (["blend", "--meth"], ["--method"]),
        (["blend", "--backg"], ["--background"]),
        (["average", "--sur"], ["--surroundings"]),
        (["blend", "ana.jpg", "ben.jpg", "--method", "la"], ["latent", "laplacian"]),
        (["blend", "--method", "zzz"], []),
        (["blend", "--background", ""], ["blend", "source", "transparent", "black", "average"]),
        (["blend", "--cut", ""], ["head", "face"]),
        (["blend", "--surroundings", ""], ["auto", "mean", "blend"]),
        (["blend", "--size", ""], ["photos", "source", "model"]),
        (["blend", "--onto", ""], []),
        (["blend", "--faces", "largest", "c"], ["central"]),
        (["compare", "a.jpg", "b.jpg", "--methods", "pixel", "mor"], ["morph"]),
        (["train", "--preset", ""], [*PRESETS]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["transform", "--no-k"], ["--no-keep-surroundings"]),
        (["continuum", "--from", "-0.5", "--ease", "in"], ["in", "in-out"]),
    ]:
        assert tab(*words) == due


def test_files_at_the_tab_key(tab):
    for words in [
        ["blend", "a"],
        ["blend", "ben.jpg", "a"],
        ["blend", "-o", "a"],
        ["blend", "--quiet", "a"],
        ["mix", "ben.jpg", "--eyes-from", "a"],
        ["replay", "x.png", "--photos", "ben.jpg", "a"],
        ["blend", "--model", "a"],
    ]:
        assert tab(*words) == ["ana.jpg"]


def test_every_figure_of_reproduce_is_a_word(tab):
    assert set(FIGURES) <= set(tab("reproduce", "--only", "1", ""))


def test_the_plain_install_is_enough(script):
    code = """
import sys

class PlainInstall:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in ("torch", "accelerate", "matplotlib", "onnx", "torchmetrics", "gradio"):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, PlainInstall())
from featureblend.cli import main
main(["completion", "fish"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == script("fish")


def test_what_is_offered_is_taken(tab, tmp_path, capsys):
    """Every word that the key offers passes for a value of its option."""
    for preset in tab("train", "--preset", ""):
        main(["train", "--preset", preset, "--dry-run"])
        assert json.loads(capsys.readouterr().out)["name"] == preset
    for background in tab("blend", "--background", ""):
        with pytest.raises(SystemExit):
            main(["blend", "no.png", "no.png", "-o", str(tmp_path / "out.png"), "--background", background])
        assert "no such file: no.png" in capsys.readouterr().err
