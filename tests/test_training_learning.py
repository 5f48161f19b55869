"""The toy experiment learns the faces that it sees, and its speed can be measured."""

import dataclasses

import numpy as np
import pytest
import torch
from short_runs import no_curves  # noqa: F401
from training_faces import PAPER, TOY, faces

from featureblend.training.machine import computes_in_bf16
from featureblend.training.objective import Batch
from featureblend.training.profile import profile
from featureblend.training.trainer import Trainer


@pytest.fixture(scope="module")
def sixteen(face_source):
    """As many faces as a batch holds: every step sees them all."""
    people = faces(60, source=face_source)
    return people.chosen(np.flatnonzero(people.splits == "train")[:16])


def test_a_run_comes_to_draw_the_faces_that_it_sees(sixteen):
    """Over five seeds, drawn faces and photos: .54 (spread .03) of the first error, .72 (.04) of the mean face's."""
    experiment = dataclasses.replace(
        TOY, images=60 * 16, learning_rate=3e-3, warmup=0, ema_half_life=0, shift=0, mirror=False
    )
    trainer = Trainer(experiment, sixteen)
    errors = []
    while not trainer.done:
        errors.append(float(trainer.step()["l1"]))
    images, made, blends = trainer.validate()[1].values()
    late = np.mean(errors[-5:])
    assert late < 0.75 * errors[0]
    assert late < 0.9 * float((images - images.mean(0)).abs().mean())  # the best picture that ignores its input
    # A blend's distance from its parents' mean, of their distance from each other: .09 (spread .01).
    away = (blends - (made + made.roll(-1, 0)) / 2).abs().mean((1, 2, 3))
    apart = (made - made.roll(-1, 0)).abs().mean((1, 2, 3))
    assert float((away / apart).median()) < 0.5


def test_a_critic_comes_to_tell_the_faces_that_it_sees_from_made_ones(sixteen):
    """Over five seeds, drawn faces and photos: its loss is .95 (spread .04), where chance is 2."""
    trainer = Trainer(dataclasses.replace(TOY, warmup=0), sixteen)
    batch = Batch(trainer.batches.batch(0), trainer.batches.batch, seed=(0, 0))
    generate, judge = TOY.phases
    trainer._phase(generate, batch)
    found = [trainer._phase(judge, batch) for _ in range(16)]
    assert float(found[-1]["discriminator"]) < 1.5 < float(found[0]["discriminator"])
    last = {name: float(value) for name, value in found[-1].items()}
    assert last["real_logit"] > max(last["reconstruction_logit"], last["blend_logit"])


def test_profile():
    for experiment in [TOY, PAPER]:
        found = profile(experiment, faces(), steps=3)
        assert found["images_per_second"] > 0
        assert found["achieved_gflops"] == pytest.approx(
            found["images_per_second"] * found["gflop_per_image"], rel=0.01
        )
        assert found["share"] == pytest.approx(found["achieved_gflops"] / found["matrix_gflops"], rel=0.01)
        assert (found["precision"], found["batch_size"]) == ("fp32", experiment.batch_size)


def test_profile_counts_operations_worked_by_hand():
    """Each layer of a plain reconstruction: once forward, twice backward; the first once, as its input is given."""
    options = {"image_size": 8, "patch": 4, "widths": (5,), "encoder_blocks": (0,), "decoder_blocks": (0,)}
    bare = dataclasses.replace(
        TOY,
        model_options={**options, "spatial_channels": 3, "global_dim": 0},
        phases=TOY.phases[:1],
        losses=dataclasses.replace(TOY.losses, adversarial_reconstruction=0, adversarial_blend=0, mixing=0, anchor=0),
        gradient_penalty=0.0,
    )
    bare = dataclasses.replace(bare, phases=(dataclasses.replace(bare.phases[0], objective="reconstruct"),))
    pixels = 2 * 2  # a grid of 2 x 2
    stem, head = 2 * 9 * 48 * 5 * pixels, 2 * 9 * 5 * 48 * pixels
    to_latent, from_latent = 2 * 5 * 3 * pixels, 2 * 9 * 3 * 5 * pixels
    expected = 2 * stem + 3 * (to_latent + from_latent + head)
    assert profile(bare, faces(), steps=1)["gflop_per_image"] == pytest.approx(expected / 1e9, abs=1e-4)


def test_profile_spreads_the_gradient_penalty():
    often, seldom = (dataclasses.replace(TOY, gradient_penalty_every=every) for every in (1, 4))
    without = dataclasses.replace(TOY, gradient_penalty=0.0)
    counts = [profile(experiment, faces(), steps=1)["gflop_per_image"] for experiment in (often, seldom, without)]
    assert counts[0] > counts[1] > counts[2]
    assert counts[1] - counts[2] == pytest.approx((counts[0] - counts[2]) / 4, rel=0.02)


@pytest.mark.parametrize("able", [True, False])
def test_bf16_is_only_used_where_the_machine_has_it(able, monkeypatch, capsys, tmp_path):
    """Emulated products are slow: the run then computes in fp32, and says so."""
    from featureblend.training import trainer
    from featureblend.training.loop import train

    monkeypatch.setattr(trainer, "computes_in_bf16", lambda device: able)
    experiment = dataclasses.replace(TOY, precision="bf16", images=16)
    run = trainer.Trainer(experiment, faces())
    assert run.precision == ("bf16" if able else "fp32")
    with run._precision():
        assert torch.is_autocast_enabled("cpu") == able
    train(experiment, faces(), tmp_path / "run", tick_seconds=1e9)
    assert ("only emulates bf16: computing in fp32" in capsys.readouterr().err) == (not able)


def test_a_cpu_is_asked_for_its_instructions():
    """Where oneDNN has none, bfloat16 must be off; emulated, a product took fifty to ninety times as long."""
    assert computes_in_bf16("cpu") == torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert computes_in_bf16("meta")
