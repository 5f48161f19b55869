"""The paper's convolutions, row for row: what encoder and discriminator share, and the decoder, its mirror image.

See `featureblend.training.networks.paper` for where each number comes from. Three changes of the tables can be asked
for: more or fewer channels, further 3 x 3 convolutions in each chunk (section 2.2's "mirror VGG"), and multi-scale
convolution (section 4).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ...errors import FeatureblendError
from ...io.tables import check_choice
from .blocks import MultiScale


def paper_sizes(image_size: int, padding: str = "paper") -> tuple[int, ...]:
    """Sides of the encoder's maps: of the image, then after each convolution and pooling.

    Raises
    ------
    FeatureblendError
        If nothing would be left of the image, or `padding` is unknown.

    Examples
    --------
    >>> paper_sizes(250)
    (250, 246, 240, 120, 112, 104, 52, 44, 36, 18)
    >>> paper_sizes(64, "same")
    (64, 64, 64, 32, 32, 32, 16, 16, 16, 8)
    """
    check_choice(padding, "padding", ("paper", "same"))
    sizes = [image_size]
    for first, second in ((4, 6), (8, 8), (8, 8)):
        for loss in (first, second) if padding == "paper" else (0, 0):
            sizes.append(sizes[-1] - loss)
        sizes.append(sizes[-1] // 2)
    if sizes[-1] < 1:
        advice = "114 or more, or padding='same'" if padding == "paper" else "8 or more"
        raise FeatureblendError(f"image_size {image_size} is too small for the paper's convolutions: use {advice}")
    return tuple(sizes)


def paper_widths(width: float = 1.0) -> tuple[int, int, int]:
    """The channels of the three chunks: the paper's 8, 16 and 32 times `width`.

    Examples
    --------
    >>> paper_widths(), paper_widths(0.5)
    ((8, 16, 32), (4, 8, 16))
    """
    one, two, three = (max(1, round(channels * width)) for channels in (8, 16, 32))
    return one, two, three


class PaperTrunk(nn.Module):
    """Convolutions of encoder and discriminator (section 2.2, the table without its last row): 160,056 parameters.

    Two convolutions follow each other without a non-linearity: read as the table has it, and as the code does.

    Parameters
    ----------
    config : PaperConfig or PaperDiscriminatorConfig
    batch_norm : bool
        Normalise over the batch in each chunk.
    """

    def __init__(self, config: Any, batch_norm: bool = True) -> None:
        super().__init__()
        norm = nn.BatchNorm2d if batch_norm else nn.Identity
        first, p7, p9 = (1, 0, 0) if config.padding == "paper" else (3, 3, 4)
        one, two, three = paper_widths(config.width)
        pair = _Pairs(nn.Conv2d, config.extra, config.multi_scale)
        self.layers = nn.Sequential(
            *pair(3, one, one, 7, first, p7),  # 250 -> 246 -> 240
            norm(pair.channels),
            nn.ReLU(),
            nn.MaxPool2d(2),  # -> 120
            *pair(pair.channels, two, two, 9, p9, p9),  # -> 112 -> 104
            norm(pair.channels),
            nn.ReLU(),
            nn.MaxPool2d(2),  # -> 52
            *pair(pair.channels, three, three, 9, p9, p9),  # -> 44 -> 36
            norm(pair.channels),
            nn.ReLU(),
            nn.MaxPool2d(2),  # -> 18
        )
        self.channels = pair.channels

    def maps(self, images: Tensor) -> list[Tensor]:
        """Turn (B, 3, S, S) in [0, 1] into the three pooled maps, of 8, 16 and 32 channels."""
        pooled = []
        for layer in self.layers:
            images = layer(images)
            if isinstance(layer, nn.MaxPool2d):
                pooled.append(images)
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Turn (B, 3, S, S) in [0, 1] into the last pooled map, (B, 32, s, s), at least 0."""
        return self.layers(images)


class PaperDecoder(nn.Module):
    """Mirror image of the encoder (section 2.2), up to the sigmoid: 159,969 parameters after the first layer.

    "Pooling" is upsampling to what that pooling took in, by the nearest neighbour: twice the size at 250 px, and
    one row more where the pooling dropped one, so that the output has the image's size whatever that is.

    Parameters
    ----------
    config : PaperConfig
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        sizes = paper_sizes(config.image_size, config.padding)
        p9, p7, last = (0, 0, 1) if config.padding == "paper" else (4, 3, 3)
        one, two, three = paper_widths(config.width)
        pair = _Pairs(nn.ConvTranspose2d, config.extra, config.multi_scale)
        self.expand = nn.Linear(config.latent_dim, three * sizes[9] ** 2)
        self.shape = (three, sizes[9], sizes[9])
        self.layers = nn.Sequential(
            nn.Upsample(size=sizes[8]),  # 18 -> 36
            *pair(three, three, two, 9, p9, p9),  # -> 44 -> 52
            nn.BatchNorm2d(pair.channels),
            nn.ReLU(),
            nn.Upsample(size=sizes[5]),  # -> 104
            *pair(pair.channels, two, one, 9, p9, p9),  # -> 112 -> 120
            nn.BatchNorm2d(pair.channels),
            nn.ReLU(),
            nn.Upsample(size=sizes[2]),  # -> 240
            *pair(pair.channels, one, 3, 7, p7, last, image=True),  # -> 246 -> 250
            nn.BatchNorm2d(3) if config.final_batch_norm else nn.Identity(),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Turn (B, latent_dim) into logits of pixels, (B, 3, image_size, image_size)."""
        return self.layers(self.expand(latent).unflatten(1, self.shape))


class _Pairs:
    """Makes the two convolutions of each chunk, and what the options add to them."""

    def __init__(self, kind: type[nn.Conv2d] | type[nn.ConvTranspose2d], extra: int, multi_scale: bool) -> None:
        self.kind, self.extra, self.multi_scale = kind, extra, multi_scale
        self.channels = 3
        """Output channels of the last pair."""

    def __call__(
        self, inputs: int, middle: int, outputs: int, kernel: int, first: int, second: int, image: bool = False
    ) -> list[nn.Module]:
        """The layers of a chunk; `first` and `second` are paddings, `image` says that pixels come out."""
        both: list[nn.Module] = [
            self.kind(inputs, middle, kernel, padding=first),
            self.kind(middle + inputs * self.multi_scale, outputs, kernel, padding=second),
        ]
        self.channels = outputs + middle * (self.multi_scale and not image)
        if self.multi_scale:
            both = [MultiScale(both, join_last=not image)]
        for _ in range(self.extra):
            if image:  # the last row of the table stays the one that gives the pixels
                both = [nn.Conv2d(inputs, inputs, 3, padding=1), nn.ReLU(), *both]
            else:
                both += [nn.ReLU(), nn.Conv2d(self.channels, self.channels, 3, padding=1)]
        return both
