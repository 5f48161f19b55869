"""Networks built to be counted, and to be run."""

import torch

from featureblend.training.networks.paper import PaperAutoencoder


def build(config, network=PaperAutoencoder):
    torch.manual_seed(0)
    return network(config)


def on_paper(config, network=PaperAutoencoder):
    """Build without memory or arithmetic: shapes and counts only."""
    with torch.device("meta"):
        return network(config)


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())
