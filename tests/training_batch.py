"""Small networks and batches for tests of the objectives."""

import dataclasses

import torch
from training_faces import TOY

from featureblend.training.experiment import LossWeights
from featureblend.training.networks import AUTOENCODERS, DISCRIMINATORS, LATENT_DISCRIMINATORS, build
from featureblend.training.objective import OBJECTIVES, Batch, TrainingNetworks
from featureblend.training.presets import preset

EVERYTHING = dataclasses.replace(
    TOY,
    adversarial="relativistic",
    losses=dataclasses.replace(preset("modern").losses, mse=0.1, texture=0.1, adversarial_reconstruction=0.03),
)
"""Every term that there is, at 32 px."""
PRIOR = dataclasses.replace(TOY, adversarial="bce", losses=LossWeights(prior=0.5))
"""The adversary on codes."""
PICTURES = ("reconstruct", "blend", "joint", "discriminate")


def networks_of(experiment):
    """Networks that have left the zeros they start from, in which much has no gradient."""
    torch.manual_seed(0)
    networks = TrainingNetworks(
        build(AUTOENCODERS, experiment.model, experiment.model_options),
        build(DISCRIMINATORS, experiment.discriminator, experiment.discriminator_options),
    )
    if experiment.losses.prior:
        options = {"latent_dim": networks.autoencoder.config.latent_dim, "widths": (20, 10)}
        networks = dataclasses.replace(networks, latent_discriminator=build(LATENT_DISCRIMINATORS, "mlp", options))
    with torch.no_grad():
        for network in networks.named().values():
            for parameter in network.parameters():
                parameter += 0.03 * torch.randn_like(parameter)
    return networks


def photos(seed=0, count=4):
    """Smooth random pictures."""
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size=32, mode="bilinear")


def batch_of(images=None, others=None, **settings):
    images = photos() if images is None else images
    return Batch(images, lambda: photos(1) if others is None else others, seed=(0, 3), **settings)


def learn(networks, objective, experiment, batch, learner):
    for name, network in networks.named().items():
        network.requires_grad_(name == learner)
        network.zero_grad(set_to_none=True)
    result = OBJECTIVES[objective](networks, batch, experiment)
    result["loss"].backward()
    return result


def fakes_of(networks, experiment):
    made = {}
    for objective in ("reconstruct", "blend"):
        made |= OBJECTIVES[objective](networks, batch_of(), experiment)["outputs"]
    return made
