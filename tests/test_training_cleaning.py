"""The cleaner: what it leaves alone, what it learns, and what keeps away from damaged photos at full size."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from training_faces import TOY, faces

from featureblend.blend.compositing.restoration import restore_photo
from featureblend.errors import FeatureblendError
from featureblend.evaluation.degradation import degrade
from featureblend.metrics.scores import psnr
from featureblend.training.degradation import KINDS, degraded_with_kinds
from featureblend.training.experiment import LossWeights, Phase
from featureblend.training.networks import AUTOENCODERS, build
from featureblend.training.networks.cleaning import RARER, Cleaner
from featureblend.training.objective import Batch
from featureblend.training.presets import preset
from featureblend.training.trainer import Trainer

OPTIONS = {**TOY.model_options, "cleaner_widths": (24, 32)}
CLEAN = dataclasses.replace(
    TOY,
    name="toy-clean",
    model_options=OPTIONS,
    discriminator="",
    discriminator_options={},
    phases=(Phase("clean", "autoencoder"),),
    losses=LossWeights(l1=1.0, laplacian=0.5, damage=0.2),
    gradient_penalty=0.0,
    degrade=0.7,
    learning_rate=1e-3,
    warmup=0,
    ema_half_life=0,
)


def test_the_odds_of_use_fit_what_the_preset_trains_on():
    """One photo in two hundred in weak light, and one in ten with damage of texture, as `RARER` says."""
    ways = degraded_with_kinds(torch.zeros(4000, 3, 16, 16), preset("modern-clean").degrade, (0,))[1]
    light = ways[:, KINDS.index("light")]
    for done, rare, lower in zip((light, ways.sum(dim=1) > light), (1 / 200, 1 / 10), RARER, strict=True):
        share = float(done.float().mean())
        assert math.log(share / (1 - share)) - math.log(rare / (1 - rare)) == pytest.approx(lower, abs=0.2)


def shaken(cleaner):
    """Give a cleaner random weights, as if it had learned something."""
    with torch.no_grad():
        for parameter in cleaner.parameters():
            parameter.normal_(std=0.1)
    return cleaner


def test_what_is_not_seen_is_not_touched():
    for signs, changed in [
        ((-1, -1), False),
        ((RARER[0] + 1, -1), True),
        ((-1, RARER[1] + 1), True),
        ((RARER[0] - 0.1, RARER[1] - 0.1), False),
    ]:
        cleaner = shaken(Cleaner((8, 8)))
        with torch.no_grad():
            cleaner.to_signs.weight.zero_()
            cleaner.to_signs.bias.copy_(torch.tensor(signs))
            images = torch.rand(3, 3, 32, 32) * 2 - 1
            cleaned, said = cleaner.restored(images)
        assert torch.equal(cleaned, images) != changed
        assert torch.equal(said, torch.tensor(signs, dtype=torch.float32).expand(3, 2))


def test_light_is_one_gain_and_offset_a_colour():
    cleaner = shaken(Cleaner((8, 8)))
    with torch.no_grad():
        cleaner.to_signs.weight.zero_()
        cleaner.to_signs.bias.copy_(torch.tensor([RARER[0] + 3, -3.0]))
        images = torch.rand(1, 3, 32, 32) * 2 - 1
        cleaned = cleaner(images)
    assert not torch.allclose(cleaned, images, atol=1e-2)
    for before, after in zip(images[0], cleaned[0], strict=True):
        line = np.polyfit(before.flatten(), after.flatten(), 1)
        assert np.allclose(np.polyval(line, before.flatten()), after.flatten(), atol=1e-4)


def test_nothing_but_the_cleaner_learns():
    trainer = Trainer(CLEAN, faces(60))
    first = {name: value.clone() for name, value in trainer.networks.autoencoder.state_dict().items()}
    for _ in range(3):
        trainer.step()
    learned = trainer.networks.autoencoder.state_dict()
    moved = {name for name, value in learned.items() if not torch.equal(value, first[name])}
    assert moved == {f"cleaner.{name}" for name, _ in trainer.networks.autoencoder.cleaner.named_parameters()}


def test_it_learns_to_restore_a_batch_and_to_name_its_degradations(face_source):
    """What is left of each term, over five seeds, drawn faces and photos: .56, .11 and .40, spread .06, .08 and .06."""
    for terms in [("l1",), ("damage", "loss_clean")]:
        losses = LossWeights(l1=1.0) if terms == ("l1",) else CLEAN.losses
        trainer = Trainer(dataclasses.replace(CLEAN, losses=losses), faces(60, source=face_source))
        batch = Batch(trainer.batches.batch(0), trainer.batches.batch, seed=(0, 0))
        found = [trainer._phase(CLEAN.phases[0], batch) for _ in range(80)]
        for term in terms:
            assert np.mean([float(numbers[term]) for numbers in found[-5:]]) < 0.85 * float(found[0][term])


def test_a_run_that_cannot_clean_is_refused():
    for change, word in [
        ({"model_options": TOY.model_options}, "cleaner_widths"),
        ({"degrade": 0.0}, "degrade"),
        ({"phases": (Phase("joint", "autoencoder"),)}, "'clean'"),
    ]:
        with pytest.raises(FeatureblendError, match=word):
            Trainer(dataclasses.replace(CLEAN, **change), faces())


def test_too_many_widths_are_refused():
    with pytest.raises(FeatureblendError, match="cleaner_widths"):
        build(AUTOENCODERS, "modern", {**TOY.model_options, "cleaner_widths": (8,) * 6})


@pytest.fixture
def face():
    from featureblend.faces.drawn import draw_face

    return draw_face(0, 128)[0]


def test_what_is_restored_is_what_is_said(face):
    """What is exported gives the shares that it works with, and the encoder sees what it gives."""
    cleaner = shaken(Cleaner((8, 8)))
    images = torch.rand(5, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        cleaned, said = cleaner.cleaned(images)
        torch.testing.assert_close(cleaned, cleaner.restored(images, said)[0])
        model = build(AUTOENCODERS, "modern", OPTIONS).eval()
        shaken(model.cleaner)
        model.cleaner.to_signs.weight.zero_()
        model.cleaner.to_signs.bias.fill_(max(RARER) + 3)  # certain, whatever the other weights are
        assert not torch.equal(model.cleaner(images), images)
        assert torch.equal(model.encode(images), model.encode_cleaned(model.cleaner(images)))
        assert not torch.equal(model.encode(images), model.encode_cleaned(images))
    assert said.shape == (5, 2)
    assert said.min() >= 0
    assert said.max() <= 1


def test_a_good_photo_stays_as_it_is_however_badly_it_is_encoded(face):
    for side in [64, 128]:
        assert np.array_equal(restore_photo(face, np.zeros((side, side, 3)), [0, 0]), face)


def test_degradation_is_taken_out(face):
    for kind, damage in [("light", [1, 0]), ("noise", [0, 1])]:
        seen = degrade(face, kind, 0)
        assert psnr(np.rint(restore_photo(seen, face, damage)).astype(np.uint8), face) > psnr(seen, face) + 6


def test_no_grain_comes_back_at_full_size(face):
    """A photo of twice the model's size: what is finer than the model's pixels goes with the noise."""
    for dim in [False, True]:
        large = np.kron(face, np.ones((2, 2, 1), np.uint8))
        seen = degrade(degrade(large, "light", 0) if dim else large, "noise", 0)
        restored = restore_photo(seen, face, [float(dim), 1])
        assert np.square(restored - large).mean() < 0.1 * np.square(seen.astype(float) - large).mean()


def test_light_gives_fine_detail_its_contrast_back(face):
    from featureblend.faces.alignment import resized

    dim = degrade(face, "light", 0)
    restored = restore_photo(dim, resized(face, 64), [1, 0])
    finer = [image - resized(resized(image, 64), 128) for image in (np.float32(face), np.float32(dim), restored)]
    kept, lost = (float((finer[0] * one).sum() / np.square(finer[0]).sum()) for one in (finer[2], finer[1]))
    assert lost < 0.6
    assert 0.8 < kept < 1.4
