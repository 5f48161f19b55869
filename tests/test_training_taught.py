"""Blends that a teacher shows: the network, the objective, triplets from files and from a generator, whole runs."""

import dataclasses
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trace_generator
import train_taught
from PIL import Image
from short_runs import same
from training_faces import HIERARCHICAL, TAUGHT, TOY, faces, triplets

from featureblend.errors import FeatureblendError
from featureblend.metrics.weights import installed_weights
from featureblend.training import loop
from featureblend.training.batches import seeded
from featureblend.training.dataset import FaceTriplets
from featureblend.training.experiment import LossWeights
from featureblend.training.loop import train
from featureblend.training.networks import AUTOENCODERS, build
from featureblend.training.objective import OBJECTIVES, Batch, TrainingNetworks
from featureblend.training.shards import FaceSample, write_shard
from featureblend.training.starting import read_start
from featureblend.training.state import RunFolder
from featureblend.training.trainer import Trainer
from featureblend.training.triplets import GeneratedTriplets, TripletBatches, mixing_weights

SIDE = 32


def network(**options):
    """One whose blocks have left the zeros that they start from."""
    torch.manual_seed(0)
    model = build(AUTOENCODERS, "hierarchical", {**HIERARCHICAL, **options})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return model


def batch(count=2, seed=0):
    batches = TripletBatches(triplets(), SIDE, count, seed=seed)
    photos = torch.rand(1, 3, SIDE, SIDE, generator=seeded("photos")) * 2 - 1
    return Batch(photos, lambda: photos, seed=(0, 0), triplets=lambda: batches.batch(0))


# --- the network


def test_parts_of_the_latent():
    model = network(latent_channels=(2, 4), global_dim=6)
    assert model.config.grids == (8, 4)
    assert model.config.parts == (6, 4 * 4**2, 2 * 8**2)
    assert model.encode(torch.zeros(1, 3, SIDE, SIDE)).shape == (1, model.config.latent_dim) == (1, 198)
    coarse = network(latent_channels=(0, 4))
    assert coarse.config.parts == (6, 64, 0)
    assert coarse.decode(coarse.encode(torch.zeros(2, 3, SIDE, SIDE))).shape == (2, 3, SIDE, SIDE)


def test_every_part_of_the_latent_reaches_the_picture():
    model = network()
    latent = torch.zeros(1, model.config.latent_dim, requires_grad=True)
    model.decode(latent).square().sum().backward()
    for part in latent.grad.split(list(model.config.parts), dim=1):
        assert (part != 0).any(dim=1).all()


def test_sizes_that_contradict_each_other_are_refused():
    for options in [
        {"widths": (8, 8, 8)},
        {"detail_widths": (8,), "detail_blocks": (0,)},
        {"detail_blocks": (0,)},
        {"image_size": 36},
        {"latent_channels": (2, 0)},
        {"latent_channels": (-1, 2)},
        {"global_dim": 0},
        {"noise": -0.1},
    ]:
        with pytest.raises(FeatureblendError, match="model options"):
            build(AUTOENCODERS, "hierarchical", {**HIERARCHICAL, **options})


# --- triplets from files


def shard(path, names, side=SIDE):
    def sample(number, name):
        buffer = io.BytesIO()
        Image.fromarray(np.full((side, side, 3), number, np.uint8)).save(buffer, "WEBP", lossless=True)
        return FaceSample(buffer.getvalue(), [[0.0, 0.0]] * 68, name, name, "train", 1.0)

    write_shard(path, [sample(number, name) for number, name in enumerate(names)])
    return path


def test_triplets_are_put_together_by_name(tmp_path):
    names = ["x/1b.jpg", "x/1m.jpg", "x/2a.jpg", "x/1a.jpg", "x/3m.jpg", "x/2m.jpg", "x/2b.jpg", "x/3a.jpg"]
    found = FaceTriplets.read([shard(tmp_path / "triplets.tar", names)])
    assert found.names.tolist() == ["x/1", "x/2"]  # of the third a parent is missing
    assert found.images[:, :, 0, 0, 0].tolist() == [[3, 0, 1], [2, 6, 5]]
    assert len(FaceTriplets.read([tmp_path / "triplets.tar"] * 2)) == 4


