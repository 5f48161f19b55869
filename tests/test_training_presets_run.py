"""A preset of each family, at a tiny size: steps without NaN, who learns, and the trip to disk and back."""

import dataclasses

import pytest
import torch
from training_faces import HIERARCHICAL, faces, triplets

from featureblend.errors import FeatureblendError
from featureblend.training.presets import preset, quick, resized
from featureblend.training.trainer import Trainer

SIDE = 32


def tiny(name):
    """The preset at 32 px, as narrow as it gets, three critic steps at most; everything that defines it stays."""
    experiment = preset(name)
    if experiment.model == "paper":
        width = 1 / 32 if "vgg" in experiment.model_options.get("encoder", "") else 1 / 4
        small = resized(quick(experiment), SIDE, width)
        options = {**small.model_options, "latent_dim": 6}
        perceptual = {"name": "vgg11", "width": 1 / 16} if experiment.losses.perceptual else {}
        phases = tuple(dataclasses.replace(phase, first_times=min(phase.first_times, 3)) for phase in small.phases)
        return dataclasses.replace(
            small, model_options=options, perceptual_options=perceptual, phases=phases, batch_size=4
        )
    if name.startswith("modern"):
        critic = {**experiment.discriminator_options, "image_size": SIDE, "patch": 2, "widths": (4, 4, 4)}
        blocks = {"encoder_blocks": (1, 1, 1), "decoder_blocks": (1, 1, 1), "detail_widths": (4,)}
        experiment = dataclasses.replace(
            experiment,
            model_options={**experiment.model_options, "image_size": SIDE, "widths": (8, 8, 8), **blocks},
            discriminator_options=critic if experiment.discriminator else {},
            adversarial_start=0,
            adversarial_ramp=0,
        )
    if name == "taught":
        experiment = dataclasses.replace(experiment, model_options=HIERARCHICAL, from_scratch=True)
    return dataclasses.replace(experiment, batch_size=4)


def trainer_of(name):
    """The preset at a tiny size, with triplets where it learns from them."""
    return Trainer(tiny(name), faces(), triplets() if name == "taught" else None)


@pytest.fixture(scope="module")
def stepped():
    """Each preset after two steps, with what they logged."""
    known = {}

    def get(name):
        if name not in known:
            trainer = trainer_of(name)
            logged = [trainer.step() for _ in range(2)]
            known[name] = trainer, logged
        return known[name]

    return get


FAMILIES = (
    *("paper-ae-200", "paper-vae", "paper-vgg11-published", "paper-vgg11", "paper-vaegan-10-published", "paper-merge"),
    *("paper-wgan", "paper-wgan-published", "paper-wgan-gp", "aae", "paper-perceptual", "paper-multiscale"),
    *("paper-featurematch", "paper-minibatch", "modern-reconstruct", "modern-finish", "modern-fine", "modern-clean"),
    *("taught", "toy"),
)
"""One preset of those that differ in nothing but sizes and rates."""
presets = pytest.mark.parametrize("name", FAMILIES)


def check_finite(trainer, logged):
    for numbers in logged:
        for key, value in numbers.items():
            assert torch.isfinite(value).all(), key
    for network in trainer.networks.named().values():
        assert all(parameter.isfinite().all() for parameter in network.parameters())
    expected = {"loss_" + phase.objective for phase in trainer.experiment.phases}
    assert expected <= set(logged[0])
    scores, pictures = trainer.validate()
    assert scores["validation_psnr"] > 0
    assert pictures["reconstruction"].shape[1:] == (3, SIDE, SIDE)


