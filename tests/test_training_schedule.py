"""Schedules at points worked by hand, and the averaged weights' formula."""

import dataclasses
import math

import pytest
import torch
from training_faces import PAPER, TOY, faces

from featureblend.training.experiment import Phase
from featureblend.training.objective import Batch
from featureblend.training.trainer import Trainer, adversarial_ramp, learning_rate_factor

SCHEDULE = dataclasses.replace(
    TOY, batch_size=10, images=1000, warmup=100, learning_rate=1e-3, final_learning_rate=2e-4
)


def test_learning_rate_warms_up_and_falls_by_half_a_cosine():
    def rate(images):
        return 1e-3 * learning_rate_factor(images, SCHEDULE, 1e-3)

    def cosine(images):
        return 2e-4 + 8e-4 * 0.5 * (1 + math.cos(math.pi * images / 1000))

    assert rate(0) == pytest.approx(0.1 * 1e-3)  # a tenth of the warm-up is this very step
    assert rate(40) == pytest.approx(0.5 * cosine(40))
    assert rate(90) == pytest.approx(cosine(90))
    assert rate(500) == pytest.approx(6e-4)
    assert rate(1000) == rate(2000) == pytest.approx(2e-4)


def test_learning_rate_without_schedule():
    flat = dataclasses.replace(SCHEDULE, warmup=0, final_learning_rate=1e-3)
    assert {learning_rate_factor(images, flat, 1e-3) for images in (0, 10, 500, 1000)} == {1.0}


def test_both_networks_end_at_the_final_rate():
    for start in (1e-3, 5e-4):
        assert start * learning_rate_factor(1000, SCHEDULE, start) == pytest.approx(2e-4)


def test_adversary_starts_and_ramps():
    late = dataclasses.replace(TOY, adversarial_start=100, adversarial_ramp=200)
    points = {0: 0.0, 99: 0.0, 100: 0.0, 150: 0.25, 300: 1.0, 5000: 1.0}
    assert {images: adversarial_ramp(images, late) for images in points} == points
    sudden = dataclasses.replace(late, adversarial_ramp=0)
    assert [adversarial_ramp(images, sudden) for images in (99, 100)] == [0.0, 1.0]
    assert adversarial_ramp(0, dataclasses.replace(TOY, adversarial_start=0, adversarial_ramp=0)) == 1.0


def test_averaged_weights_by_hand():
    """Each step moves them by 1 - 0.5 ^ (batch / half life); the half life grows to a twentieth of the images seen."""
    trainer = Trainer(dataclasses.replace(TOY, ema_half_life=2, warmup=0), faces())
    key = "to_pixels.weight"
    averaged = trainer.ema.state_dict()[key].clone()
    for step in range(1, 5):
        trainer.step()
        current = trainer.networks.autoencoder.state_dict()[key]
        decay = 0.5 ** (16 / min(2, 0.05 * 16 * step))
        averaged = decay * averaged + (1 - decay) * current
        torch.testing.assert_close(trainer.ema.state_dict()[key], averaged, atol=1e-7, rtol=1e-5)
    assert not torch.equal(averaged, current)


def test_without_averaging_they_are_the_weights_batch_statistics_too():
    trainer = Trainer(PAPER, faces())
    trainer.step()
    current = trainer.networks.autoencoder.state_dict()
    assert any("running_mean" in key for key in current)
    for key, value in trainer.ema.state_dict().items():
        assert torch.equal(value, current[key]), key


def test_optimisers_follow_the_schedule_and_the_clip():
    trainer = Trainer(dataclasses.replace(TOY, gradient_clip=1e-3), faces())
    for step in range(3):
        logged = trainer.step()
        for name, start in (("autoencoder", 1e-3), ("discriminator", 5e-4)):
            expected = start * learning_rate_factor(step * 16, trainer.experiment, start)
            assert trainer.optimisers[name].param_groups[0]["lr"] == pytest.approx(expected)
    norms = {
        name: torch.nn.utils.get_total_norm([parameter.grad for parameter in network.parameters()])
        for name, network in trainer.networks.named().items()
    }
    assert float(logged["gradient_joint"]) > 1e-2  # as it was before
    assert float(norms["autoencoder"]) == pytest.approx(1e-3, rel=1e-3)
    assert float(norms["discriminator"]) == pytest.approx(float(logged["gradient_discriminate"]), rel=1e-5)