def test_files_that_hold_no_triplets_are_named(tmp_path):
    plain = shard(tmp_path / "faces.tar", ["ana.jpg", "ben.jpg"])
    with pytest.raises(FeatureblendError, match=r"faces\.tar holds no triplets"):
        FaceTriplets.read([plain])
    good = shard(tmp_path / "good.tar", ["1a.jpg", "1b.jpg", "1m.jpg"])
    large = shard(tmp_path / "large.tar", ["1a.jpg", "1b.jpg", "1m.jpg"], side=40)
    with pytest.raises(FeatureblendError, match=r"large.tar .* another size than .*good.tar"):
        FaceTriplets.read([good, large])


def test_a_triplet_is_shifted_and_mirrored_as_one():
    """The middle stays the mean of places and colours in every batch, whatever is drawn."""
    batches = TripletBatches(triplets(), SIDE, 4, shift=4, seed=3)
    pictures = {}
    for step in range(6):
        given = batches.batch(step)
        assert given.parents.shape == (8, 3, SIDE, SIDE)
        assert given.targets.shape == (4, 3, SIDE, SIDE)
        assert given.weights.tolist() == (torch.eye(4).repeat_interleave(2, dim=1) / 2).tolist()
        pairs = given.parents.unflatten(0, (4, 2))
        corners = (pairs[:, 0, :, 0, 0] + pairs[:, 1, :, 0, 0]) / 2  # of the background, which no shift changes
        torch.testing.assert_close(given.targets[:, :, 0, 0], corners, atol=0.02, rtol=0)
        for target in given.targets:
            pictures[target.numpy().tobytes()] = True
    assert len(pictures) > 20  # shifts and mirror images of the same few


def test_held_out_triplets_are_never_trained_on():
    everything = triplets()
    held, seen = everything.held_out(), everything.training()
    assert (len(held), len(seen)) == (2, 18)
    assert not {*held.names} & {*seen.names}
    trainer = Trainer(TAUGHT, faces(), everything)
    pictures = trainer.triplets.faces.faces.images
    assert len(pictures) == 3 * 18
    known = {picture.tobytes() for picture in held.faces().images}
    assert not known & {picture.numpy().tobytes() for picture in pictures}
    assert len(trainer.held_out.targets) == 2


def test_beside_a_generator_triplets_are_only_scored(drawer):
    trainer = Trainer(TAUGHT, faces(), triplets(), drawer)
    assert isinstance(trainer.triplets, GeneratedTriplets)
    assert len(trainer.held_out.targets) == len(triplets())
    alone = Trainer(TAUGHT, faces(), generator=drawer)
    assert alone.held_out.parents.shape == alone.held_out.targets.shape == (32, 3, SIDE, SIDE)
    assert {*alone.held_out.weights.unique().tolist()} == {0.0, 0.5}


# --- the objective


def test_the_mean_of_two_latents_is_what_is_decoded():
    """With the network's own decoded means as targets and no other term, the halfway pictures have no error."""
    model = network(noise=0.0)
    given = batch()
    parts = given.triplets()
    with torch.no_grad():
        latent = model.encode(parts.parents)
        wanted = model.decode((latent[0::2] + latent[1::2]) / 2)
    exact = dataclasses.replace(given, triplets=lambda: dataclasses.replace(parts, targets=wanted))
    plain = dataclasses.replace(TAUGHT, degrade=0.0, losses=LossWeights(l1=1.0))
    assert float(OBJECTIVES["teach"](TrainingNetworks(model), exact, plain)["halfway_l1"]) < 1e-6
    assert float(OBJECTIVES["teach"](TrainingNetworks(model), given, plain)["halfway_l1"]) > 1e-3


