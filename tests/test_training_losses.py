"""Losses against numbers worked by hand, numpy written on its own, and each other's gradients."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from featureblend.errors import FeatureblendError
from featureblend.training.losses import adversarial, reconstruction
from featureblend.training.networks.latent import GaussianPosterior


def pictures(seed, size=32, count=2):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def log1pexp(value):
    return math.log1p(math.exp(value))


# --- reconstruction


def test_l1_and_mse_by_hand():
    output, target = torch.tensor([[[[0.5, -1.0]]]]), torch.tensor([[[[0.0, 1.0]]]])
    assert float(reconstruction.l1(output, target)) == pytest.approx((0.5 + 2) / 2)
    assert float(reconstruction.mse(output, target)) == pytest.approx((0.25 + 4) / 2)


def ssim_numpy(a, b, window=8, stride=4, span=2.0):
    """Wang & Bovik's index over boxes, one window after the other, in double precision."""
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    values = []
    for channel_a, channel_b in zip(a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:]), strict=True):
        for top in range(0, a.shape[-2] - window + 1, stride):
            for left in range(0, a.shape[-1] - window + 1, stride):
                x = channel_a[top : top + window, left : left + window].ravel()
                y = channel_b[top : top + window, left : left + window].ravel()
                covariance = np.mean((x - x.mean()) * (y - y.mean()))
                luminance = (2 * x.mean() * y.mean() + c1) / (x.mean() ** 2 + y.mean() ** 2 + c1)
                values.append(luminance * (2 * covariance + c2) / (x.var() + y.var() + c2))
    return np.mean(values)


def halved(images):
    return images.reshape(*images.shape[:-2], images.shape[-2] // 2, 2, images.shape[-1] // 2, 2).mean((-3, -1))


def test_ssim_loss_is_that_of_box_windows_in_numpy():
    a = pictures(0)
    b = (0.7 * a + 0.4 * pictures(1)).clamp(-1, 1)
    a64, b64 = a.double().numpy(), b.double().numpy()
    expected = 1 - (ssim_numpy(a64, b64) + ssim_numpy(halved(a64), halved(b64))) / 2
    assert float(reconstruction.ssim_loss(a, b)) == pytest.approx(expected, abs=1e-5)
    assert float(reconstruction.ssim_loss(a, b, scales=1)) == pytest.approx(1 - ssim_numpy(a64, b64), abs=1e-5)


def test_ssim_loss_of_one_window_is_that_of_scikit_image():
    from skimage import metrics

    a, b = pictures(2, size=7, count=1), pictures(3, size=7, count=1)
    # With one 7 x 7 window per channel the means have no border to differ at.
    expected = metrics.structural_similarity(
        *(picture[0].double().numpy() for picture in (a, b)),
        **{"win_size": 7, "data_range": 2, "channel_axis": 0, "use_sample_covariance": False},
    )
    assert float(reconstruction.ssim_loss(a, b, scales=1, window=7)) == pytest.approx(1 - expected, abs=1e-5)


def test_laplacian_loss_by_hand():
    # A column pattern of +1, -1: its 2 x 2 means are 0, so that the first level is all of it and the others are 0.
    stripes = torch.tensor([1.0, -1.0]).repeat(8).expand(1, 3, 16, 16)
    assert float(reconstruction.laplacian_l1(stripes, torch.zeros_like(stripes))) == pytest.approx(1)
    # Twice as wide: 0 at the first level, all of it at the second.
    wide = torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(4).expand(1, 3, 16, 16)
    assert float(reconstruction.laplacian_l1(wide, torch.zeros_like(wide))) == pytest.approx(1)
    assert float(reconstruction.laplacian_l1(wide + 0.25, wide)) == pytest.approx(0, abs=1e-6)  # blind to brightness
    assert float(reconstruction.laplacian_l1(wide, torch.zeros_like(wide), levels=1)) == pytest.approx(0)
    widest = (
        torch.tensor([1.0, -1.0]).repeat_interleave(8).repeat(2).expand(1, 3, 32, 32)
    )  # in the fourth, which is none
    assert float(reconstruction.laplacian_l1(widest, torch.zeros_like(widest))) == pytest.approx(0)


def test_anchor_sees_means_of_eight_by_eight_pixels_alone():
    blend = torch.zeros(1, 3, 16, 16)
    blend[..., ::2] = 1
    blend[..., 1::2] = -1
    assert float(reconstruction.anchor_l1(blend, torch.zeros_like(blend))) == pytest.approx(0)
    assert float(reconstruction.anchor_l1(blend + 0.5, torch.zeros_like(blend))) == pytest.approx(0.5)


def test_feature_l1_by_hand_and_in_half_precision():
    output = [torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0]])]
    target = [torch.tensor([[2.0, 2.0]]), torch.tensor([[4.0]])]
    assert float(reconstruction.feature_l1(output, target)) == pytest.approx((1 / 2 + 4 / 4) / 2, rel=1e-5)
    assert float(reconstruction.feature_l1([torch.ones(4)], [torch.zeros(4)])) == pytest.approx(1e6)
    # 1e4 terms of bfloat16: the sum of differences must not be rounded to three digits.
    a = torch.full((10_001,), 1.0, dtype=torch.bfloat16)
    a[0] = 0.0
    loss = reconstruction.feature_l1([a], [torch.ones_like(a)])
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(1 / 10_001, rel=1e-3)
    nearly_ones = torch.ones(256, dtype=torch.bfloat16)
    nearly_ones[0] = 2.0  # a mean of 1.004, which bfloat16 calls 1
    assert float(reconstruction.feature_l1([0 * nearly_ones], [nearly_ones])) == pytest.approx(1, rel=1e-4)


