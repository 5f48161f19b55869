"""Presets: each can be trained, survives JSON, and the paper's are the paper's."""

import dataclasses
import json

import pytest

from featureblend.errors import FeatureblendError
from featureblend.io.settings import from_dict, to_dict
from featureblend.model.folder import find_model, read_model_folder
from featureblend.training.experiment import LossWeights, Phase, read_experiment
from featureblend.training.presets import PRESETS, overridden, preset, quick, resized


def test_presets_survive_json():
    """A run is resumed only if the experiment read back equals the preset: nested tuples too."""
    for name, experiment in PRESETS.items():
        again = read_experiment(json.loads(json.dumps(to_dict(experiment))), "experiment.json")
        assert again == experiment, name
        assert experiment.name == name
        assert len(experiment.description) < 100, name


def test_old_experiments_get_defaults_for_new_settings():
    values = json.loads(json.dumps(to_dict(preset("modern"))))
    del values["even_blends"], values["losses"]["anchor"], values["phases"][0]["times"]
    again = read_experiment(values, "experiment.json")
    assert (again.even_blends, again.losses.anchor, again.phases[0].times) == (0.5, 0.0, 1)


def test_dropped_settings_are_passed_over_only_where_they_did_nothing():
    values = json.loads(json.dumps(to_dict(preset("modern"))))
    values["frozen"], values["phases"][0]["every"] = [], 1
    assert read_experiment(values, "experiment.json") == preset("modern")
    for name, change in (
        ("frozen", {"frozen": ["encoder"]}),
        ("every", {"phases": [{**values["phases"][0], "every": 2}]}),
    ):
        with pytest.raises(FeatureblendError, match=rf"^runs/a/experiment\.json: '{name}'"):
            read_experiment({**values, **change}, "runs/a/experiment.json")


def test_the_bundled_models_experiment_is_read():
    assert read_experiment(read_model_folder(find_model()).experiment, "config.json").name == "modern-clean"


def test_unknown_preset():
    with pytest.raises(FeatureblendError, match="unknown preset 'papr': use one of paper-ae-200, paper-ae-2000"):
        preset("papr")


def test_paper_merge_is_the_papers_scheme():
    """Section 2: reconstruct a; encode a and b, average, decode, adversarial loss alone; then discriminate."""
    merge = preset("paper-merge")
    assert merge.phases == (
        Phase("reconstruct", "autoencoder"),
        Phase("blend", "autoencoder"),
        Phase("discriminate", "discriminator"),
    )
    assert merge.adversarial == "bce"
    assert merge.even_blends == 1
    assert (merge.model, merge.discriminator) == ("paper", "paper")
    weights = merge.losses
    # "0.1 x advLoss + 0.9 x reconLoss", on pixels that span twice the paper's range
    assert weights.adversarial_reconstruction == pytest.approx(0.1)
    assert weights.mse * 4 == pytest.approx(0.9)
    assert weights.kl / (weights.mse * 4) == preset("paper-vae").losses.kl / (preset("paper-vae").losses.mse * 4) == 1
    # "100% adversarial loss": nothing else acts on a blend
    assert weights.adversarial_blend == 1
    assert weights.mixing == weights.cycle == weights.anchor == weights.feature_matching == 0


def test_the_papers_presets_have_nothing_of_ours():
    for name in ["paper-vae", "paper-merge"]:
        experiment = preset(name)
        assert experiment.ema_half_life == 0
        assert not experiment.mirror
        assert experiment.shift == experiment.warmup == experiment.gradient_penalty == experiment.gradient_clip == 0
        assert experiment.final_learning_rate is None
        assert experiment.model_options["final_batch_norm"] is False  # as meant: nothing pins the channels' means


def wants_vgg(experiment):
    return "vgg" in experiment.model_options.get("encoder", "") or experiment.losses.perceptual > 0


# The paper's table: every system, and the runs that failed as published too.
SHARES = ("01", "05", "10", "20", "50")
FAILED = ("paper-vgg11", "paper-vae", "paper-wgan", *(f"paper-vaegan-{share}" for share in SHARES))
OTHERS = (
    *("paper-ae-200", "paper-ae-2000", "paper-ae-5000", "paper-ae-deep", "paper-merge", "paper-wgan-gp", "aae"),
    *(
        "paper-perceptual",
        "paper-vgg16",
        "paper-multiscale",
        "paper-featurematch",
        "paper-minibatch",
        "paper-smoothing",
    ),
)