def test_the_halfway_pictures_alone_teach_encoder_and_decoder():
    """The gradient of the loss depends on the targets, in every part of the network that a blend goes through."""
    plain = dataclasses.replace(TAUGHT, degrade=0.0, losses=LossWeights(mse=1.0))
    gradients = []
    for shift in (0.0, 0.5):
        model, given = network(), batch()
        parts = given.triplets()
        moved = dataclasses.replace(parts, targets=parts.targets + shift)
        OBJECTIVES["teach"](TrainingNetworks(model), dataclasses.replace(given, triplets=lambda m=moved: m), plain)[
            "loss"
        ].backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name in gradients[0]:
        assert not torch.allclose(gradients[0][name], gradients[1][name], rtol=1e-4, atol=0), name


@torch.no_grad()
def test_processes_share_what_is_taught_and_what_is_cleaned():
    """The mean of two processes' losses is the loss of one that has the whole batch, noise and damage included."""
    pictures = torch.rand(8, 3, SIDE, SIDE, generator=seeded("pictures")) * 2 - 1
    options = {**TOY.model_options, "cleaner_widths": (8, 8)}
    cases = {"teach": network(noise=0.5), "clean": build(AUTOENCODERS, "modern", options)}
    experiment = dataclasses.replace(TAUGHT, degrade=0.7, losses=LossWeights(l1=1.0, damage=0.2, kl=0.1))

    def loss(objective, rank, world):
        source = TripletBatches(triplets(), SIDE, 4, rank=rank, world=world)
        photos = pictures.chunk(world)[rank]
        given = Batch(photos, None, (0, 0), triplets=lambda: source.batch(0), rank=rank, world=world)
        return float(OBJECTIVES[objective](TrainingNetworks(cases[objective]), given, experiment)["loss"])

    for name in cases:
        assert (loss(name, 0, 2) + loss(name, 1, 2)) / 2 == pytest.approx(loss(name, 0, 1), rel=1e-5), name


def test_teach_without_triplets_is_refused():
    with pytest.raises(FeatureblendError, match="--triplets"):
        Trainer(TAUGHT, faces())


def test_lpips_is_asked_of_the_square_of_output_and_target():
    seen = []

    def distance(first, second):
        seen.append((first.shape, second.shape))
        return (first - second).square().mean(dim=(1, 2, 3))

    experiment = dataclasses.replace(TAUGHT, lpips_side=24)
    result = OBJECTIVES["teach"](TrainingNetworks(network(), lpips=distance), batch(), experiment)
    assert seen == [((7, 3, 24, 24),) * 2]  # four parents, a photo, two blends
    assert float(result["lpips"]) > 0


# --- LPIPS's weights


def test_lpips_weights_reach_the_loss_and_the_scores():
    weights = installed_weights("alex_shift_tolerant.pth")
    experiment = dataclasses.replace(TAUGHT, from_scratch=False, lpips_weights=(weights,), lpips_side=32)
    trainer = Trainer(experiment, faces(), triplets())
    logged = trainer.step()
    assert float(logged["lpips"]) > 0
    scores, _ = trainer.validate_triplets()
    assert scores["halfway_lpips"] > 0 < scores["halfway_lpips_of_pixel_average"]
    assert all(parameter.grad is None for parameter in trainer.networks.lpips.parameters())


def test_settings_that_contradict_each_other_are_refused():
    for change, message in [
        ({"from_scratch": False}, "--lpips-weights FILE, or do without with --from-scratch"),
        ({"lpips_weights": ("alex.pth",)}, "contradict each other"),
        ({"lpips_weights": ("alex.pth",), "losses": LossWeights(l1=1.0), "from_scratch": False}, "losses.lpips is 0"),
        ({"lpips_side": 16}, "32 pixels or more"),
        ({"triplet_share": 1.5}, "triplet_share must be between 0 and 1"),
    ]:
        with pytest.raises(FeatureblendError, match=message):
            Trainer(dataclasses.replace(TAUGHT, **change), faces(), triplets())


# --- triplets from a generator

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


