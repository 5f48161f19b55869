"""Pictures in and out: the one place that decides value ranges and colour space.

At every public edge a picture is an ``(H, W, 3)`` uint8 array in sRGB. Inside the networks it is
``(3, H, W)`` float32 in [-1, 1]. `to_network` and `from_network` are the only ways between the two.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Union

import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from .errors import FeatureblendError
from .files import atomic_path, require_parent

__all__ = [
    "MAX_PIXELS",
    "PHOTO_SUFFIXES",
    "Photo",
    "check_image",
    "from_network",
    "grid",
    "labelled_row",
    "load_image",
    "photo_name",
    "save_image",
    "to_network",
]

Photo = Union[str, "os.PathLike[str]", Image.Image, np.ndarray]
"""What every public function takes as a photo: a path, a PIL image, or an (H, W, 3) uint8 sRGB array."""

MAX_PIXELS = 100_000_000
"""Pictures with more pixels than this are refused: decoding one would take gigabytes."""

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""File endings that are taken for photos when a folder is read."""

# Pillow warns, and then raises, by its own lower limit; ours is checked before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None


def photo_name(photo: Photo, position: int = 1) -> str:
    """Name a photo in a message: its path, or its place in the list where it has none.

    Examples
    --------
    >>> photo_name("ana.jpg")
    'ana.jpg'
    >>> photo_name(np.zeros((8, 8, 3), np.uint8), 2)
    'photo 2'
    """
    return os.fspath(photo) if isinstance(photo, (str, os.PathLike)) else f"photo {position}"