def test_every_system_of_the_paper_has_a_preset():
    expected = {*OTHERS, *FAILED, *(f"{name}-published" for name in FAILED)}
    assert expected == {name for name in PRESETS if name.startswith("paper") or name == "aae"}


def test_a_published_run_names_its_flaw_and_has_it():
    for name in FAILED:
        published, meant = preset(f"{name}-published"), preset(name)
        assert published.description.startswith("Flaw: "), name
        assert "Flaw" not in meant.description, name
        options = {"final_batch_norm": True, **published.model_options}
        assert options["final_batch_norm"], name
        assert not meant.model_options["final_batch_norm"], name


def test_the_published_flaws_are_the_known_ones():
    """Findings, section 1, and the authors' scripts."""
    wgan = preset("paper-wgan-published")
    assert wgan.critic_clip == (0.01, 0.01)
    assert wgan.detach_adversary
    assert (wgan.learning_rate, wgan.discriminator_learning_rate) == (5e-5, 5e-4)
    critic = wgan.phases[-1]
    assert (critic.times, critic.first_times, critic.first_steps) == (5, 99, 25)
    meant = preset("paper-wgan")
    assert meant.critic_clip == (-0.01, 0.01)
    assert not meant.detach_adversary
    for share in SHARES:
        gan = preset(f"paper-vaegan-{share}-published")
        assert (gan.learning_rate, gan.discriminator_learning_rate) == (2e-3, 2e-3)
        assert gan.betas == gan.discriminator_betas == (0.9, 0.999)
        assert gan.adversarial == "bce_sigmoid"
        assert (
            gan.losses.adversarial_reconstruction == preset(f"paper-vaegan-{share}").losses.adversarial_reconstruction
        )
        assert gan.losses.adversarial_reconstruction == pytest.approx(int(share) / 100)
    vae = preset("paper-vae-published").losses
    beta = (vae.kl / vae.mse) / (preset("paper-vae").losses.kl / preset("paper-vae").losses.mse)
    assert beta == pytest.approx((250 / 32) ** 2 / 9)  # 0.9 and 0.1: about 6.8
    vgg = preset("paper-vgg11-published")
    assert vgg.model_options["output"] == "relu_sigmoid"
    assert not vgg.model_options.get("imagenet_statistics", False)
    assert vgg.losses.kl > 4 * preset("paper-vgg11").losses.kl


@pytest.mark.extras
def test_sizes_of_the_papers_presets():
    from featureblend.training.checking import check

    papers = [experiment for name, experiment in PRESETS.items() if name.startswith("paper") or name == "aae"]
    for experiment in papers:
        small = quick(experiment)
        check(small)
        assert (small.model_options["image_size"], small.images) == (64, 640), experiment.name
        assert max(phase.first_times for phase in small.phases) <= 6, experiment.name
        kept = [(one.losses, one.adversarial, one.critic_clip) for one in (small, experiment)]
        assert kept[0] == kept[1], experiment.name
        aligned = resized(experiment, 128)
        sizes = [aligned.model_options["image_size"], aligned.discriminator_options.get("image_size", 128)]
        assert sizes == [128, 128], experiment.name
        assert aligned.images == experiment.images, experiment.name
        assert resized(aligned, 250).model_options["padding"] == "paper", experiment.name


def test_only_the_papers_presets_can_be_resized():
    for change in (quick, lambda experiment: resized(experiment, 64)):
        with pytest.raises(FeatureblendError, match="toy is no preset of the paper's"):
            change(preset("toy"))


@pytest.mark.extras
def test_presets_can_be_trained():
    from featureblend.training.checking import check
    from featureblend.training.networks import AUTOENCODERS, DISCRIMINATORS

    for name, experiment in PRESETS.items():
        if wants_vgg(experiment) and "vgg16_st" not in str(experiment):  # whose weights the extra brings
            with pytest.raises(FeatureblendError, match=r"--vgg-weights FILE"):
                check(experiment)
        if experiment.losses.lpips:
            with pytest.raises(FeatureblendError, match=r"--lpips-weights FILE"):
                check(experiment)
        check(dataclasses.replace(experiment, from_scratch=True))
        config = from_dict(AUTOENCODERS[experiment.model].config, experiment.model_options, name)
        if experiment.discriminator:
            critic = from_dict(DISCRIMINATORS[experiment.discriminator].config, experiment.discriminator_options, name)
            assert critic.image_size == config.image_size, name