def doubles(seed, *shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


def textures(output, target):
    return reconstruction.texture_l1(
        reconstruction.band_energies(output, window=4), reconstruction.band_energies(target, window=4)
    )


def maps(loss, output, target):
    """A loss of lists of feature maps, of which a picture's halves are two."""
    return loss(output.chunk(2, dim=1), target.chunk(2, dim=1))


OF_PICTURES = {
    "l1": reconstruction.l1,
    "mse": reconstruction.mse,
    "ssim": partial(reconstruction.ssim_loss, window=4),
    "laplacian": partial(reconstruction.laplacian_l1, levels=2),
    "anchor": partial(reconstruction.anchor_l1, factor=4),
    "texture": textures,
    "feature": partial(maps, reconstruction.feature_l1),
    "perceptual": partial(maps, reconstruction.perceptual_loss),
    "kl": lambda mean, log_variance: GaussianPosterior(mean, log_variance).kl().sum(),
}
IN_FLOAT32 = {"feature", "perceptual", "bce_sigmoid"}
"""Those that compute in single precision whatever they get: their differences are taken farther apart."""


def gradients_hold(name, loss, *inputs):
    eps, atol, rtol = (1e-3, 1e-3, 1e-2) if name in IN_FLOAT32 else (1e-6, 1e-7, 1e-5)
    return torch.autograd.gradcheck(loss, inputs, eps=eps, atol=atol, rtol=rtol)


def test_gradients_of_reconstruction_are_those_of_finite_differences():
    for name in OF_PICTURES:
        output, target = doubles(6, 1, 4, 8, 8).requires_grad_(), doubles(7, 1, 4, 8, 8)
        assert gradients_hold(name, OF_PICTURES[name], output, target)


# --- adversarial


FAKE, REAL = torch.tensor([-1.0, 2.0]), torch.tensor([0.5, -3.0])
BY_HAND = {
    # generator, discriminator
    "bce": (
        (log1pexp(1) + log1pexp(-2)) / 2,
        (log1pexp(-1) + log1pexp(2)) / 2 + (log1pexp(-0.5) + log1pexp(3)) / 2,
    ),
    "bce_sigmoid": (
        (log1pexp(1) + log1pexp(-2)) / 2,
        (log1pexp(-1) + log1pexp(2)) / 2 + (log1pexp(-0.5) + log1pexp(3)) / 2,
    ),
    "wgan": (-0.5, 0.5 + 1.25),
    "hinge": (-0.5, (0 + 3) / 2 + (0.5 + 4) / 2),
    "relativistic": ((log1pexp(0.5 + 1) + log1pexp(-3 - 2)) / 2, (log1pexp(-1 - 0.5) + log1pexp(2 + 3)) / 2),
}


def test_adversarial_losses_by_hand():
    for kind in adversarial.KINDS:
        generator, discriminator = BY_HAND[kind]
        assert float(adversarial.generator_loss(kind, FAKE, REAL)) == pytest.approx(generator, abs=1e-6)
        assert float(adversarial.discriminator_loss(kind, FAKE, REAL)) == pytest.approx(discriminator, abs=1e-6)


def test_adversarial_gradients_are_those_of_finite_differences():
    for kind in adversarial.KINDS:
        fake, real = (3 * doubles(seed, 5) for seed in (1, 2))
        fake.requires_grad_()
        assert gradients_hold(kind, partial(adversarial.generator_loss, kind), fake, real)
        loss = partial(adversarial.discriminator_loss, kind, smoothing=0.1)
        assert gradients_hold(kind, loss, fake, real.requires_grad_())


def test_gradients_of_penalties_are_those_of_finite_differences():
    """Of the critic's weights: the gradient of a gradient."""
    images, others, share = doubles(3, 2, 1, 3, 3), doubles(4, 2, 1, 3, 3), torch.tensor([0.25, 0.75])

    def penalties(weight, bias):
        def judge(x):
            return torch.tanh(x.to(weight).flatten(1) @ weight + bias)

        return (
            adversarial.gradient_penalty(judge, images),
            adversarial.interpolated_penalty(judge, images, others, share),
        )

    weight, bias = doubles(5, 9).requires_grad_(), doubles(6, 1).requires_grad_()
    assert torch.autograd.gradcheck(penalties, (weight, bias), eps=1e-3, atol=1e-4, rtol=1e-3)


def test_bce_keeps_its_gradient_where_that_after_a_sigmoid_loses_it():
    """The paper's runs collapsed with a gradient of about 4e-6 at a logit of -40 (findings, section 1)."""
    logits = torch.full((2,), -40.0, requires_grad=True)
    adversarial.generator_loss("bce", logits[:1]).backward()
    adversarial.generator_loss("bce_sigmoid", logits[1:]).backward()
    assert float(logits.grad[0]) == pytest.approx(-1, abs=1e-6)
    assert -1e-5 < float(logits.grad[1]) < 0  # about 4e-6, since torch's form bounds a division
    with torch.autocast("cpu", torch.bfloat16):
        assert adversarial.generator_loss("bce_sigmoid", FAKE.bfloat16()).isfinite()


def test_label_smoothing_is_cross_entropy_with_a_soft_label_on_real_pictures_alone():
    for kind in adversarial.SMOOTHED:
        soft = adversarial.discriminator_loss(kind, FAKE, REAL, smoothing=0.1)
        entropy = torch.nn.functional.binary_cross_entropy
        expected = entropy(torch.sigmoid(REAL), torch.full((2,), 0.9)) + entropy(torch.sigmoid(FAKE), torch.zeros(2))
        torch.testing.assert_close(soft, expected)
        # A critic surer than 0.9 of a real picture is pushed back; a generated one may be as sure as it likes.
        sure = torch.tensor([5.0], requires_grad=True)
        adversarial.discriminator_loss(kind, torch.tensor([-5.0]), sure, smoothing=0.1).backward()
        assert float(sure.grad) > 0


def test_bad_kinds_are_refused():
    for loss in (adversarial.generator_loss, adversarial.discriminator_loss):
        with pytest.raises(FeatureblendError, match="unknown adversarial loss 'lsgan': use one of bce, bce_sigmoid"):
            loss("lsgan", FAKE, REAL)
    with pytest.raises(FeatureblendError, match="real pictures"):
        adversarial.generator_loss("relativistic", FAKE)


def test_gradient_penalty_is_the_analytic_one():
    # judge(x) = sum(w x^2) has the gradient 2 w x.
    weight, images = pictures(8, size=4, count=1), pictures(9, size=4)
    penalty = adversarial.gradient_penalty(lambda x: (weight * x.square()).sum((1, 2, 3)), images)
    expected = (2 * weight * images).square().sum((1, 2, 3)).mean() / 2
    assert float(penalty.detach()) == pytest.approx(float(expected), rel=1e-5)


def test_gradient_penalty_teaches_the_critic_and_leaves_the_pictures_alone():
    critic = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 1))
    images = pictures(10, size=2).requires_grad_(True)
    penalty = adversarial.gradient_penalty(lambda x: critic(x)[:, 0], images)
    penalty.backward()
    weight = critic[1].weight
    assert float(penalty.detach()) == pytest.approx(float(weight.detach().square().sum()) / 2, rel=1e-5)
    torch.testing.assert_close(weight.grad, weight.detach())  # d(|w|^2 / 2) / dw = w
    assert images.grad is None


