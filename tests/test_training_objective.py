"""Each phase's objective: finite, teaching exactly who should learn, and adding up as the paper's scheme says."""

import dataclasses

import pytest
import torch
from training_batch import EVERYTHING, PICTURES, batch_of, fakes_of, learn, networks_of, photos
from training_faces import PAPER, TOY

from featureblend.errors import FeatureblendError
from featureblend.training.experiment import LossWeights
from featureblend.training.losses import adversarial, reconstruction
from featureblend.training.objective import OBJECTIVES

EXPERIMENTS = {"everything": EVERYTHING, "paper": PAPER}


def test_exactly_the_learner_gets_gradients():
    for objective in PICTURES:
        for name in EXPERIMENTS:
            experiment = EXPERIMENTS[name]
            networks = networks_of(experiment)
            learner = "discriminator" if objective == "discriminate" else "autoencoder"
            fakes = fakes_of(networks, experiment) if learner == "discriminator" else {}
            result = learn(networks, objective, experiment, batch_of(fakes=fakes, penalise=True), learner)
            assert torch.isfinite(result["loss"])
            for who, network in networks.named().items():
                for key, parameter in network.named_parameters():
                    if who == learner:
                        assert parameter.grad is not None, key
                        assert torch.isfinite(parameter.grad).all(), key
                        assert parameter.grad.abs().max() > 0, key
                    else:
                        assert parameter.grad is None, f"{key} of the {who} must not learn from {objective}"


def test_terms_add_up_and_hold_on_to_nothing():
    for objective in PICTURES:
        for name in EXPERIMENTS:
            experiment = EXPERIMENTS[name]
            networks = networks_of(experiment)
            result = OBJECTIVES[objective](networks, batch_of(fakes=fakes_of(networks, experiment)), experiment)
            outputs, loss = result.pop("outputs", {}), result.pop("loss")
            assert not any(value.requires_grad for value in [*outputs.values(), *result.values()])
            terms = [value for key, value in result.items() if not key.endswith("_logit")]
            torch.testing.assert_close(loss.detach(), torch.stack(terms).sum())
            assert loss.dtype == torch.float32
            expected = {"reconstruct": {"reconstruction"}, "blend": {"blend", "alpha"}, "discriminate": set()}
            assert set(outputs) == expected.get(objective, {"reconstruction", "blend", "alpha"})


def test_the_blend_adversary_reaches_the_encoder():
    """The paper's own runs cut this gradient (findings, section 1): then latents never learn to blend."""
    for kind in adversarial.KINDS:
        experiment = dataclasses.replace(TOY, adversarial=kind, losses=LossWeights(adversarial_blend=1.0))
        networks = networks_of(experiment)
        result = learn(networks, "blend", experiment, batch_of(), "autoencoder")
        assert set(result) - {"outputs"} == {"loss", "adversarial_blend"}
        for part in (networks.autoencoder.encoder, networks.autoencoder.decoder):
            assert all(float(parameter.grad.abs().sum()) > 0 for parameter in part.parameters())


def test_terms_by_hand():
    """Each weighted term of the reconstruction against the losses' own functions on the output."""
    networks = networks_of(EVERYTHING)
    result = OBJECTIVES["reconstruct"](networks, batch_of(), EVERYTHING)
    output, images, weights = result["outputs"]["reconstruction"], photos(), EVERYTHING.losses
    for name in ("l1", "mse"):
        expected = getattr(weights, name) * getattr(reconstruction, name)(output, images)
        torch.testing.assert_close(result[name], expected)
    torch.testing.assert_close(result["ssim"], weights.ssim * reconstruction.ssim_loss(output, images))
    torch.testing.assert_close(result["laplacian"], weights.laplacian * reconstruction.laplacian_l1(output, images))
    posterior = networks.autoencoder.posterior(images)
    torch.testing.assert_close(result["kl"], (weights.kl * posterior.kl().mean() / (3 * 32 * 32)).detach())
    real, fake = (networks.discriminator.judge(values) for values in (images, output))
    expected = weights.adversarial_reconstruction * adversarial.generator_loss("relativistic", fake[0], real[0])
    torch.testing.assert_close(result["adversarial_reconstruction"], expected.detach())
    expected = weights.feature_matching * reconstruction.feature_l1(fake[2], real[2])
    torch.testing.assert_close(result["feature_matching"], expected.detach())