@presets
def test_steps_are_finite_and_everything_that_should_learn_does(name):
    """Each parameter of each network moves in the first steps, but for those that nothing can depend on."""
    torch.manual_seed(0)
    trainer = trainer_of(name)
    with torch.no_grad():  # leave the zeros that blocks start from, whose neighbours have no gradient
        for network in trainer.networks.named().values():
            for parameter in network.parameters():
                parameter += 0.02 * torch.randn_like(parameter)
    before = {
        (who, key): parameter.detach().clone()
        for who, network in trainer.networks.named().items()
        for key, parameter in network.named_parameters()
    }
    logged = [trainer.step() for _ in range(2)]
    check_finite(trainer, logged)
    after = {
        (who, key): parameter.detach()
        for who, network in trainer.networks.named().items()
        for key, parameter in network.named_parameters()
    }
    kept = set()
    if [phase.objective for phase in trainer.experiment.phases] == ["clean"]:  # all but the cleaner stays as it is
        kept = {(who, key) for who, key in before if not key.startswith("cleaner.")}
    still = {place for place, value in before.items() if torch.equal(value, after[place])}
    if trainer.experiment.adversarial == "wgan" and trainer.experiment.critic_clip is None:
        still.discard(("discriminator", "logit.bias"))  # it has no say in a difference of logits, nor in a slope
    assert still == kept


def test_the_published_wasserstein_critic_teaches_nothing(stepped):
    """Findings, section 1: a `detach` cut the gradient, and every weight of the critic was 0.01."""
    trainer, logged = stepped("paper-wgan-published")
    for numbers in logged:
        assert float(numbers["gradient_adversarial"]) == 0
        assert "adversarial_reconstruction" in numbers  # it was in the loss graphs all the same
    weights = torch.cat([parameter.detach().flatten() for parameter in trainer.networks.discriminator.parameters()])
    assert weights.unique().tolist() == pytest.approx([0.01])


def test_critics_as_meant_teach(stepped, subtests):
    for name in ("paper-wgan", "paper-wgan-gp", "paper-vaegan-50"):
        with subtests.test(name):
            trainer, logged = stepped(name)
            assert all(float(numbers["gradient_adversarial"]) > 0 for numbers in logged)
            critic = trainer.networks.discriminator
            weights = torch.cat([parameter.detach().flatten() for parameter in critic.parameters()])
            assert len(weights.unique()) > 100
            if name == "paper-wgan":
                assert float(weights.abs().max()) <= 0.01 + 1e-9


def test_the_published_output_is_pinned_to_grey_and_the_meant_one_is_not():
    """The last BatchNorm holds each channel's mean logit near 0, whatever the decoder before it wants."""
    means = {}
    for name in ("paper-wgan", "paper-wgan-published"):
        model = Trainer(tiny(name), faces()).networks.autoencoder
        with torch.no_grad():
            model.decoder.layers[-2].bias.copy_(torch.tensor([3.0, -3.0, -3.0]))  # a decoder that wants red
            logits = model.decoder(torch.randn(16, 6))
        means[name] = logits.mean((0, 2, 3))
    torch.testing.assert_close(means["paper-wgan-published"], torch.zeros(3), atol=1e-3, rtol=0)
    assert means["paper-wgan"][0] > 2 > -2 > means["paper-wgan"][1]


def test_the_published_vgg_decoder_makes_nothing_darker_than_grey(stepped):
    flawed, meant = (stepped(name)[0].networks.autoencoder for name in ("paper-vgg11-published", "paper-vgg11"))
    codes = 5 * torch.randn(16, 6)
    with torch.no_grad():
        assert float(flawed.decode(codes).min()) >= 0  # the middle of [-1, 1]
        assert float(meant.decode(codes).min()) < 0


def test_checkpoints_come_back(stepped):
    """One of each set of networks: with a critic, one of latents, one that learns alone, and none."""
    for name in ("paper-vae", "paper-merge", "aae", "modern-finish", "modern-clean", "taught"):
        trainer, logged = stepped(name)
        check_finite(trainer, logged)
        other = trainer_of(name)
        other.restore(trainer.state())
        assert other.clock.step == 2
        assert set(other.networks.named()) == set(trainer.networks.named())
        for who, network in trainer.networks.named().items():
            for key, value in network.state_dict().items():
                assert torch.equal(value, other.networks.named()[who].state_dict()[key]), f"{name} {who} {key}"


