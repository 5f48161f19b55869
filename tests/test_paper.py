"""`featureblend reproduce` at a size of seconds: runs, figures, report, and going on after a stop."""

import dataclasses
import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from short_runs import no_curves  # noqa: F401
from training_faces import faces as training_faces

from featureblend.cli import main
from featureblend.errors import FeatureblendError, TrainingBrokeDown
from featureblend.faces.drawn import draw_faces
from featureblend.paper import faces as reproduced_faces
from featureblend.paper import merging, running, schedule
from featureblend.paper import reproduce as command
from featureblend.paper.faces import Subjects, find_subjects
from featureblend.paper.merging import merge_all
from featureblend.paper.plan import figures_named
from featureblend.paper.reproduce import reproduce
from featureblend.paper.results import measure_linear, measure_run
from featureblend.training.dataset import FaceSet
from featureblend.training.experiment import LossWeights
from featureblend.training.presets import preset, quick
from featureblend.training.state import RunFolder

IMAGES = 16
"""Two steps of a quick run."""


@pytest.fixture(scope="module")
def few():
    """Drawn faces of all splits: 24 to train on, 8 to validate, 48 to test."""
    images, landmarks = draw_faces(range(80), 64)
    names = np.array([f"person {number}" for number in range(80)])
    return dataclasses.replace(
        FaceSet.from_images(images),
        landmarks=landmarks.astype(np.float32),
        people=names,
        sources=names,
        splits=np.repeat(["train", "validation", "test"], [24, 8, 48]),
    )


def short(name):
    return dataclasses.replace(quick(preset(name), IMAGES), batch_size=command.QUICK_BATCH)


def shorten(patch):
    patch.setattr(command, "QUICK_IMAGES", IMAGES)
    patch.setattr(command, "LONGER", {})


def run(out, few, only=("1",), **options):
    return reproduce(out, only, quick=True, data=few, jobs=1, quiet=True, say=lambda text: None, **options)


@pytest.fixture(scope="module")
def finished(few, tmp_path_factory):
    out = tmp_path_factory.mktemp("reproduce")
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        run(out, few, ("1", "7"))
    return out


def test_the_runs_are_the_loops_own(finished):
    names = {path.name for path in (finished / "runs").iterdir()}
    assert names == {"paper-vae", "paper-vae-published", "paper-wgan", "paper-wgan-published", "paper-wgan-gp"}
    for name in names:
        folder = RunFolder(finished / "runs" / name)
        assert folder.experiment() == short(name)
        line = folder.history()[-1]
        assert line["images"] == IMAGES
        assert 0 <= line["output_green"] <= 1
        assert line["diversity"] >= 0


def test_the_report_holds_all_of_itself(finished):
    page = (finished / "report.html").read_text()
    assert not re.search(
        r"""(?:src|href|action|data)\s*=\s*["']?(?!data:)[^"'> ]+""", page.replace("<meta charset", "")
    )
    assert not re.search(r"https?:|url\(|@import|<script|<link", page)
    assert page.count("data:image/png;base64,") == len(list((finished / "figures").glob("*.png"))) >= 4
    assert "Figure 7: Output produced using Wasserstein loss" in page
    assert "Figure 4" not in page
    assert "24 train, 8 validation, 48 test faces from the faces given" in page
    assert "quick: every preset at half size" in page


def test_every_number_is_kept(finished):
    found = json.loads((finished / "results.json").read_text())
    assert found["runs"]["paper-vae"]["images"] == IMAGES
    assert found["runs"]["paper-vae"]["data_means"] == found["runs"]["paper-wgan"]["data_means"]
    claims = {claim["claim"]: claim for claim in found["claims"]}
    assert {"vae-blurry", "green", "wgan-blurry"} <= set(claims)
    assert "collapse-20" not in claims  # Figure 4's
    assert "dB at equal images seen (16)" in claims["vae-blurry"]["numbers"]


def test_the_same_command_trains_nothing_again(few, finished, monkeypatch):
    shorten(monkeypatch)
    monkeypatch.setattr(running, "train", lambda *words, **options: pytest.fail("trained again"))
    before = (finished / "results.json").read_bytes()
    run(finished, few, ("1", "7"))
    assert (finished / "results.json").read_bytes() == before


