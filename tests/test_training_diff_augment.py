"""DiffAugment against its paper's formulas, and its gradient."""

import pytest
import torch

from featureblend.errors import FeatureblendError
from featureblend.training.diff_augment import POLICIES, DiffAugment


def drawing(**numbers):
    """Draws that are given, the same for every sample."""
    return lambda name, count: torch.tensor([numbers[name]]).expand(3, count)


def uniform(seed, batch=3):
    return lambda name, count: torch.rand(batch, count, generator=torch.Generator().manual_seed(seed))


def photos(size=16):
    return torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_colour_by_the_formulas():
    images = photos()
    same = DiffAugment("color", drawing(color=[0.5, 0.5, 0.5]))(images)
    torch.testing.assert_close(same, images)
    brighter = DiffAugment("color", drawing(color=[0.75, 0.5, 0.5]))(images)
    torch.testing.assert_close(brighter, images + 0.25)
    grey = DiffAugment("color", drawing(color=[0.5, 0.0, 0.5]))(images)
    torch.testing.assert_close(grey, images.mean(1, keepdim=True).expand_as(images))
    flat = DiffAugment("color", drawing(color=[0.5, 0.5, 0.0]))(images)
    middle = images.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(flat, middle + 0.5 * (images - middle))


def test_translation_moves_by_up_to_an_eighth():
    for drawn, shift in [(0.0, -2), (0.5, 0), (0.999, 2)]:
        images = photos()
        moved = DiffAugment("translation", drawing(translation=[drawn, 0.5]))(images)
        expected = torch.zeros_like(images)
        for row in range(16):
            if 0 <= row + shift < 16:
                expected[:, :, row] = images[:, :, row + shift]
        assert torch.equal(moved, expected)
        sideways = DiffAugment("translation", drawing(translation=[0.5, drawn]))(images)
        assert torch.equal(sideways, DiffAugment("translation", drawing(translation=[drawn, 0.5]))(images.mT).mT)


def test_cutout_greys_a_square_of_half_the_side():
    images = photos() + 3  # nowhere 0
    cut = DiffAugment("cutout", drawing(cutout=[0.5, 0.5]))(images)
    gone = (cut == 0)[:, 0]
    assert gone.sum((1, 2)).tolist() == [64] * 3
    assert gone[0, 4:12, 4:12].all()
    torch.testing.assert_close(cut[(cut != 0)], images[cut != 0])
    corner = DiffAugment("cutout", drawing(cutout=[0.0, 0.0]))(images)
    assert (corner == 0)[0, 0].sum() == 16  # three quarters of the square lie outside


def test_draws_cover_the_range():
    images, seen = torch.ones(1, 1, 16, 16), set()
    for seed in range(60):
        moved = DiffAugment("translation", uniform(seed, 1))(images.expand(1, 3, 16, 16))
        seen.add(16 - int(moved[0, 0].amax(1).sum()))
    assert seen == {0, 1, 2}


def test_gradients_go_through():
    for policy in [*POLICIES, ",".join(POLICIES)]:
        images = photos().double().requires_grad_(True)
        augment = DiffAugment(policy, uniform(1))
        assert torch.autograd.gradcheck(augment, (images[:, :, :4, :4],)) if policy == "color" else True
        augment(images).square().sum().backward()
        assert images.grad.isfinite().all()
        assert float(images.grad.abs().sum()) > 0


def test_one_draw_changes_all_pictures_of_a_step_alike():
    augment, images = DiffAugment("color,translation,cutout", uniform(2)), photos()
    assert torch.equal(augment(images), augment(images))
    assert not torch.equal(augment(images), DiffAugment("color,translation,cutout", uniform(3))(images))


def test_policies():
    images = photos()
    assert DiffAugment("", uniform(0))(images) is images
    with pytest.raises(FeatureblendError, match="diff_augment names 'colour': use color, translation, cutout"):
        DiffAugment("colour", uniform(0))