def test_each_phase_moves_one_network_alone():
    trainer = Trainer(TOY, faces())
    batch = Batch(trainer.batches.batch(0), lambda: trainer.batches.batch(0, 1), seed=(0, 0))

    def weights():
        return {name: [p.clone() for p in network.parameters()] for name, network in trainer.networks.named().items()}

    for objective, learner in (("joint", "autoencoder"), ("discriminate", "discriminator"), ("blend", "autoencoder")):
        before = weights()
        trainer._phase(Phase(objective, learner), batch)
        after = weights()
        for name in before:
            same = [torch.equal(old, new) for old, new in zip(before[name], after[name], strict=True)]
            assert all(same) if name != learner else not all(same), (objective, name)
            # Nor does the phase compute gradients that nobody uses.
            learns = {parameter.requires_grad for parameter in trainer.networks.named()[name].parameters()}
            assert learns == {name == learner}


def test_gradient_penalty_comes_every_few_steps():
    trainer = Trainer(dataclasses.replace(TOY, gradient_penalty_every=3), faces())
    assert ["gradient_penalty" in trainer.step() for _ in range(7)] == [True, False, False] * 2 + [True]


# --- several updates of a discriminator in a step


def test_a_critics_further_updates_see_other_photos(monkeypatch):
    from featureblend.training import trainer as module

    seen = []

    def noted(networks, batch, experiment):
        seen.append((batch.images.clone(), batch.fakes["reconstruction"].clone()))
        return DISCRIMINATE(networks, batch, experiment)

    DISCRIMINATE = module.OBJECTIVES["discriminate"]
    monkeypatch.setitem(module.OBJECTIVES, "discriminate", noted)
    first, second = TOY.phases
    many = dataclasses.replace(second, times=2, first_times=4, first_steps=1)
    trainer = Trainer(dataclasses.replace(TOY, phases=(first, many)), faces())
    weights = next(trainer.networks.discriminator.parameters())
    before = weights.detach().clone()
    trainer.step()
    assert len(seen) == 4
    assert not torch.equal(before, weights)
    assert not any(torch.equal(seen[0][0], images) for images, _ in seen[1:])
    assert not torch.equal(seen[1][1], seen[2][1])
    trainer.step()
    assert len(seen) == 6


def test_many_updates_resume_to_the_same_bits():
    first, second = TOY.phases
    experiment = dataclasses.replace(TOY, phases=(first, dataclasses.replace(second, times=3)))
    whole, other = Trainer(experiment, faces()), Trainer(experiment, faces())
    for _ in range(2):
        whole.step()
    other.step()
    resumed = Trainer(experiment, faces())
    resumed.restore(other.state())
    resumed.step()
    for one, two in zip(
        whole.networks.discriminator.parameters(), resumed.networks.discriminator.parameters(), strict=True
    ):
        assert torch.equal(one, two)


def test_constant_learning_rates():
    experiment = dataclasses.replace(TOY, warmup=0, final_learning_rate=None)
    assert {learning_rate_factor(images, experiment, 1e-3) for images in (0, 2_000, 4_000)} == {1.0}


def test_weights_are_clipped_after_each_of_the_critics_steps():
    trainer = Trainer(dataclasses.replace(TOY, critic_clip=(-0.01, 0.01)), faces())
    trainer.step()
    largest = max(float(parameter.detach().abs().max()) for parameter in trainer.networks.discriminator.parameters())
    assert largest == pytest.approx(0.01)
    assert any(float(parameter.abs().max()) > 0.05 for parameter in trainer.networks.autoencoder.parameters())
