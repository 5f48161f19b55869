"""New channels of a fine latent begin where least squares puts them, and the old ones stay as they are."""

import dataclasses

import numpy as np
import pytest
import torch

from featureblend.errors import FeatureblendError
from featureblend.faces.drawn import draw_face
from featureblend.training.dataset import FaceSet
from featureblend.training.experiment import Experiment, LossWeights
from featureblend.training.networks.modern import ModernAutoencoder, ModernConfig
from featureblend.training.starting import begin_fine_skip, fit_fine_skip, take_over
from featureblend.training.trainer import Trainer

SMALL = ModernConfig(
    image_size=32, widths=(8, 16), encoder_blocks=(1, 1), decoder_blocks=(1, 1), spatial_channels=4, global_dim=8
)
WIDE = dataclasses.replace(SMALL, fine_channels=5, fine_skip=True)


def faces(count=24, size=32):
    return FaceSet.from_images(np.stack([draw_face(seed, size)[0] for seed in range(count)]))


def pictures(count=24):
    return torch.from_numpy(faces(count).images).permute(0, 3, 1, 2).float() / 127.5 - 1


def error(model, images):
    with torch.no_grad():
        return float((model(images) - images).square().mean())


def test_a_wider_layer_takes_the_narrower_ones_channels():
    old, new = (ModernAutoencoder(dataclasses.replace(SMALL, fine_channels=count)) for count in (2, 5))
    fresh = take_over(new, old.state_dict(), "a run")
    assert fresh == 3 * 8 + 3 + 3 * 8 * 9
    torch.testing.assert_close(new.to_fine.weight[:2], old.to_fine.weight)
    torch.testing.assert_close(new.from_fine.weight[:, :2], old.from_fine.weight)


def test_a_refused_start_changes_nothing():
    network = torch.nn.Linear(9, 9)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(FeatureblendError, match="only 9 of 90 numbers fit"):
        take_over(network, {"bias": torch.zeros(9)}, "a run")
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_more_channels_leave_less_out_and_old_codes_as_they_were():
    torch.manual_seed(0)
    images = pictures()
    old = ModernAutoencoder(dataclasses.replace(SMALL, fine_channels=2))
    errors = [error(old, images)]
    for channels in (4, 8):
        model = ModernAutoencoder(dataclasses.replace(WIDE, fine_channels=channels))
        take_over(model, old.state_dict(), "a run")
        fit_fine_skip(model, images, old=2)
        errors.append(error(model, images))
        with torch.no_grad():
            code, before = model.encode(images), old.encode(images)
            torch.testing.assert_close(code[:, : before.shape[1]], before)
            new = code[:, before.shape[1] :].unflatten(1, (channels - 2, 8, 8))
            assert float(new.mean().abs()) < 0.05
            np.testing.assert_allclose(new.std(dim=(0, 2, 3)), 0.7, atol=0.05)
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_flat_pictures_have_an_answer_too():
    model = ModernAutoencoder(WIDE)
    fit_fine_skip(model, torch.zeros(2, 3, 32, 32), old=0)
    assert all(bool(value.isfinite().all()) for value in model.parameters())


def test_only_a_start_without_a_linear_skip_is_fitted():
    torch.manual_seed(0)
    model = ModernAutoencoder(WIDE)
    begin_fine_skip(model, dict(model.state_dict()), faces())
    assert not model.fine_to_pixels.weight.any()
    begin_fine_skip(ModernAutoencoder(SMALL), {}, faces())  # has no such way
    begin_fine_skip(model, ModernAutoencoder(SMALL).state_dict(), faces())
    assert model.fine_to_pixels.weight.any()


def test_a_run_begins_with_what_was_fitted():
    options = {**dataclasses.asdict(SMALL), "fine_channels": 3}
    experiment = Experiment(
        name="narrow", description="", model="modern", model_options=options, losses=LossWeights(l1=1.0), batch_size=4
    )
    wide = dataclasses.replace(
        experiment, name="wide", model_options={**options, "fine_channels": 6, "fine_skip": True}
    )
    first = Trainer(experiment, faces())
    second = Trainer(wide, faces())
    second.start_from({"ema": first.ema.state_dict(), "networks": {}}, "narrow")
    images = pictures()
    assert error(second.ema, images) < 0.5 * error(first.ema, images)
    assert error(second.ema, images) == pytest.approx(error(second.networks.autoencoder, images), rel=1e-4)


def test_a_linear_skip_needs_channels():
    with pytest.raises(FeatureblendError, match="fine_skip needs fine_channels"):
        dataclasses.replace(SMALL, fine_skip=True)
