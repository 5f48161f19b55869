"""What training does to a batch before and between the networks: warping, degrading, mixing in groups."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from featureblend.errors import FeatureblendError
from featureblend.faces.masks import outside_face
from featureblend.faces.warp import warp_to_shape
from featureblend.model.mixing import _inside_and_around, _placed, mix
from featureblend.training.batches import FaceBatches
from featureblend.training.dataset import FaceSet
from featureblend.training.degradation import KINDS, _as_jpeg, _compressed, _noisy, degraded, degraded_with_kinds
from featureblend.training.export import _layout
from featureblend.training.groups import group_size, mixed_in_groups, mixed_pictures
from featureblend.training.networks import AUTOENCODERS, build
from featureblend.training.starting import read_start, take_over
from featureblend.training.warping import warp_batch, warp_to_group_means

TOY = {"image_size": 32, "widths": (8, 8), "encoder_blocks": (1, 1), "decoder_blocks": (1, 1), "global_dim": 4}


def smooth(count=1, size=64, seed=0):
    """Pictures with low frequencies only, so that two ways to sample them agree."""
    coarse = torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(-1, 1)


def marks(count=1, size=64, seed=1):
    draws = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.linspace(0.3, 0.7, 9), np.linspace(0.3, 0.7, 8)), -1).reshape(-1, 2)[:68]
    return torch.tensor(size * (grid + draws.normal(0, 0.006, (count, 68, 2))), dtype=torch.float32)


def test_warping_agrees_with_the_use_half_inside_the_face():
    image, before = smooth(), marks(seed=1)
    after = before * torch.tensor([1.15, 0.9]) - torch.tensor([5.0, -4.0])  # a wider, flatter face
    ours = warp_batch(image, before, after)[0].permute(1, 2, 0).numpy()
    pixels = ((image[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()
    theirs = warp_to_shape(pixels, before[0].numpy(), after[0].numpy()).astype(np.float32) / 127.5 - 1
    inside = slice(22, 42)
    moved = np.abs(image[0].permute(1, 2, 0).numpy() - theirs)[inside, inside].mean()
    assert np.abs(ours - theirs)[inside, inside].mean() < 0.2 * moved


def test_warping_keeps_the_frame_and_faces_without_landmarks():
    image, before, after = smooth(2), marks(2, seed=1), marks(2, seed=2)
    before[1, 5] = torch.nan
    result = warp_batch(image, before, after)
    torch.testing.assert_close(result[1], image[1], atol=1e-4, rtol=0)
    torch.testing.assert_close(result[0, :, 0], image[0, :, 0], atol=0.1, rtol=0)
    assert (result[0] - image[0]).abs().max() > 0.02


def test_warping_is_as_exact_in_reduced_precision():
    """The spline is a sum of large terms that cancel."""
    images = smooth(4, 32, seed=3)
    places = torch.rand(4, 68, 2, generator=torch.Generator().manual_seed(0)) * 20 + 6
    exact = warp_batch(images, places, places.roll(1, 0))
    with torch.autocast("cpu", torch.bfloat16):
        reduced = warp_batch(images, places, places.roll(1, 0))
    assert torch.equal(reduced, exact)
    assert float((exact - images).abs().max()) > 0.1


def test_groups_meet_and_unchosen_groups_stay():
    image, places = smooth(4), marks(4)
    result = warp_to_group_means(image, places, 2, torch.tensor([True, False]))
    torch.testing.assert_close(result[2:], image[2:], atol=1e-4, rtol=0)
    mean = places[:2].mean(0, keepdim=True)
    torch.testing.assert_close(result[:1], warp_batch(image[:1], places[:1], mean).clamp(-1, 1), atol=1e-5, rtol=0)


def test_landmarks_follow_shift_and_mirror():
    size, margin = 32, 1.25
    images = np.zeros((6, 40, 40, 3), np.uint8)
    places = np.full((6, 68, 2), 20, np.float32)
    for face in range(6):  # one white pixel, and the right eye's corner on it
        images[face, 18, 12 + face] = 255
        places[face, 36] = places[face, 45] = (12 + face, 18)
    faces = FaceSet.from_images(images, margin=margin)
    faces = FaceSet(**{**vars(faces), "landmarks": places})
    for step in range(4):
        batch, found = FaceBatches(faces, size, 6, seed=3).marked(step)
        for picture, points in zip(batch, found, strict=True):
            row, column = divmod(int(picture[0].argmax()), size)
            assert points[36].tolist() == [column, row]


def test_the_share_that_is_degraded():
    for share in [0.0, 0.5, 1.0]:
        images = smooth(200, 32)
        inputs = degraded(images, share, (7,))
        changed = (inputs != images).flatten(1).any(1).float().mean()
        assert abs(float(changed) - share) < 0.1
        assert inputs.abs().max() <= 1
        assert torch.equal(inputs, degraded(images, share, (7,)))
        for places in (torch.arange(60), torch.arange(60, 200)):  # two processes that share the batch
            assert torch.equal(inputs[places], degraded(images[places], share, (7,), places, 200))


def test_what_is_said_of_the_degradation_is_so():
    images = smooth(400, 32)
    inputs, ways = degraded_with_kinds(images, 0.5, (3,))
    changed = (inputs != images).flatten(1).any(1)
    assert not (changed & ~ways.any(1)).any()
    assert (changed & ways.any(1)).sum() > 0.98 * ways.any(1).sum()  # a blur of a tenth of a pixel changes nothing
    assert set(ways.sum(1).tolist()) == {0, 1, 2}
    only = {kind: (ways.sum(1) == 1) & ways[:, place] for place, kind in enumerate(KINDS)}
    assert all(found.sum() > 20 for found in only.values())
    means = {
        kind: float((inputs[found].mean(dim=(1, 2, 3)) - images[found].mean(dim=(1, 2, 3))).mean())
        for kind, found in only.items()
    }
    assert means.pop("light") < -0.1  # darker; all else changes no mean
    assert max(map(abs, means.values())) < 0.03


def test_compression_is_nearly_that_of_jpeg():
    """Beside Pillow's at quality 30, which enlarges colour in another way and rounds it to whole numbers."""
    for channels, apart in [(1, 0.2), (3, 0.4)]:
        image = smooth(1, 64, seed=4)[:, :channels].expand(-1, 3, -1, -1)
        pixels = ((image[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=30)
        theirs = np.asarray(Image.open(stream), np.float32)
        seen = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
        ours = (_as_jpeg(seen, torch.tensor([30.0])).clamp(-1, 1)[0].permute(1, 2, 0).numpy() + 1) * 127.5
        assert np.abs(ours - theirs).mean() < apart * np.abs(theirs - pixels).mean()


def test_a_face_cut_from_a_compressed_photo_stays_where_it_is():
    """Turned there and back, enlarged or reduced: what is damaged lies on what is clean."""
    for scale, angle in [(0.0, 1.0), (0.4, 0.5), (0.8, 0.0), (0.8, 1.0)]:
        image = torch.nn.functional.interpolate(smooth(1, 32, seed=2), 128, mode="bicubic").clamp(-1, 1)
        amounts = torch.tensor([1.0, 0.9, scale, angle, 0.3, 0.7])[:, None]
        made = _compressed(image, amounts, None, torch.Generator())
        apart = {
            shift: float((made.roll(shift, (2, 3)) - image)[..., 4:-4, 4:-4].square().mean())
            for shift in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
        }
        assert min(apart, key=apart.__getitem__) == (0, 0)
        corner = (made - image)[..., :8, :8].square().mean()
        assert corner < 20 * (made - image)[..., 32:-32, 32:-32].square().mean()  # no corner was turned away
        coarse = _compressed(image, amounts.index_fill(0, torch.tensor(0), 0.0), None, torch.Generator())
        assert float((coarse - image).square().mean()) > float((made - image).square().mean())


def test_blocks_are_as_large_as_the_photo_was_small():
    """Of a face of 64, 96 or 192 pixels: so many edges of blocks are seen across the picture."""
    for scale, blocks in [(0.2075, 8), (0.5, 12), (1.0, 24)]:
        images = torch.nn.functional.interpolate(smooth(32, 32, seed=2), 128, mode="bicubic").clamp(-1, 1)
        amounts = torch.tensor([0.0, 0.9, scale, 0.5, 0.0, 0.0])[:, None].expand(-1, len(images))
        made = _compressed(images, amounts, None, torch.Generator())
        profile = (made[..., 1:] - made[..., :-1]).abs().mean(dim=(0, 1, 2))
        waves = torch.fft.rfft(profile - profile.mean(), n=128).abs()
        assert waves[blocks] > 4 * max(waves[blocks + apart] for apart in (-3, -1, 1, 3))


def test_noise_is_as_strong_at_any_grain():
    for as_cut, scale in [(0.0, 0.0), (0.9, 0.0), (0.9, 0.75), (0.9, 1.0)]:
        amounts = torch.tensor([0.5, 0.0, 0.0, as_cut, scale, 0.0])[:, None].expand(-1, 4)
        noise = _noisy(torch.zeros(4, 3, 128, 128), amounts, None, torch.Generator().manual_seed(0))
        assert noise.std() * 127.5 == pytest.approx(5 + 35 * 0.5, rel=0.02)
        likeness = float((noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean())
        assert (likeness > 0.5) == (as_cut > 0.5 and scale < 0.1)  # grains of several pixels


def test_degraded_pictures_stay_recognisable():
    images = smooth(200, 32)
    error = (degraded(images, 1.0, (1,)) - images).square().flatten(1).mean(1)
    assert (error > 0).float().mean() > 0.95
    assert error.max() < 0.5  # of a range with mean square about 0.2: a tint and a gain, never another picture


def test_groups_mix_as_the_use_half_does():
    for surroundings in ["auto", "mean"]:
        for fine in [0, 3]:
            model = build(AUTOENCODERS, "modern", {**TOY, "fine_channels": fine})
            layout = _layout(model)
            assert ("fine" in layout) == bool(fine)
            latent = torch.randn(6, model.config.latent_dim, generator=torch.Generator().manual_seed(1))
            for group in (2, 3):
                weights = torch.rand(6, group).softmax(1)
                mixed, shares = mixed_in_groups(latent, weights, model, surroundings)
                for row in range(6):
                    first = row // group * group
                    members, weight = latent[first : first + group].numpy(), weights[row].numpy()
                    np.testing.assert_allclose(
                        mixed[row].numpy(), mix(members, weight, layout, surroundings), atol=1e-4
                    )
                    by_face = _inside_and_around(members, weight, layout, surroundings)
                    placed = _placed(*by_face, outside_face(layout["spatial_shape"][-1]))
                    np.testing.assert_allclose(*np.broadcast_arrays(shares[row].numpy(), placed), atol=1e-4)


def test_the_mean_of_pictures_by_place():
    images = torch.stack([torch.full((3, 8, 8), -1.0), torch.full((3, 8, 8), 1.0)])
    shares = torch.tensor([[1.0, 0.0], [0.25, 0.75]])[:, :, None, None]
    assert mixed_pictures(images, shares).mean(dim=(1, 2, 3)).tolist() == [-1.0, 0.5]


def test_most_steps_blend_two():
    experiment = SimpleNamespace(parents=4)
    sizes = []
    for step in range(400):
        draws = torch.Generator().manual_seed(step)
        batch = SimpleNamespace(images=torch.zeros(12), chance=lambda name, n, d=draws: torch.rand(n, generator=d))
        sizes.append(group_size(experiment, batch))
    assert 0.65 < sizes.count(2) / 400 < 0.85
    assert {3, 4} <= set(sizes)


def test_a_run_starts_from_the_bundled_model_and_the_new_layers_are_fresh():
    weights = read_start("lfw-128")["ema"]
    model = build(AUTOENCODERS, "modern")
    assert take_over(model, weights, "lfw-128") < 0.05 * sum(v.numel() for v in model.state_dict().values())
    torch.testing.assert_close(model.state_dict()["to_spatial.weight"], weights["to_spatial.weight"])


def test_a_start_from_unlike_networks_is_refused():
    with pytest.raises(FeatureblendError, match="has other networks"):
        take_over(build(AUTOENCODERS, "modern", TOY), read_start("lfw-128")["ema"], "lfw-128")


def test_a_start_from_nowhere_is_refused(tmp_path):
    with pytest.raises(FeatureblendError, match="checkpoint"):
        read_start(tmp_path)
    with pytest.raises(FeatureblendError):
        read_start(tmp_path / "missing")
