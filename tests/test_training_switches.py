"""Switches of the adversary, the perceptual loss, the adversary on codes, and what is made again in a step."""

import dataclasses

import torch
from training_batch import (
    EVERYTHING,
    PRIOR,
    batch_of,
    fakes_of,
    learn,
    networks_of,
    photos,
)
from training_faces import TOY

from featureblend.training.experiment import LossWeights
from featureblend.training.losses import adversarial
from featureblend.training.objective import LEARNERS, OBJECTIVES, remade


def test_a_cut_adversary_is_logged_and_teaches_nothing():
    """The published Wasserstein runs' `detach` (findings, section 1)."""
    meant = dataclasses.replace(TOY, adversarial="wgan", losses=LossWeights(adversarial_reconstruction=1.0))
    cut = dataclasses.replace(meant, detach_adversary=True)
    networks, gradients, values = networks_of(TOY), [], []
    for experiment in (meant, cut):
        batch = batch_of()
        result = learn(networks, "reconstruct", experiment, batch, "autoencoder")
        values.append(result["adversarial_reconstruction"])
        gradients.append([parameter.grad for parameter in networks.autoencoder.parameters()])
        (judged,) = batch.judged
        assert (judged.grad is not None) == (experiment is meant)
    torch.testing.assert_close(*values)
    assert all(float(gradient.abs().sum()) > 0 for gradient in gradients[0] if gradient is not None)
    assert all(gradient is None for gradient in gradients[1])


def test_feature_matching_compares_a_warped_face_with_itself():
    """Warped to the group's mean shape, it lies elsewhere than in its photo: features are compared place by place."""
    losses = LossWeights(feature_matching=1.0)
    experiment = dataclasses.replace(TOY, losses=losses, warp=1.0, adversarial="relativistic")
    places = torch.rand(4, 68, 2, generator=torch.Generator().manual_seed(0)) * 24 + 4
    networks, batch = networks_of(experiment), batch_of(landmarks=places)
    encode, seen = networks.autoencoder.posterior, []
    networks.autoencoder.posterior = lambda images: (seen.append(images), encode(images))[1]
    networks.autoencoder.decode = lambda latent: torch.cat([seen[-1], seen[-1]])  # perfect reconstructions
    result = OBJECTIVES["joint"](networks, batch, experiment)
    assert float((seen[-1] - batch.images).abs().mean()) > 0.01
    assert float(result["feature_matching"]) == 0


def test_label_smoothing_reaches_the_critic():
    soft = dataclasses.replace(EVERYTHING, adversarial="bce", label_smoothing=0.1)
    networks = networks_of(soft)
    fakes = fakes_of(networks, soft)
    result = OBJECTIVES["discriminate"](networks, batch_of(fakes=fakes), soft)
    judged = [networks.discriminator(values) for values in (photos(), fakes["reconstruction"], fakes["blend"])]
    losses = [adversarial.discriminator_loss("bce", fake, judged[0], 0.1) for fake in judged[1:]]
    torch.testing.assert_close(result["discriminator"], ((losses[0] + losses[1]) / 2).detach())


def test_wgan_gp_looks_between_real_and_generated_pictures():
    experiment = dataclasses.replace(
        EVERYTHING,
        adversarial="wgan",
        gradient_penalty=10.0,
        gradient_penalty_every=1,
        gradient_penalty_form="wgan-gp",
    )
    networks = networks_of(experiment)
    batch = batch_of(fakes=fakes_of(networks, experiment), penalise=True)
    result = OBJECTIVES["discriminate"](networks, batch, experiment)
    share = batch.uniform("penalty", 1)[:, 0]
    assert len(set(share.tolist())) == 4
    expected = adversarial.interpolated_penalty(networks.discriminator, photos(), batch.fakes["blend"], share)
    torch.testing.assert_close(result["gradient_penalty"], (10 * expected).detach())


def test_the_perceptual_loss_teaches_the_autoencoder():
    from featureblend.training.networks import VGGFeatures

    experiment = dataclasses.replace(TOY, losses=LossWeights(perceptual=2.0))
    networks = dataclasses.replace(networks_of(TOY), perceptual=VGGFeatures("vgg11", width=0.125))
    result = learn(networks, "reconstruct", experiment, batch_of(), "autoencoder")
    assert set(result) - {"outputs"} == {"loss", "perceptual"}
    assert float(result["perceptual"]) > 0
    for part in (networks.autoencoder.encoder, networks.autoencoder.decoder):
        assert all(float(parameter.grad.abs().sum()) > 0 for parameter in part.parameters())
    assert all(parameter.grad is None for parameter in networks.perceptual.parameters())
    assert set(networks.named()) == {"autoencoder", "discriminator"}  # it is no part of a checkpoint


# --- the adversary on codes


def test_exactly_the_learner_of_the_prior_gets_gradients():
    for kind in adversarial.KINDS:
        for objective in ["match_prior", "discriminate_prior"]:
            experiment = dataclasses.replace(PRIOR, adversarial=kind)
            networks, batch = networks_of(experiment), batch_of()
            batch.fakes |= OBJECTIVES["match_prior"](networks, batch, experiment)["outputs"]
            learner = LEARNERS.get(objective, "autoencoder")
            result = learn(networks, objective, experiment, batch, learner)
            assert torch.isfinite(result["loss"])
            for who, network in networks.named().items():
                for key, parameter in network.named_parameters():
                    decodes = key.startswith(("decoder", "from_spatial", "to_pixels"))
                    if who != learner or (who == "autoencoder" and decodes):
                        assert parameter.grad is None, f"{key} of the {who} must not learn from {objective}"
                    # The last bias has no say in a difference of logits, and a hinge's parts may cancel.
                    elif kind.startswith("bce") or who == "autoencoder" or not key.endswith("4.bias"):
                        assert parameter.grad.abs().max() > 0, key


def test_the_prior_by_hand():
    networks, batch = networks_of(PRIOR), batch_of()
    result = OBJECTIVES["match_prior"](networks, batch, PRIOR)
    code = result["outputs"]["code"]
    critic = networks.latent_discriminator
    expected = 0.5 * adversarial.generator_loss("bce", critic(code))
    torch.testing.assert_close(result["prior"], expected.detach())
    batch.fakes["code"] = code
    judged = OBJECTIVES["discriminate_prior"](networks, batch, PRIOR)
    normal = batch.noise("prior", code)
    expected = adversarial.discriminator_loss("bce", critic(code), critic(normal))
    torch.testing.assert_close(judged["prior_discriminator"], expected.detach())
    torch.testing.assert_close(judged["prior_logit"], critic(normal).mean().detach())
    silent = learn(networks, "match_prior", PRIOR, batch_of(ramp=0.0), "autoencoder")
    assert float(silent["loss"].detach()) == 0


# --- further updates of a discriminator in a step


def test_what_is_made_again_is_what_the_phase_makes():
    for objective in ["reconstruct", "blend", "joint", "match_prior"]:
        base = PRIOR if objective == "match_prior" else EVERYTHING
        experiment = dataclasses.replace(base, phases=(dataclasses.replace(TOY.phases[0], objective=objective),))
        networks = networks_of(base)
        made = OBJECTIVES[objective](networks, batch_of(), base)["outputs"]
        again = remade(networks, batch_of(), experiment)
        assert set(again) == set(made)
        for name, value in made.items():
            torch.testing.assert_close(again[name], value, atol=1e-5, rtol=1e-4)
            assert not again[name].requires_grad