class Drawer(torch.nn.Module):
    """Stands in for a traced generator: a smooth picture that is a bent function of the code."""

    def __init__(self, side=48):
        super().__init__()
        self.side = side
        self.register_buffer("map", torch.randn(512, 3 * 16, generator=seeded("drawer")) / 512**0.5)

    @torch.jit.export
    def codes(self, z: torch.Tensor) -> torch.Tensor:
        return 0.75 * z

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        coarse = torch.tanh(2 * (w @ self.map)).unflatten(1, (3, 4, 4))
        return torch.nn.functional.interpolate(coarse, (self.side, self.side), mode="bilinear")


@pytest.fixture(scope="module")
def drawer(tmp_path_factory):
    path = tmp_path_factory.mktemp("generator") / "drawer.pt"
    torch.jit.save(torch.jit.script(Drawer().half()), str(path))
    return path


def test_generated_blends_are_what_the_generator_makes_of_mixed_codes(drawer):
    source = GeneratedTriplets(drawer, 48, 40, shift=0, seed=5)
    given = source.batch(7)
    assert given.parents.shape == given.targets.shape == (40, 3, 48, 48)
    torch.testing.assert_close(given.weights.sum(dim=1), torch.ones(40))
    parents = (given.weights > 0).sum(dim=1)
    assert {*parents.tolist()} == {2, 3}
    assert bool((given.weights.amax(dim=1) == 0.5).any())
    draws = torch.randn(40, 512, generator=seeded(5, "generated", 7, 0))
    plain = Drawer().half().float()
    with torch.no_grad():
        torch.testing.assert_close(given.parents, plain(plain.codes(draws)), atol=1e-3, rtol=0)
        torch.testing.assert_close(given.targets, plain(given.weights @ plain.codes(draws)), atol=1e-3, rtol=0)
    assert float((given.targets - given.pixel_averages()).abs().mean()) > 0.01  # no pixel average


def test_generated_batches_are_fixed_by_seed_and_step(drawer):
    source, again = (GeneratedTriplets(drawer, SIDE, 4, seed=1) for _ in range(2))
    one, other = source.batch(3), again.batch(3)
    assert torch.equal(one.parents, other.parents)
    assert torch.equal(one.targets, other.targets)
    assert not torch.equal(one.parents, source.batch(4).parents)
    assert not torch.equal(one.parents, GeneratedTriplets(drawer, SIDE, 4, seed=2).batch(3).parents)
    assert one.parents.shape[-1] == SIDE  # reduced


def test_mixing_weights():
    weights = mixing_weights(4000, seeded("weights"), even=0.5, three=0.25)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(4000))
    assert bool((weights >= 0).all())
    three = weights[:, 2] > 0
    assert 0.2 < float(three.float().mean()) < 0.3
    even = (weights[:, 0] == 0.5) | (weights[:, 0] == 1 / 3)
    assert 0.45 < float(even.float().mean()) < 0.55
    assert weights[three].mean(dim=0).tolist() == pytest.approx([1 / 3] * 3, abs=0.03)
    assert weights[~three].mean(dim=0).tolist() == pytest.approx([0.5, 0.5, 0], abs=0.03)


def test_a_file_that_is_no_generator_is_named(tmp_path):
    path = tmp_path / "faces.pt"
    path.write_bytes(b"no module")
    with pytest.raises(FeatureblendError, match=r"cannot read .*faces.pt: expected a generator"):
        GeneratedTriplets(path, SIDE, 4)
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))
    with pytest.raises(FeatureblendError, match=r"cannot read .*faces.pt: expected a generator"):
        GeneratedTriplets(path, SIDE, 4)


# --- whole runs

SHORT = dataclasses.replace(TAUGHT, images=8 * 5)


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch):
    monkeypatch.setattr(loop, "draw_curves", lambda history, path: None)


def run(folder, experiment=SHORT, tick_seconds=-1, **settings):
    return RunFolder(train(experiment, faces(), folder, quiet=True, tick_seconds=tick_seconds, **settings))