def test_interpolated_penalty_is_the_analytic_one():
    # judge(x) = sum(w x^2) has the gradient 2 w x, here at a quarter of the way from fake to real.
    weight, real, fake = pictures(11, size=4, count=1), pictures(12, size=4), pictures(13, size=4)
    share = torch.tensor([0.25, 1.0])
    penalty = adversarial.interpolated_penalty(lambda x: (weight * x.square()).sum((1, 2, 3)), real, fake, share)
    between = torch.stack([0.25 * real[0] + 0.75 * fake[0], real[1]])
    norms = (2 * weight * between).square().sum((1, 2, 3)).sqrt()
    assert float(penalty.detach()) == pytest.approx(float((norms - 1).square().mean()), rel=1e-5)


def test_interpolated_penalty_of_a_flat_critic_is_finite():
    weight = torch.zeros(1, requires_grad=True)
    flat = torch.zeros(2, 3, 2, 2)
    adversarial.interpolated_penalty(lambda x: (weight * x).sum((1, 2, 3)), flat, flat, torch.rand(2)).backward()
    assert weight.grad.isfinite().all()


def test_clipping_as_meant_and_as_published():
    critic = torch.nn.Linear(50, 3)
    before = critic.weight.detach().clone()
    adversarial.clip_weights(critic, (-0.01, 0.01))
    torch.testing.assert_close(critic.weight.detach(), before.clamp(-0.01, 0.01))
    assert len(critic.weight.unique()) > 2
    adversarial.clip_weights(critic, (0.01, 0.01))
    assert len(torch.cat([critic.weight.flatten(), critic.bias]).unique()) == 1