def test_blend_is_the_decoded_mean_of_two_latents():
    """With little noise, and all weights at 1/2, as in the paper."""
    experiment = dataclasses.replace(EVERYTHING, even_blends=1.0, model_options={**TOY.model_options, "noise": 1e-7})
    networks = networks_of(experiment)
    a, b = photos(0), photos(1)
    result = OBJECTIVES["blend"](networks, batch_of(a, b), experiment)
    model, blend = networks.autoencoder, result["outputs"]["blend"]
    latent = (model.encode(a) + model.encode(b)) / 2
    torch.testing.assert_close(blend, model.decode(latent).detach(), atol=1e-5, rtol=1e-4)
    assert result["outputs"]["alpha"].tolist() == [0.5] * 4
    weights = experiment.losses
    torch.testing.assert_close(result["anchor"], weights.anchor * reconstruction.anchor_l1(blend, (a + b) / 2))
    of_parents = zip(*(reconstruction.band_energies(parent) for parent in (a, b)), strict=True)
    wanted = [(first + second) / 2 for first, second in of_parents]  # of the energies, not of the mean picture
    texture = weights.texture * reconstruction.texture_l1(reconstruction.band_energies(blend), wanted)
    torch.testing.assert_close(result["blend_texture"], texture, atol=1e-6, rtol=1e-3)
    cycle = weights.cycle * (model.encode(blend) - latent).square().mean()
    torch.testing.assert_close(result["cycle"], cycle.detach(), atol=1e-6, rtol=1e-3)
    _, mixing, _ = networks.discriminator.judge(blend)
    torch.testing.assert_close(result["mixing"], (weights.mixing * mixing.square().mean()).detach())


def test_the_cycle_teaches_the_pictures_code_not_the_latent():
    """The latent is where the code should arrive: it must not come to meet it, or all codes shrink to one."""
    noiseless = {**TOY.model_options, "noise": 0.0}
    experiment = dataclasses.replace(TOY, even_blends=1.0, model_options=noiseless, losses=LossWeights(cycle=1.0))
    networks = networks_of(experiment)
    learn(networks, "blend", experiment, batch_of(), "autoencoder")
    model = networks.autoencoder
    found = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    latent = (model.encode(photos(0)) + model.encode(photos(1))) / 2
    target = latent.detach().clone()
    (model.encode(model.decode(latent)) - target).square().mean().backward()
    for gradient, parameter in zip(found, model.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, atol=1e-7, rtol=1e-3)


def test_the_first_parent_counts_at_alpha_zero():
    experiment = dataclasses.replace(TOY, even_blends=0.0, model_options={**TOY.model_options, "noise": 1e-7})
    networks, batch = networks_of(experiment), batch_of()
    outputs = OBJECTIVES["blend"](networks, batch, experiment)["outputs"]
    model, alpha = networks.autoencoder, outputs["alpha"]
    latent = (1 - alpha)[:, None] * model.encode(photos(0)) + alpha[:, None] * model.encode(photos(1))
    torch.testing.assert_close(outputs["blend"], model.decode(latent).detach(), atol=1e-5, rtol=1e-4)
    assert len(set(alpha.tolist())) == 4


def test_joint_is_reconstruct_and_blend_with_the_neighbour():
    # A relativistic loss would compare the pairs' first faces with other real ones.
    experiment = dataclasses.replace(
        EVERYTHING, adversarial="hinge", model_options={**TOY.model_options, "noise": 1e-7}
    )
    networks, images = networks_of(experiment), photos()
    both = OBJECTIVES["joint"](networks, batch_of(images), experiment)
    one = OBJECTIVES["reconstruct"](networks, batch_of(images), experiment)
    # Neighbours in pairs: each face leads one blend of its pair, the pair's first face first.
    firsts, seconds = images[[0, 0, 2, 2]], images[[1, 1, 3, 3]]
    other = OBJECTIVES["blend"](networks, batch_of(firsts, seconds), experiment)
    assert set(both) == set(one) | set(other)
    torch.testing.assert_close(both["loss"], one["loss"] + other["loss"], atol=1e-5, rtol=1e-4)
    for part in (one, other):
        for key in set(part) - {"loss", "outputs"}:
            torch.testing.assert_close(both[key], part[key], atol=1e-5, rtol=1e-3)
        for key, value in part["outputs"].items():
            value = torch.minimum(value, 1 - value) if key == "alpha" else value  # what is not the larger parent's
            torch.testing.assert_close(both["outputs"][key], value, atol=1e-5, rtol=1e-4)