def test_stopped_and_resumed_is_the_unbroken_run(tmp_path, drawer):
    for name, taught in (("files", {"triplets": triplets()}), ("generator", {"generator": drawer})):
        unbroken = run(tmp_path / name / "unbroken", **taught)
        torch.manual_seed(123)
        for _ in range(2):
            run(tmp_path / name / "stopped", minutes=0, resume=True, **taught)
        log = same(unbroken, run(tmp_path / name / "stopped", resume=True, **taught))
        assert log[-1]["images"] == 40
        assert {"halfway_psnr", "halfway_psnr_of_pixel_average", "parent_psnr", "halfway_sharpness"} <= set(log[-1])


def test_a_run_is_not_resumed_with_other_triplets(tmp_path):
    run(tmp_path, minutes=0, triplets=triplets())
    other = dataclasses.replace(triplets(), identity="another")
    with pytest.raises(FeatureblendError, match="begun on other data"):
        run(tmp_path, resume=True, triplets=other)


def test_the_pictures_of_a_run(tmp_path):
    folder = run(tmp_path, triplets=triplets())
    halfway = sorted(folder.samples.glob("*-halfway.jpg"))
    assert halfway
    with Image.open(halfway[-1]) as grid:  # six rows: parents, average, decoded, teacher's, first again
        assert grid.size == (16 * (SIDE + 2) - 2, 6 * (SIDE + 2) - 2)


def test_scoring_takes_a_small_share_of_the_time(tmp_path, monkeypatch):
    """Where scoring is slow beside a step, lines of the log are rarer."""
    clock = [0.0]
    for name in ("monotonic", "process_time"):
        monkeypatch.setattr(loop.time, name, lambda: clock[0])
    step, validate = Trainer.step, Trainer.validate

    def stepped(self):
        clock[0] += 1
        return step(self)

    def scored(self):
        clock[0] += 0.5
        return validate(self)

    monkeypatch.setattr(Trainer, "step", stepped)
    monkeypatch.setattr(Trainer, "validate", scored)
    long = dataclasses.replace(TAUGHT, images=8 * 40)
    log = run(tmp_path, long, tick_seconds=0.001, triplets=triplets()).history()
    assert [line["step"] for line in log] == [1, 12, 23, 34, 40]


# --- the command for a GPU machine

TOOLS = Path(__file__).parents[1] / "tools"
ABSENT = """
import runpy, sys
absent = set(sys.argv.pop(1).split(","))
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in absent else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script where some packages are not installed."""