def load_image(photo: Photo, position: int = 1) -> np.ndarray:
    """Read a photo as it should be seen: turned upright, in sRGB, 8 bits, without alpha.

    EXIF orientation is applied; an embedded ICC profile is converted to sRGB; CMYK, grey, palette
    and 16-bit pictures become RGB; transparent areas are laid over white.

    Parameters
    ----------
    photo : path-like, PIL image or (H, W, 3) uint8 array
        Arrays are taken to be sRGB and are returned as they are.
    position : int
        The photo's place in the caller's list, from 1, used to name it in messages.

    Returns
    -------
    (H, W, 3) uint8 array, sRGB

    Raises
    ------
    FeatureblendError
        If the file is missing, a folder, not a picture, truncated, or over `MAX_PIXELS`.

    Examples
    --------
    >>> load_image(Image.new("L", (4, 2), 7)).shape
    (2, 4, 3)
    """
    name = photo_name(photo, position)
    if isinstance(photo, np.ndarray):
        return check_image(photo, name)
    try:
        if isinstance(photo, Image.Image):
            return _decode(photo, name)
        with Image.open(photo) as opened:
            return _decode(opened, name)
    except FileNotFoundError as error:
        raise FeatureblendError(f"no such file: {name}") from error
    except IsADirectoryError as error:
        raise FeatureblendError(f"{name} is a folder; a photo is due here") from error
    except UnidentifiedImageError as error:
        raise FeatureblendError(
            f"cannot read {name}: not a picture in a format known here (JPEG, PNG, WebP, ...)"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise FeatureblendError(f"cannot read {name}: the file is damaged or cut short ({error})") from error


def _decode(opened: Image.Image, name: str) -> np.ndarray:
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise FeatureblendError(
            f"{name} has {width * height / 1e6:.0f} megapixels; at most {MAX_PIXELS // 10**6} are read: make it smaller"
        )
    # Oriented before anything else: a converted copy loses its EXIF block.
    upright = ImageOps.exif_transpose(opened)
    return np.array(_to_srgb(upright))


def _to_srgb(picture: Image.Image) -> Image.Image:
    if picture.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F"):
        values = np.asarray(picture, dtype=np.float64)
        # 16-bit files use the whole range; Pillow's mode I may also hold 8-bit values.
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        picture = Image.fromarray(np.clip(values / top * 255 + 0.5, 0, 255).astype(np.uint8))
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            picture = converted if converted is not None else picture
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile: the plain conversion below is what every viewer falls back to
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        picture = Image.alpha_composite(white, layered)
    return picture.convert("RGB")


def check_image(image: np.ndarray, name: str = "the image") -> np.ndarray:
    """Return `image` if it is an (H, W, 3) uint8 array, and say what is wrong with it otherwise.

    Raises
    ------
    FeatureblendError
        If the shape or the type is another: value ranges are stated here, never guessed.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise FeatureblendError(f"{name}: an (H, W, 3) uint8 sRGB array is due, not {image.shape} {image.dtype}")
    return image


def save_image(path: str | os.PathLike[str], image: np.ndarray | Image.Image, **options: object) -> Path:
    """Write a picture whole or not at all; the suffix decides the format.

    Parameters
    ----------
    path : path-like
        Where to write, with a suffix that Pillow knows (.png, .jpg, .webp, ...).
    image : (H, W, 3) uint8 array or PIL image
    **options
        Handed to `PIL.Image.Image.save` (such as ``pnginfo``).

    Returns
    -------
    Path
        Where it was saved.

    Raises
    ------
    FeatureblendError
        If the folder is missing or the suffix names no picture format.
    """
    path = require_parent(path)
    picture = image if isinstance(image, Image.Image) else Image.fromarray(check_image(image))
    Image.init()
    if Image.EXTENSION.get(path.suffix.lower()) not in Image.SAVE:
        raise FeatureblendError(
            f"cannot write {path}: {path.suffix or 'no suffix'} is no picture format; use .png or .jpg"
        )
    quality: dict[str, object] = {"quality": 95} if path.suffix.lower() in (".jpg", ".jpeg", ".webp") else {}
    with atomic_path(path) as temporary:
        picture.save(temporary, **{**quality, **options})
    return path


def to_network(images: np.ndarray) -> np.ndarray:
    """Turn ``(..., H, W, 3)`` uint8 into ``(..., 3, H, W)`` float32 in [-1, 1].

    Examples
    --------
    >>> to_network(np.full((1, 1, 3), 255, np.uint8)).ravel().tolist()
    [1.0, 1.0, 1.0]
    """
    return np.moveaxis(images, -1, -3).astype(np.float32) / 127.5 - 1.0


def from_network(images: np.ndarray) -> np.ndarray:
    """Turn ``(..., 3, H, W)`` float in [-1, 1] into ``(..., H, W, 3)`` uint8, clipped and rounded.

    Examples
    --------
    >>> from_network(np.array([[[-1.0]], [[0.0]], [[3.0]]])).ravel().tolist()
    [0, 128, 255]
    """
    scaled = (np.moveaxis(np.asarray(images, dtype=np.float32), -3, -1) + 1.0) * 127.5
    return np.clip(np.floor(scaled + 0.5), 0, 255).astype(np.uint8)


def grid(images: Sequence[np.ndarray], columns: int, gap: int = 2, background: int = 255) -> np.ndarray:
    """Lay equally sized pictures out in rows.

    Parameters
    ----------
    images : sequence of (H, W, 3) uint8 arrays
        In reading order.
    columns : int
        Pictures a row.
    gap : int
        Pixels between pictures.
    background : int
        Grey value of the gaps and of empty places, 0 to 255.

    Returns
    -------
    (rows * H + gaps, columns * W + gaps, 3) uint8 array

    Examples
    --------
    >>> grid([np.zeros((4, 4, 3), np.uint8)] * 3, columns=2, gap=1).shape
    (9, 9, 3)
    """
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), background, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def labelled_row(images: Sequence[np.ndarray], labels: Sequence[str], scale: int = 1, gap: int = 8) -> Image.Image:
    """Lay pictures of one size side by side with a caption under each.

    Parameters
    ----------
    images : sequence of (H, W, 3) uint8 arrays
    labels : sequence of str
        One a picture; may hold line breaks.
    scale : int
        Whole factor by which each picture is enlarged (bicubic).
    gap : int
        Pixels around and between pictures.

    Returns
    -------
    PIL image
    """
    height, width = (side * scale for side in images[0].shape[:2])
    size = max(12, width // 14)
    font = ImageFont.load_default(size)
    lines = max(label.count("\n") + 1 for label in labels)
    caption = int(lines * size * 1.35) + gap
    sheet = Image.new("RGB", (len(images) * (width + gap) + gap, height + caption + 2 * gap), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        left = gap + index * (width + gap)
        picture = Image.fromarray(image)
        if scale != 1:
            picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        sheet.paste(picture, (left, gap))
        draw.multiline_text((left + width / 2, gap + height + gap), label, "black", font, anchor="ma", align="center")
    return sheet
