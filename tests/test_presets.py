"""Presets: each can be trained, survives JSON, and the paper's are the paper's."""

import dataclasses
import json
import subprocess
import sys

import pytest

from featureblend.config import Experiment, LossWeights, Phase, from_dict, to_dict
from featureblend.errors import FeatureblendError
from featureblend.presets import PRESETS, overridden, preset


@pytest.mark.parametrize("name", PRESETS)
def test_preset_survives_json(name):
    """A run is resumed only if the experiment read back equals the preset: nested tuples too."""
    experiment = preset(name)
    again = from_dict(Experiment, json.loads(json.dumps(to_dict(experiment))), "experiment.json")
    assert again == experiment
    assert experiment.name == name
    assert len(experiment.description) < 100


def test_old_experiments_get_defaults_for_new_settings():
    values = json.loads(json.dumps(to_dict(preset("modern"))))
    del values["even_blends"], values["losses"]["anchor"], values["phases"][0]["every"]
    again = from_dict(Experiment, values, "experiment.json")
    assert (again.even_blends, again.losses.anchor, again.phases[0].every) == (0.5, 0.0, 1)


def test_unknown_preset():
    with pytest.raises(FeatureblendError, match="unknown preset 'papr': use one of paper-vae, paper-merge"):
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


@pytest.mark.parametrize("name", ["paper-vae", "paper-merge"])
def test_the_papers_presets_have_nothing_of_ours(name):
    experiment = preset(name)
    assert experiment.ema_half_life == 0
    assert not experiment.mirror
    assert experiment.shift == experiment.warmup == experiment.gradient_penalty == experiment.gradient_clip == 0
    assert experiment.final_learning_rate == experiment.learning_rate
    assert experiment.model_options == {"final_batch_norm": False}  # as meant: nothing pins the channels' means


@pytest.mark.parametrize("name", PRESETS)
def test_preset_can_be_trained(name):
    pytest.importorskip("torch")
    from featureblend.models import AUTOENCODERS, DISCRIMINATORS
    from featureblend.train.objective import check

    experiment = preset(name)
    check(experiment)
    config = from_dict(AUTOENCODERS[experiment.model].config, experiment.model_options, name)
    if experiment.discriminator:
        critic = from_dict(DISCRIMINATORS[experiment.discriminator].config, experiment.discriminator_options, name)
        assert critic.image_size == config.image_size


WRONG = {
    "unknown objective 'blnd'": {"phases": (Phase("blnd", "autoencoder"),)},
    "the discriminator learns": {"phases": (Phase("joint", "autoencoder"), Phase("discriminate", "autoencoder"))},
    "no phase teaches": {"phases": (Phase("discriminate", "discriminator"),)},
    "every 0 steps": {"phases": (Phase("joint", "autoencoder", every=0),)},
    "made in the same step": {"phases": (Phase("joint", "autoencoder", 2), Phase("discriminate", "discriminator", 3))},
    "losses.adversarial_reconstruction needs": {"phases": (Phase("joint", "autoencoder"),)},
    "needs a discriminator": {"discriminator": ""},
    "adversarial is 'wgan'": {"adversarial": "wgan"},
    "precision is 'fp16'": {"precision": "fp16"},
    "batch_size must be more than 0": {"batch_size": 0},
    "even_blends must be between": {"even_blends": 1.5},
}


@pytest.mark.parametrize("message", WRONG)
def test_contradictions_are_refused_before_training(message):
    pytest.importorskip("torch")
    from featureblend.train.objective import check

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


@pytest.mark.parametrize("setting", [*MISFITS, *WRONG_KINDS])
def test_settings_that_do_not_fit_are_refused(setting):
    with pytest.raises(FeatureblendError, match="cannot set"):
        overridden(preset("toy"), [setting])


def test_presets_need_no_torch():
    """`featureblend train --list` and `--dry-run` work in the plain install."""
    code = "import sys, featureblend.presets; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
