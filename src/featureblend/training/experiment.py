"""Settings of a training run: what it trains, on which losses, in which phases; frozen dataclasses, no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import FeatureblendError
from ..io.settings import from_dict


@dataclass(frozen=True)
class LossWeights:
    """Weight of each term of the generator's loss; 0 leaves the term out and costs no time."""

    l1: float = 0.0
    """Mean absolute difference between output and input."""
    mse: float = 0.0
    """Mean squared difference (the paper's reconstruction loss, section 2.4)."""
    ssim: float = 0.0
    """1 - SSIM (Wang et al. 2004), averaged over two scales."""
    laplacian: float = 0.0
    """L1 between Laplacian pyramids (Ling & Okada 2006; Bojanowski et al. 2018)."""
    kl: float = 0.0
    """Kullback-Leibler divergence of the posterior from N(0, I), divided by the number of values of an image."""
    adversarial_reconstruction: float = 0.0
    """Adversarial loss on reconstructions (paper, section 2.4: 'a proportionally small amount')."""
    adversarial_blend: float = 0.0
    """Adversarial loss on decoded means of latents (paper, section 2: '100% adversarial loss')."""
    mixing: float = 0.0
    """Loss of the critic's estimate of the mixing weight on blends (ACAI, Berthelot et al. 2018)."""
    feature_matching: float = 0.0
    """L1 between the discriminator's features of input and reconstruction (Larsen et al. 2016)."""
    perceptual: float = 0.0
    """Squared distance between a VGG's features of input and reconstruction (Johnson et al. 2016)."""
    lpips: float = 0.0
    """LPIPS (Zhang et al. 2018) of a random square of each output and of its target; see `Experiment.lpips_weights`."""
    prior: float = 0.0
    """Adversarial loss that makes codes look like draws from N(0, I) (Makhzani et al. 2016); phase `match_prior`."""
    damage: float = 0.0
    """Cross-entropy of what the cleaner says is damaged (`featureblend.training.networks.cleaning`); phase `clean`."""
    texture: float = 0.0
    """L1 between the logarithms of local band energies: of a reconstruction and its input, and of a blend and the
    weighted mean of its parents' energies, so that a mean of two faces is as detailed as they are."""
    cycle: float = 0.0
    """Mean squared distance between a blended latent and the code of its decoded picture."""
    anchor: float = 0.0
    """L1 between the 8 x 8 times reduced blend and the weighted mean of the reduced inputs."""


@dataclass(frozen=True)
class Phase:
    """One kind of update: which objective, which network learns from it, how often."""

    objective: str
    """Name of a function in `featureblend.training.objective`."""
    learner: str
    """Whose optimiser steps afterwards: 'autoencoder', 'discriminator' or 'latent_discriminator'."""
    times: int = 1
    """Updates a step, for a discriminator: each further one sees other photos, and what is made of them."""
    first_times: int = 0
    """Updates at each of the run's first `first_steps` steps; 0 for as many as later."""
    first_steps: int = 0
    """How many steps those are."""