# --- weights of VGG from a file


def vgg_file(folder, width):
    """A file of weights such as torchvision's, as narrow as the test's networks."""
    import hashlib

    from featureblend.training.networks.vgg import VGGConvolutions

    torch.manual_seed(7)
    state = VGGConvolutions("vgg11", width=width).state_dict()
    path = folder / "vgg11.pth"
    torch.save({**state, "classifier.0.bias": torch.zeros(3)}, path)
    return path, state, hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_vgg_encoder_starts_from_its_file(tmp_path):
    path, state, digest = vgg_file(tmp_path, 1 / 32)
    named = dataclasses.replace(tiny("paper-vgg11"), from_scratch=False, vgg_weights=str(path), vgg_sha256=digest)
    trainer = Trainer(named, faces())
    for key, value in state.items():
        assert torch.equal(trainer.networks.autoencoder.trunk.state_dict()[key], value)
        assert torch.equal(trainer.ema.trunk.state_dict()[key], value)
    with pytest.raises(FeatureblendError, match="is not the file that was asked for"):
        Trainer(dataclasses.replace(named, vgg_sha256="torchvision"), faces())


def test_perceptual_features_come_from_their_file(tmp_path):
    path, state, digest = vgg_file(tmp_path, 1 / 16)
    base = tiny("paper-perceptual")
    named = dataclasses.replace(base, from_scratch=False, vgg_weights=str(path), vgg_sha256=digest)
    found = Trainer(named, faces()).networks.perceptual.network.features[0].weight
    assert torch.equal(found, state["features.0.weight"])
    assert not torch.equal(Trainer(base, faces()).networks.perceptual.network.features[0].weight, found)
    with pytest.raises(FeatureblendError, match=r"perceptual_options .*unexpected keyword argument 'layers'"):
        Trainer(dataclasses.replace(base, perceptual_options={"layers": 3}), faces())


# --- on the command line


def resolved(capsys, *words):
    import json

    from featureblend.cli import main

    main(["train", *words, "--dry-run"])
    return json.loads(capsys.readouterr().out)


def test_options_of_the_train_command(capsys):
    plain = resolved(capsys, "--preset", "paper-vgg11")
    assert (plain["vgg_weights"], plain["from_scratch"]) == ("", False)
    assert resolved(capsys, "--preset", "paper-vgg11", "--vgg-weights", "vgg11.pth")["vgg_weights"] == "vgg11.pth"
    assert resolved(capsys, "--preset", "paper-vgg11", "--from-scratch")["from_scratch"]
    clipped = resolved(capsys, "--set", "critic_clip=[-0.02, 0.02]", "compile=cuda")
    assert clipped["critic_clip"] == [-0.02, 0.02]
    assert clipped["compile"] == "cuda"


def test_missing_weights_end_in_one_line(tmp_path, capsys, monkeypatch):
    from featureblend.cli import main
    from featureblend.training import dataset

    monkeypatch.setattr(dataset.FaceSet, "read", lambda path: faces())
    with pytest.raises(SystemExit) as stop:
        main(["train", "--preset", "paper-vgg11", "--data", "faces.tar", "--run", str(tmp_path / "run")])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "paper-vgg11 wants torchvision's weights of vgg11: name the file with --vgg-weights FILE" in line
    assert not (tmp_path / "run").exists()


def test_what_to_do_on_collapse_reaches_the_loop(tmp_path, monkeypatch, capsys):
    from featureblend.cli import main
    from featureblend.training import dataset, loop

    told = {}
    monkeypatch.setattr(dataset.FaceSet, "read", lambda path: faces())
    monkeypatch.setattr(loop, "train", lambda *words, **settings: told.update(settings) or tmp_path)
    for words, expected in (([], "stop"), (["--on-collapse", "warn"], "warn")):
        main(["train", "--preset", "toy", "--data", "faces.tar", "--run", str(tmp_path / "run"), *words])
        assert told["on_collapse"] == expected