def test_perceptual_loss_by_hand():
    output = [torch.tensor([[[[3.0]], [[4.0]]]]), torch.tensor([[[[1.0]]]])]
    target = [torch.tensor([[[[0.0]], [[2.0]]]]), torch.tensor([[[[9.0]]]])]
    # directions (.6, .8) and (0, 1): .36 + .04; then 1 and 1: 0
    assert float(reconstruction.perceptual_loss(output, target)) == pytest.approx((0.4 + 0) / 2, abs=1e-6)
    wanted = target[0].clone().requires_grad_(True)
    made = output[0].clone().requires_grad_(True)
    reconstruction.perceptual_loss([made], [wanted]).backward()
    assert made.grad.abs().sum() > 0
    assert wanted.grad is None


def test_mixing_target_is_the_smaller_share():
    alpha = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0])
    assert adversarial.mixing_target(alpha).tolist() == [0, 0.25, 0.5, 0.25, 0]


def test_band_energies_are_a_laplacian_pyramids():
    """Worked with numpy: what is left of each 2 x 2 block when its mean is taken out, squared, and averaged."""
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    blocks = picture.numpy().reshape(1, 3, 16, 2, 16, 2)
    band = (blocks - blocks.mean((3, 5), keepdims=True)).reshape(1, 3, 32, 32)
    wanted = (band[:, :, :8, :8] ** 2).mean()
    finest, coarser = reconstruction.band_energies(picture)
    assert float(finest[0, 0, 0, 0]) == pytest.approx(wanted, rel=1e-5)
    assert finest.shape == (1, 1, 7, 7)
    assert coarser.shape == (1, 1, 3, 3)


def test_texture_is_blind_to_what_the_detail_is_and_sees_how_much():
    draws = torch.Generator().manual_seed(0)
    one, other = (torch.rand(8, 3, 64, 64, generator=draws) * 2 - 1 for _ in range(2))
    energies = reconstruction.band_energies

    def distance(first, second):
        return float(reconstruction.texture_l1(energies(first), energies(second)))

    assert distance(one, other) < 0.2  # the same noise, other draws: windows differ by chance
    assert distance(one, 0.5 * one) == pytest.approx(
        2 * 0.6931, rel=0.01
    )  # half the contrast is a fourth of the energy
    assert distance((one + other) / 2, one) > 0.5  # the mean of two loses half of it
    assert distance(one, one) == 0


def test_windows_of_energy_overlap_by_half():
    assert [tuple(one.shape) for one in reconstruction.band_energies(pictures(0, 8, 1), window=2)] == [
        (1, 1, 7, 7),
        (1, 1, 3, 3),
    ]


def test_maps_without_a_partner_are_refused():
    for loss in [reconstruction.texture_l1, reconstruction.feature_l1, reconstruction.perceptual_loss]:
        one = torch.ones(1, 1, 2, 2)
        with pytest.raises(ValueError, match="shorter"):
            loss([one, one], [one])


def test_texture_by_hand():
    level = (2 / 255) ** 2
    none, some, more = (torch.full((1, 1, 2, 2), energy) for energy in (0.0, 3 * level, 15 * level))
    assert float(reconstruction.texture_l1([none, some], [some, more])) == pytest.approx(math.log(4), rel=1e-5)


def test_texture_below_a_grey_level_counts_as_none():
    flat = torch.zeros(1, 3, 32, 32)
    faint = flat + 0.1 / 255 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert float(reconstruction.texture_l1(*map(reconstruction.band_energies, (faint, flat)))) < 0.01