TOY_PHASES = preset("toy").phases

WRONG = {
    "unknown objective 'blnd'": {"phases": (Phase("blnd", "autoencoder"),)},
    "the discriminator learns": {"phases": (Phase("joint", "autoencoder"), Phase("discriminate", "autoencoder"))},
    "no phase teaches": {"phases": (Phase("discriminate", "discriminator"),)},
    "'discriminate' needs what another phase makes": {
        "phases": (Phase("clean", "autoencoder"), Phase("discriminate", "discriminator"))
    },
    "losses.adversarial_reconstruction needs": {"phases": (Phase("joint", "autoencoder"),)},
    "needs a discriminator": {"discriminator": ""},
    "adversarial is 'lsgan'": {"adversarial": "lsgan"},
    "gradient_penalty_form is 'r2'": {"gradient_penalty_form": "r2"},
    "compile is 'yes'": {"compile": "yes"},
    "label_smoothing must be between": {"adversarial": "bce", "label_smoothing": 2.0},
    "label_smoothing needs labels: use adversarial=bce": {"label_smoothing": 0.1},
    "critic_clip is .0.1, -0.1.: expected a lower": {"critic_clip": (0.1, -0.1)},
    "'joint' can be done once a step": {"phases": (Phase("joint", "autoencoder", times=2),)},
    "'discriminate' cannot be done 0 times": {
        "phases": (Phase("joint", "autoencoder"), Phase("discriminate", "discriminator", times=0))
    },
    "losses.prior needs a phase 'discriminate_prior'": {"losses": LossWeights(l1=1.0, prior=0.1)},
    "no phase teaches the autoencoder to decode": {"phases": (Phase("match_prior", "autoencoder"),)},
    "the latent_discriminator learns": {"phases": (Phase("discriminate_prior", "discriminator"),)},
    "'discriminate_prior' needs what another phase makes": {
        "phases": (*TOY_PHASES, Phase("discriminate_prior", "latent_discriminator"))
    },
    "wants torchvision's weights of vgg16": {"losses": LossWeights(l1=1.0, perceptual=0.1), "phases": TOY_PHASES[:1]},
    "neither a VGG encoder nor losses.perceptual looks at it": {"vgg_weights": "nowhere"},
    "precision is 'fp16'": {"precision": "fp16"},
    "batch_size must be more than 0": {"batch_size": 0},
    "even_blends must be between": {"even_blends": 1.5},
}


@pytest.mark.extras
def test_contradictions_are_refused_before_training():
    for message in WRONG:
        from featureblend.training.checking import check

        with pytest.raises(FeatureblendError, match=message):
            check(dataclasses.replace(preset("toy"), **WRONG[message]))


def test_overridden_settings():
    plain = ["batch_size=8", "images=1e5", "learning_rate=1", "mirror=false", "betas=[0.9, 0.999]", "adversarial=bce"]
    dotted = ["losses.kl=0", "model_options.global_dim=0", "model_options.noise=0.2"]
    changed = overridden(preset("toy"), [*plain, *dotted])
    assert (changed.batch_size, changed.images, changed.learning_rate, changed.mirror) == (8, 100_000, 1.0, False)
    assert isinstance(changed.images, int)
    assert isinstance(changed.learning_rate, float)
    assert changed.betas == (0.9, 0.999)
    assert changed.losses == dataclasses.replace(preset("toy").losses, kl=0.0)
    assert changed.adversarial == "bce"
    assert changed.model_options == {**preset("toy").model_options, "global_dim": 0, "noise": 0.2}
    assert overridden(preset("toy"), []) == preset("toy")
    assert isinstance(changed.losses, LossWeights)


MISFITS = ("batch_size", "bach_size=8", "losses.l3=1", "losses=1", "losses.kl.x=1", "phases=[]", "=1")
WRONG_KINDS = ("batch_size=many", "batch_size=1.5", "batch_size=true", "mirror=1", "betas=1")


def test_settings_that_do_not_fit_are_refused():
    for setting in [*MISFITS, *WRONG_KINDS]:
        with pytest.raises(FeatureblendError, match="cannot set"):
            overridden(preset("toy"), [setting])