def test_blends_at_one_half():
    many = batch_of(torch.zeros(4000, 3, 1, 1))
    alphas = many.alphas(0.5)
    share = float((alphas == 0.5).float().mean())
    assert share == pytest.approx(0.5, abs=0.03)
    rest = alphas[alphas != 0.5]
    assert float(rest.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(rest.var()) == pytest.approx(1 / 12, abs=0.01)  # uniform
    assert (many.alphas(1.0) == 0.5).all()
    assert not (many.alphas(0.0) == 0.5).any()


def test_draws_do_not_depend_on_the_number_of_processes():
    like = torch.zeros(6, 5)
    whole = batch_of(torch.zeros(6, 3, 2, 2))
    shares = [batch_of(torch.zeros(2, 3, 2, 2), rank=rank, world=3) for rank in range(3)]
    assert torch.equal(torch.cat([share.noise("a", like[:2]) for share in shares]), whole.noise("a", like))
    parts = torch.cat([share.noise("a", like[:2], (1, 1)) for share in shares])  # one of each half of the batch
    assert torch.equal(parts[[0, 2, 4, 1, 3, 5]], whole.noise("a", like))
    assert torch.equal(torch.cat([share.alphas(0.5) for share in shares]), whole.alphas(0.5))
    assert not torch.equal(whole.noise("a", like), whole.noise("b", like))


# --- the adversary's schedule and the discriminator


def test_before_its_start_the_adversary_is_silent():
    networks = networks_of(EVERYTHING)
    result = OBJECTIVES["joint"](networks, batch_of(ramp=0.0), EVERYTHING)
    assert not {"adversarial_reconstruction", "adversarial_blend", "mixing"} & set(result)
    assert {"feature_matching", "anchor", "cycle", "l1"} <= set(result)
    full = OBJECTIVES["joint"](networks, batch_of(), EVERYTHING)
    half = OBJECTIVES["joint"](networks, batch_of(ramp=0.5), EVERYTHING)
    for name in ("adversarial_reconstruction", "adversarial_blend", "mixing"):
        torch.testing.assert_close(half[name], full[name] / 2)


def test_nothing_to_learn_is_no_crash():
    """The paper's blend phase before the adversary starts."""
    networks = networks_of(PAPER)
    result = learn(networks, "blend", PAPER, batch_of(ramp=0.0), "autoencoder")
    assert float(result["loss"].detach()) == 0
    assert all(parameter.grad is None for parameter in networks.autoencoder.parameters())


def test_discriminate_by_hand():
    for kind in adversarial.KINDS:
        experiment = dataclasses.replace(EVERYTHING, adversarial=kind, gradient_penalty=2.0, gradient_penalty_every=4)
        networks = networks_of(experiment)
        fakes, critic, images = fakes_of(networks, experiment), networks.discriminator, photos()
        result = OBJECTIVES["discriminate"](networks, batch_of(fakes=fakes, penalise=True), experiment)
        real, made, mixed = (critic.judge(values) for values in (images, fakes["reconstruction"], fakes["blend"]))
        losses = [adversarial.discriminator_loss(kind, fake[0], real[0]) for fake in (made, mixed)]
        torch.testing.assert_close(result["discriminator"], ((losses[0] + losses[1]) / 2).detach())
        target = torch.minimum(fakes["alpha"], 1 - fakes["alpha"])
        error = (mixed[1] - target).square().mean() + real[1].square().mean()
        torch.testing.assert_close(result["mixing_error"], error.detach())
        penalty = adversarial.gradient_penalty(critic, images)
        if kind == "relativistic":
            penalty = penalty + adversarial.gradient_penalty(critic, fakes["blend"])
        torch.testing.assert_close(result["gradient_penalty"], (2.0 * 4 * penalty).detach())
        for name, logits in (("real", real), ("reconstruction", made), ("blend", mixed)):
            torch.testing.assert_close(result[f"{name}_logit"], logits[0].mean().detach())


def test_batch_statistics_never_mix_real_and_generated():
    """Else the critic could tell pictures apart by what shares their batch."""
    networks = networks_of(PAPER)
    critic = networks.discriminator
    assert critic.mixes_samples
    fakes = {"reconstruction": 0.1 * photos(5), "blend": photos(6) - 1, "alpha": torch.full((4,), 0.5)}
    result = OBJECTIVES["discriminate"](networks, batch_of(fakes=fakes), PAPER)
    torch.testing.assert_close(result["real_logit"], critic(photos()).mean().detach())
    torch.testing.assert_close(result["blend_logit"], critic(fakes["blend"]).mean().detach())


def test_mixing_needs_a_discriminator_that_estimates_it():
    for objective in ["blend", "discriminate"]:
        experiment = dataclasses.replace(PAPER, losses=dataclasses.replace(PAPER.losses, mixing=0.1))
        networks = networks_of(experiment)
        fakes = fakes_of(networks, PAPER)
        with pytest.raises(FeatureblendError, match="does not estimate the mixing: set it to 0"):
            OBJECTIVES[objective](networks, batch_of(fakes=fakes), experiment)


def test_bfloat16_comes_close_to_float32():
    networks = networks_of(EVERYTHING)
    exact = OBJECTIVES["joint"](networks, batch_of(), EVERYTHING)
    with torch.autocast("cpu", torch.bfloat16):
        rough = OBJECTIVES["joint"](networks, batch_of(), EVERYTHING)
        judged = OBJECTIVES["discriminate"](networks, batch_of(fakes=rough["outputs"], penalise=True), EVERYTHING)
    assert rough["loss"].dtype == judged["loss"].dtype == torch.float32
    torch.testing.assert_close(rough["loss"], exact["loss"], rtol=0.03, atol=0)
    judged["loss"].backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in networks.discriminator.parameters())
