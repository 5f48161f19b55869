"""The toy experiment really learns faces, and its speed can be measured."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training_faces import PAPER, TOY, faces  # noqa: E402

from featureblend.train.machine import computes_in_bf16, matrix_rate  # noqa: E402
from featureblend.train.profile import profile  # noqa: E402
from featureblend.train.trainer import Trainer  # noqa: E402


def mean_face_psnr():
    """Of the best picture that ignores its input, on the people held out."""
    seen, held_out = (faces().split(name).cropped(32).images.astype(float) for name in ("train", "validation"))
    error = ((held_out - seen.mean(0)) ** 2).mean((1, 2, 3))
    return float(np.mean(10 * np.log10(255**2 / error)))


def test_toy_beats_the_mean_face_on_people_it_never_saw():
    trainer = Trainer(dataclasses.replace(TOY, images=150 * 16), faces())
    first, late = trainer.step(), []
    while not trainer.done:
        numbers = trainer.step()
        if trainer.clock.step > 100:
            late.append([float(numbers[name]) for name in ("l1", "discriminator", "real_logit", "blend_logit")])
    assert trainer.validate()[0]["validation_psnr"] > mean_face_psnr() + 1
    l1, discriminator, real, blend = np.mean(late, axis=0)
    assert l1 < 0.75 * float(first["l1"])
    assert discriminator < 1.97  # 2 is chance
    assert real > blend


def test_blends_lie_between_their_parents():
    trainer = Trainer(dataclasses.replace(TOY, images=60 * 16), faces())
    while not trainer.done:
        trainer.step()
    _, pictures = trainer.validate()
    made, blends = pictures["reconstruction"], pictures["blend with next"]
    middle = (made + made.roll(-1, 0)) / 2
    away = (blends - middle).abs().mean((1, 2, 3))
    apart = (made - made.roll(-1, 0)).abs().mean((1, 2, 3))
    assert float((away / apart).median()) < 0.5


@pytest.mark.parametrize("experiment", [TOY, PAPER], ids=["toy", "paper"])
def test_profile(experiment):
    found = profile(experiment, faces(), steps=3)
    assert found["images_per_second"] > 0
    assert found["achieved_gflops"] == pytest.approx(found["images_per_second"] * found["gflop_per_image"], rel=0.01)
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


def test_matrix_rate_is_plausible():
    assert 1e8 < matrix_rate("cpu", torch.float32, seconds=0.1) < 1e14


@pytest.mark.parametrize("able", [True, False])
def test_bf16_is_only_used_where_the_machine_has_it(able, monkeypatch, capsys, tmp_path):
    """Emulated products are slow: the run then computes in fp32, and says so."""
    from featureblend.train import trainer
    from featureblend.train.loop import train

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