def test_a_stop_loses_nothing(few, tmp_path, monkeypatch):
    shorten(monkeypatch)
    train, trained = running.train, []

    def stopping(experiment, *words, **options):
        if trained == ["paper-vae-published"]:
            raise KeyboardInterrupt
        trained.append(experiment.name)
        return train(experiment, *words, **options)

    monkeypatch.setattr(running, "train", stopping)
    with pytest.raises(KeyboardInterrupt, match="stopped in paper-vae, all saved"):
        run(tmp_path, few)
    trained.append("stopped")
    page = run(tmp_path, few).read_text()
    assert trained == ["paper-vae-published", "stopped", "paper-vae"]
    assert "not begun" not in page


def test_a_budget_of_nothing_draws_what_is_there(few, tmp_path):
    page = run(tmp_path, few, minutes=0).read_text()
    assert not (tmp_path / "runs").exists()
    assert page.count("not begun") == 2
    assert "no run of paper-vae-published, paper-vae" in page


def test_the_budget_is_shared(few, tmp_path, monkeypatch):
    """Time that a run leaves over goes to the others; what is complete gets none."""
    now, shares, spent = [0.0], [], {"a": 60, "b": 240, "c": 200}

    def spending(experiment, faces, folder, *, minutes, **options):
        shares.append((folder.name, round(60 * minutes)))
        now[0] += min(spent[folder.name], 60 * minutes)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "checkpoint.pt").touch()
        images = experiment.images if folder.name == "a" else 1
        (folder / "metrics.jsonl").write_text(json.dumps({"step": 1, "images": images}) + "\n")

    monkeypatch.setattr(running, "train", spending)
    monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=lambda: now[0]))
    experiments = {name: quick(preset("paper-vae")) for name in ("a", "b", "c")}
    said = []
    running.train_all(experiments, Subjects(few, ""), tmp_path, minutes=9, say=said.append)
    assert shares == [("a", 180), ("b", 240), ("c", 240), ("b", 20), ("c", 20)]
    assert said[0] == "a: 0 of 640 images seen"
    assert said[3] == "b: 1 of 640 images seen"


def test_the_first_runs_have_the_time_where_few_take_turns(few, tmp_path, monkeypatch):
    order = []

    def whole(experiment, faces, folder, *, until, **options):
        order.append((folder.name, until))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "checkpoint.pt").touch()
        (folder / "metrics.jsonl").write_text(
            json.dumps({"step": 1, "images": 320 if order.count(order[-1]) == 1 else 640})
        )

    monkeypatch.setattr(running, "train", whole)
    experiments = {name: quick(preset("paper-vae")) for name in "abc"}
    running.train_all(experiments, Subjects(few, ""), tmp_path, say=str, at_once=2)
    assert order == [(name, None) for name in "ababcc"]
    order.clear()
    running.train_all({"d": experiments["a"]}, Subjects(few, ""), tmp_path, say=str, until=320)
    assert order == [("d", 320)]


def test_the_papers_scale(few, tmp_path, monkeypatch):
    """Full width, at the sizes that a machine allows, those that matter first; a plan keeps nothing."""
    monkeypatch.setattr(command.torch.cuda, "is_available", lambda: False)
    found = command._experiments(figures_named(["1", "4"]), False, None, ())
    sizes = {name: one.model_options["image_size"] for name, one in found.items()}
    assert list(sizes.items())[:4] == [
        *(("paper-vae-published", 64), ("paper-vae", 64)),
        *(("paper-vae-published-128px", 128), ("paper-vae-128px", 128)),
    ]
    assert {found[f"paper-vaegan-20-seed{seed}"].seed for seed in range(1, 5)} == {1, 2, 3, 4}
    assert all(one.model_options.get("width", 1) == 1 and one.images == 550_000 for one in found.values())
    assert set(command._experiments(figures_named(["1"]), False, 250, ())) == {"paper-vae", "paper-vae-published"}
    monkeypatch.setattr(schedule, "LEAST_SECONDS", 0.0)
    said = []
    experiments = {"paper-wgan": short("paper-wgan")}
    monkeypatch.setattr(command, "_experiments", lambda *words: experiments)
    plan = reproduce(tmp_path, data=few, plan=True, say=said.append)
    (line,) = [line for line in plan.read_text().splitlines() if "paper-wgan" in line]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:4] == ["1", "paper-wgan", "64 px, padded", f"0 of {IMAGES}"]
    assert float(cells[4]) > 0
    assert said == [plan.read_text()]
    assert not (tmp_path / "runs").exists()