@dataclass(frozen=True)
class Experiment:
    """All that decides how a model is trained; saved with each run, checkpoint and exported model."""

    name: str
    """Name of the preset it came from."""
    description: str
    """One line for `featureblend train --list`."""
    model: str
    """Name of the autoencoder in `featureblend.training.networks.autoencoder`."""
    model_options: dict[str, Any] = field(default_factory=dict)
    """Fields of that autoencoder's configuration that differ from its defaults."""
    discriminator: str = ""
    """Name of the discriminator; empty where no phase needs one."""
    discriminator_options: dict[str, Any] = field(default_factory=dict)
    """Fields of the discriminator's configuration that differ from its defaults."""
    latent_discriminator_options: dict[str, Any] = field(default_factory=dict)
    """Fields of the discriminator of codes that differ from its defaults; it is there where a phase teaches it."""
    phases: tuple[Phase, ...] = (Phase("reconstruct", "autoencoder"),)
    """What a step does, in order."""
    losses: LossWeights = field(default_factory=lambda: LossWeights(l1=1.0))
    """Weights of the generator's terms."""
    adversarial: str = "bce"
    """Form of the adversarial loss: 'bce', 'hinge', 'relativistic', 'wgan', or 'bce_sigmoid' as the paper had it."""
    label_smoothing: float = 0.0
    """Real pictures count as real by 1 less this, for 'bce' and 'bce_sigmoid' (Salimans et al. 2016)."""
    detach_adversary: bool = False
    """Cut the adversary's gradient to the autoencoder, as the published Wasserstein runs: its loss is only logged."""
    critic_clip: tuple[float, float] | None = None
    """Bounds that the discriminator's weights are clipped to after each of its steps (Arjovsky et al. 2017)."""
    perceptual_options: dict[str, Any] = field(default_factory=dict)
    """Of the VGG behind `losses.perceptual`: `name` ('vgg16'; 'vgg11', ...) and `width`, its channels over VGG's."""
    vgg_weights: str = ""
    """File of torchvision's weights: the first weights of a VGG encoder, and the features of `losses.perceptual`."""
    vgg_sha256: str = "torchvision"
    """What that file's SHA-256 begins with; 'torchvision' for the hash in the name of torchvision's own file."""
    lpips_weights: tuple[str, ...] = ()
    """Files of LPIPS's weights for `losses.lpips`, as `featureblend.metrics.lpips.find_lpips` takes them."""
    lpips_side: int = 48
    """Side in pixels of the square that `losses.lpips` looks at, at a place drawn for each step; 48 takes a fifth of
    the time of a whole picture of 128."""
    from_scratch: bool = False
    """Do without such files: a VGG encoder starts from random weights, perceptual features stay random, and
    `losses.lpips` is left out."""
    gradient_penalty: float = 0.0
    """Weight of R1 (and of R2, where the loss is relativistic; Roth et al. 2017, Huang et al. 2024); 0 is off."""
    gradient_penalty_form: str = "r1"
    """'r1': slope 0 at real pictures; 'wgan-gp': slope 1 between real and generated ones (Gulrajani et al. 2017)."""
    gradient_penalty_every: int = 16
    """Steps between gradient penalties; the weight is multiplied by it (lazy regularisation, Karras et al. 2020)."""
    adversarial_start: int = 0
    """Images seen before the adversarial terms act on the generator; the discriminator learns from the first step."""
    adversarial_ramp: int = 0
    """Images over which those terms then grow to their full weight."""
    even_blends: float = 0.5
    """Share of training blends at exactly 1/2 (the paper's mean of two latents); the others' weights are uniform."""
    batch_size: int = 32
    """Images a step, over all processes."""
    images: int = 1_000_000
    """Images after which training is complete."""
    learning_rate: float = 2e-4
    """Adam's step size for the autoencoder at the start; it falls by half a cosine to `final_learning_rate`."""
    final_learning_rate: float | None = 5e-5
    """Adam's step size at the end, for all networks; none: the step sizes stay."""
    discriminator_learning_rate: float = 2e-4
    """Adam's step size for the discriminator at the start."""
    betas: tuple[float, float] = (0.5, 0.99)
    """Adam's betas for the autoencoder."""
    discriminator_betas: tuple[float, float] = (0.0, 0.99)
    """Adam's betas for the discriminator."""
    warmup: int = 2_000
    """Images over which the learning rates grow from 0."""
    gradient_clip: float = 0.0
    """Largest norm of the autoencoder's gradient; 0 is off."""
    ema_half_life: int = 10_000
    """Images after which an old weight counts half in the averaged weights that are used and exported; 0 is off."""
    precision: str = "fp32"
    """'fp32', or 'bf16' for autocast where the machine has instructions for it (else 'fp32' all the same)."""
    compile: str = "never"
    """Compile networks with `torch.compile`: 'never', 'cuda' (on a GPU of that kind alone) or 'always'."""
    mirror: bool = True
    """Show each face mirrored half of the time."""
    shift: int = 4
    """Largest random shift of the crop in pixels, as far as the prepared margin allows."""
    match_turn: bool = False
    """Order each batch by how far heads are turned, so that `joint` blends faces that look the same way."""
    surroundings: str = "mean"
    """Whose hair and background `joint` blends have: 'mean' (everyone's by weight, the paper's mean at every place) or
    'auto' (one parent's; see `featureblend.model.mixing`). Needs a spatial latent."""
    parents: int = 2
    """Faces in a `joint` blend: 2, or up to so many (in a quarter of the steps; weights then Dirichlet)."""
    warp: float = 0.0
    """Share of the groups of faces that are warped to their mean shape before `joint` encodes them, as blends are made
    at use time."""
    triplet_share: float = 0.75
    """Share of the pictures of a step of `teach` that belong to triplets (two parents and what lies between them); the
    others are photos, which are reconstructed."""
    degrade: float = 0.0
    """Share of inputs (never targets) that are blurred, noisy, badly lit or strongly compressed."""
    seed: int = 0
    """Fixes the first weights, the order of the data and every random draw."""


DROPPED: dict[str, tuple[Any, ...]] = {"frozen": ([], ()), "every": (1,), "diff_augment": ("",)}
"""Former settings of an experiment and of its phases, with the values at which they did nothing."""


def read_experiment(values: Any, where: str) -> Experiment:
    """An experiment from its JSON form, as `featureblend.io.settings.to_dict` gives it in this version or an older one.

    Parameters
    ----------
    values : dict
    where : str
        The file it came from, named in messages.

    Raises
    ------
    FeatureblendError
        If a setting is unknown or of another type, or it is one that this version dropped and it was in use.

    Examples
    --------
    >>> least = {"name": "mine", "description": "", "model": "modern"}
    >>> read_experiment({**least, "frozen": []}, "experiment.json").name
    'mine'
    >>> read_experiment({**least, "frozen": ["encoder"]}, "experiment.json")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: experiment.json: 'frozen' (['encoder']) was dropped: use an older version
    """
    if isinstance(values, dict):
        values = _without_dropped(values, where)
        phases = values.get("phases")
        if isinstance(phases, (list, tuple)):
            phases = [_without_dropped(phase, where) if isinstance(phase, dict) else phase for phase in phases]
            values["phases"] = phases
    return from_dict(Experiment, values, where)


def _without_dropped(values: dict[str, Any], where: str) -> dict[str, Any]:
    for name, unused in DROPPED.items():
        if name in values and values[name] not in unused:
            raise FeatureblendError(f"{where}: {name!r} ({values[name]!r}) was dropped: use an older version")
    return {name: value for name, value in values.items() if name not in DROPPED}