def test_the_command_needs_nothing_but_torch_accelerate_pillow_and_opencv(tmp_path, drawer):
    absent = "onnxruntime,onnx,onnxscript,dlib,face_recognition_models,av,shtab,matplotlib,gradio"
    images = [np.random.default_rng(place).integers(0, 256, (40, 40, 3), dtype=np.uint8) for place in range(8)]
    for place, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"person {place}.png")
    words = ["--data", tmp_path, "--generator", drawer, "--out", tmp_path / "out", "--run", tmp_path / "run"]
    words += ["--set", "batch_size=8", "images=16", "shift=0", f"model_options={json.dumps(HIERARCHICAL)}"]
    script = [sys.executable, "-c", ABSENT, absent, TOOLS / "train_taught.py", *words]
    done = subprocess.run([str(word) for word in script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [line["images"] for line in told] == [8, 16]
    assert all(line["images_per_second"] > 0 for line in told)
    assert {"experiment.json", "metrics.jsonl", "weights-0.pt", "000000008-halfway.jpg"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }
    averaged = RunFolder(tmp_path / "run").load()["ema"]
    train_taught.main(["--join", str(tmp_path / "out"), "--run", str(tmp_path / "joined")])
    joined = RunFolder(tmp_path / "joined")
    assert joined.load()["clock"] == RunFolder(tmp_path / "run").load()["clock"]
    trainer = Trainer(joined.experiment(), faces(), generator=drawer)
    trainer.start_from(read_start(joined.path))
    for name, value in trainer.ema.state_dict().items():
        torch.testing.assert_close(value, averaged[name], atol=1e-4, rtol=1e-3)


def test_weights_are_written_in_small_files(tmp_path):
    weights = {f"layer{number}": torch.randn(10_000, generator=seeded(number)) for number in range(7)}
    paths = train_taught.write_weights(weights, tmp_path, largest=80_000)
    assert len(paths) == 3
    assert all(path.stat().st_size <= 80_000 for path in paths)
    joined = {}
    for path in paths:
        joined |= torch.load(path, weights_only=True)
    assert {name: value.tolist() for name, value in joined.items()} == {
        name: value.half().tolist() for name, value in weights.items()
    }


def test_the_plan_is_for_as_many_images_as_the_minutes_are_enough_for(tmp_path, drawer, monkeypatch):
    assert train_taught.measured(TAUGHT, faces(), None, drawer, steps=1) > 0
    monkeypatch.setattr(train_taught, "measured", lambda *words: 1000.0)
    monkeypatch.setattr(train_taught.FaceSet, "read", lambda path: faces())
    told = []
    monkeypatch.setattr(
        train_taught, "train", lambda experiment, *words, **settings: told.append((experiment, settings))
    )
    monkeypatch.setattr(train_taught, "finish", lambda out, run: None)
    words = ["--data", "faces.tar", "--generator", str(drawer), "--out", str(tmp_path / "out"), "--minutes", "2"]
    train_taught.main(words)
    (experiment, settings) = told.pop()
    assert experiment.images % 256 == 0
    assert 0.8 * 85_000 < experiment.images <= 0.85 * 120_000
    assert experiment.warmup == experiment.images // 20
    assert 1.8 < settings["minutes"] <= 2
    train_taught.main([*words, "--set", "images=5120"])
    assert told.pop()[0].images == 5120


def test_an_openvino_graph_runs_in_torch():
    """A linear layer, its slope below 0, and a reshape to sizes that the graph computes, for any batch."""
    weight, bias = np.arange(6, dtype=np.float32).reshape(3, 2) - 2, np.array([[1, -2, 0.5]], np.float32)
    parts = [weight, bias, np.array([0.25], np.float32), np.array(0), np.array(0), np.array([0]), np.array([3, 1, 1])]
    layers, edges, blob = ['<layer id="0" type="Parameter"><output><port id="0"/></output></layer>'], [], b""
    for number, part in enumerate(parts, start=1):
        kind = "f32" if part.dtype == np.float32 else "i64"
        shape = ",".join(map(str, part.shape))
        facts = f'element_type="{kind}" shape="{shape}" offset="{len(blob)}" size="{part.nbytes}"'
        layers.append(f'<layer id="{number}" type="Const"><data {facts}/><output><port id="0"/></output></layer>')
        blob += part.tobytes()

    def add(number, kind, inputs, data=""):
        layers.append(f'<layer id="{number}" type="{kind}">{data}<output><port id="{len(inputs)}"/></output></layer>')
        for port, (source, out) in enumerate(inputs):
            edges.append(f'<edge from-layer="{source}" from-port="{out}" to-layer="{number}" to-port="{port}"/>')

    add(10, "MatMul", [(0, 0), (1, 0)], '<data transpose_a="false" transpose_b="true"/>')
    add(11, "Add", [(10, 2), (2, 0)])
    add(12, "PReLU", [(11, 2), (3, 0)])
    add(13, "ShapeOf", [(0, 0)])
    add(14, "Gather", [(13, 1), (4, 0), (5, 0)])
    add(15, "Unsqueeze", [(14, 3), (6, 0)])
    add(16, "Concat", [(15, 2), (7, 0)])
    add(17, "Reshape", [(12, 2), (16, 2)])
    add(18, "Result", [(17, 2)])
    xml = f"<net><layers>{''.join(layers)}</layers><edges>{''.join(edges)}</edges></net>"
    network = trace_generator.OpenVino(xml.encode(), blob)
    for count in (1, 4):
        given = np.random.default_rng(count).normal(size=(count, 2)).astype(np.float32)
        linear = given @ weight.T + bias
        expected = np.where(linear < 0, 0.25 * linear, linear).reshape(count, 3, 1, 1)
        np.testing.assert_allclose(network(torch.from_numpy(given)).numpy(), expected, rtol=1e-5)