def test_principal_components_stand_beside_whole_runs(few, finished, tmp_path, monkeypatch):
    shutil.copytree(finished / "runs" / "paper-vae", tmp_path / "runs" / "paper-vae")
    experiments = {name: short(name) for name in ("paper-vae-published", "paper-vae")}
    monkeypatch.setattr(command, "_experiments", lambda *words: experiments)
    page = reproduce(tmp_path, ("1",), minutes=0, data=few, quiet=True, say=str).read_text()
    found = json.loads((tmp_path / "results.json").read_text())
    assert set(found["runs"]) == {"paper-vae", "linear-paper-vae", "pca-200", "pca-2000"}
    assert found["not_run"] == {"paper-vae-published": IMAGES}
    assert f"not begun: 0 of {IMAGES}" in page
    assert found["runs"]["pca-200"]["psnr"] > found["runs"]["paper-vae"]["psnr"]
    (blurry,) = [claim for claim in found["claims"] if claim["claim"] == "vae-blurry"]
    assert blurry["verdict"] == "not run"
    assert blurry["runs"] == f"paper-vae-published: not run; paper-vae: {IMAGES} of {IMAGES} images"


def test_the_best_linear_vae_keeps_what_is_worth_its_price(few):
    """One direction of faces: its variance over the price says what is left of it."""
    rows = np.tile(np.linspace(-1, 1, 40).repeat(2)[:, None, None, None], (1, 16, 16, 3))
    rows = rows + 0.2 * (np.indices((16, 16)).sum(axis=0) % 2)[..., None]  # what all have in common costs nothing
    faces = dataclasses.replace(
        FaceSet.from_images(np.uint8(np.rint(128 + 40 * rows))), landmarks=few.landmarks, people=few.people
    )
    variance = (faces.images[:, 0, 0, 0] / 255).var() * 16 * 16 * 3
    for share in (0.25, 2.0):
        losses = LossWeights(mse=0.25, kl=2 * share * variance)
        found = measure_linear(dataclasses.replace(preset("paper-vae"), losses=losses), faces, faces, 16)
        left = max(0.0, 1 - share)
        assert found.diversity == pytest.approx(left, abs=0.03)
        error = (1 - left) * (faces.images[0] - faces.images.mean(axis=0)).mean()  # of the face farthest from the mean
        assert found.faces["psnr"][0] == pytest.approx(20 * np.log10(255 / abs(error)), abs=0.3)


def test_a_run_that_breaks_down_does_not_end_the_others(few, tmp_path, monkeypatch):
    shorten(monkeypatch)
    train = running.train

    def breaking(experiment, *words, **options):
        path = train(experiment, *words, **options)
        if experiment.name == "paper-vae-published":
            raise TrainingBrokeDown("training broke down at 16 images: mse is no longer a number")
        return path

    monkeypatch.setattr(running, "train", breaking)
    page = run(tmp_path, few).read_text()
    assert "mse is no longer a number" in page
    assert RunFolder(tmp_path / "runs" / "paper-vae").history()[-1]["images"] == IMAGES


def test_processes_change_nothing(few, finished, tmp_path, monkeypatch):
    experiments = {name: short(name) for name in ("paper-vae", "paper-vae-published")}
    running.train_all(experiments, Subjects(few, ""), tmp_path, jobs=2, say=lambda text: None)
    for name in experiments:
        one, other = (RunFolder(folder / name).history() for folder in (tmp_path, finished / "runs"))
        # Losses and scores, not weights: where a gradient is nearly 0, Adam makes much of rounding.
        for line, wanted in zip(one, other, strict=True):
            for times in ("seconds", "images_per_second"):
                del line[times], wanted[times]
            assert line == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_merges_are_scored_beside_what_else_blends(few, finished, monkeypatch):
    monkeypatch.setattr(merging, "QUICK", dataclasses.replace(merging.QUICK, count=10, paths=1, steps=3))
    monkeypatch.setattr(merging, "MERGED_BASELINES", ("pixel",))
    _, coder, _ = measure_run(finished / "runs" / "paper-vae", "paper-vae", few.split("test"))
    merged = merge_all({"paper-vae": coder}, few, True, 64, lambda text: None)
    assert list(merged.values) == ["real", "paper-vae", "featureblend", "pca", "pixel"]
    assert all(len(merged.pictures[name]) == 10 for name in ("paper-vae", "featureblend", "pixel"))
    a, b = merged.drawn.pairs[0]
    faces = merged.drawn.faces.images
    latents = coder.encode(faces[[a, b]])
    np.testing.assert_array_equal(merged.pictures["paper-vae"][0], coder.decode(latents.mean(axis=0)[None])[0])
    assert merged.values["paper-vae"]["reconstruction_psnr"]["value"] < 25  # two steps make no faces
    assert merged.values["pixel"]["sharpness"]["value"] > merged.values["paper-vae"]["sharpness"]["value"]
    rows = merging.merged_rows(merged)
    assert [label for label, _ in rows] == ["A", "B", "paper-vae", "featureblend", "pca", "pixel"]
    assert {strip.shape for _, strip in rows} == {(64, 8 * 64, 3)}


def test_runs_of_other_settings_are_refused_before_any_time_is_spent(few, tmp_path, finished, monkeypatch):
    shutil.copytree(finished / "runs" / "paper-vae", tmp_path / "runs" / "paper-vae")
    monkeypatch.setattr(running, "train", lambda *words, **options: pytest.fail("trained"))
    with pytest.raises(FeatureblendError, match=r"paper-vae was begun with other settings: remove that folder"):
        run(tmp_path, few)


def test_drawn_faces_stand_in_for_data(monkeypatch):
    monkeypatch.setattr(reproduced_faces, "QUICK", {"train": 9, "validation": 3, "test": 4})
    subjects = find_subjects(None, True, 32)
    assert "drawn by featureblend" in subjects.note
    assert subjects.path is None
    assert len(set(subjects.faces.people)) == len(subjects.faces) == 16
    assert find_subjects(None, True, 32).faces.identity == subjects.faces.identity


def test_given_faces_are_cut_down_for_a_quick_run(monkeypatch):
    monkeypatch.setattr(reproduced_faces, "QUICK", {**reproduced_faces.QUICK, "train": 100})
    many = training_faces()
    chosen = find_subjects(many, True, 64).faces
    assert (chosen.splits == "train").sum() == 100
    assert not set(chosen.people[chosen.splits == "train"]) & set(chosen.people[chosen.splits != "train"])
    assert find_subjects(many, False, 64).faces is many
    with pytest.raises(FeatureblendError, match="no faces of the validation split"):
        find_subjects(many.split("train"), False, 64)


def test_bad_requests_are_refused_before_anything_is_written(few, tmp_path):
    out = tmp_path / "out"
    for message, options in {
        "--only 9: there is no such figure; use some of 1, 2": {"only": ("9",)},
        "--minutes -1: expected 0 or more": {"minutes": -1},
        "no such file: .*vgg11.pth": {"weights": (tmp_path / "vgg11.pth",), "quick": False},
    }.items():
        with pytest.raises(FeatureblendError, match=message):
            reproduce(out, **{"only": ("1",), "quick": True, "data": few, **options})
    with pytest.raises(FeatureblendError, match="--jobs 0"):
        reproduce(out, quick=True, data=few, jobs=0)
    assert not out.exists()


def test_weights_are_told_apart_by_their_hash(tmp_path, monkeypatch):
    wrong = tmp_path / "vgg11.pth"
    wrong.write_bytes(b"not it")
    with pytest.raises(FeatureblendError, match="its hash is that of no VGG"):
        command._network_of(wrong)
    monkeypatch.setattr(command, "sha256", lambda path: "8a719046" + "0" * 56)
    assert command._network_of(wrong) == "vgg11"
    assert command._with_weights(preset("paper-vgg11"), {"vgg11": "file"}).vgg_weights == "file"
    assert command._with_weights(preset("paper-vgg11"), {}).from_scratch
    assert command._with_weights(preset("paper-vae"), {"vgg11": "file"}) == preset("paper-vae")


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reproduced_faces, "QUICK", {"train": 9, "validation": 3, "test": 4})
    main(["reproduce", "--scale", "quick", "--minutes", "0", "--only", "1"])
    assert capsys.readouterr().out.splitlines()[-1] == "out/reproduce-quick/report.html"
    with pytest.raises(SystemExit) as stop:
        main(["reproduce", "--quick", "--only", "nine"])
    assert stop.value.code == 2
    assert "--only nine: there is no such figure" in capsys.readouterr().err
