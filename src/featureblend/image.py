"""Pictures in and out: the one place that decides value ranges and colour space.

At every public edge a picture is an ``(H, W, 3)`` uint8 array in sRGB. Inside the networks it is
``(3, H, W)`` float32 in [-1, 1]. `to_network` and `from_network` are the only ways between the two.
"""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Union

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from .errors import FeatureblendError
from .files import atomic_path, read_error, readable_name, require_parent
from .sheets import grid, labelled_row

__all__ = [
    "MAX_PIXELS",
    "PHOTO_SUFFIXES",
    "Photo",
    "check_image",
    "decode_image",
    "from_network",
    "grid",
    "labelled_row",
    "load_image",
    "photo_name",
    "picture_path",
    "save_image",
    "to_network",
]

Photo = Union[str, "os.PathLike[str]", Image.Image, np.ndarray]
"""What every public function takes as a photo: a path, a PIL image, or an (H, W, 3) uint8 sRGB array."""

MAX_PIXELS = 100_000_000
"""Pictures with more pixels than this are refused: decoding one would take gigabytes."""

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""File endings that are taken for photos when a folder is read."""

TRANSPARENT = (".png", ".apng", ".webp", ".tif", ".tiff")
"""File endings of pictures that can have places to see through."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, for each EXIF orientation but 1."""


def photo_name(photo: Photo, position: int = 1) -> str:
    """Name a photo in a message: its path, or its place in the list where it has none.

    Examples
    --------
    >>> photo_name("ana.jpg")
    'ana.jpg'
    >>> photo_name(np.zeros((8, 8, 3), np.uint8), 2)
    'photo 2'
    """
    return readable_name(os.fspath(photo)) if isinstance(photo, (str, os.PathLike)) else f"photo {position}"


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
    if isinstance(photo, Image.Image):
        return _decode(photo, name)
    if not isinstance(photo, (str, os.PathLike)):
        raise FeatureblendError(
            f"{name}: a path, a PIL image or an (H, W, 3) uint8 array is due, not {type(photo).__name__}"
        )
    try:
        with open(photo, "rb") as stream:
            return _read(stream, name)
    except (OSError, ValueError) as error:
        raise read_error(name, error, "a photo") from error


def decode_image(content: bytes, name: str) -> np.ndarray:
    """Read a photo from the bytes of its file, as `load_image` does.

    Parameters
    ----------
    content : bytes
        A whole file: JPEG, PNG, WebP, ...
    name : str
        What to call it in messages.

    Returns
    -------
    (H, W, 3) uint8 array, sRGB

    Raises
    ------
    FeatureblendError
        As `load_image`.

    Examples
    --------
    >>> decode_image(b"<html>", "a.jpg")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: cannot read a.jpg: not a picture in a known format (JPEG, PNG, WebP)
    """
    return _read(io.BytesIO(content), name)


def _read(stream: BinaryIO, name: str) -> np.ndarray:
    with warnings.catch_warnings():
        # Pillow warns of broken EXIF blocks, and of sizes by a limit of its own; ours is checked in _decode.
        warnings.simplefilter("ignore")
        try:
            opened = Image.open(stream)
        except UnidentifiedImageError as error:
            raise FeatureblendError(f"cannot read {name}: not a picture in a known format (JPEG, PNG, WebP)") from error
        except Image.DecompressionBombError as error:
            raise _too_large(name, "far too many") from error
        except Exception as error:  # as in _decode
            raise _damaged(name, error) from error
        with opened:
            return _decode(opened, name)


def _decode(opened: Image.Image, name: str) -> np.ndarray:
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width * height / 1e6:.0f}")
    try:
        opened.load()
    except Exception as error:  # damage makes Pillow's decoders raise errors of any kind
        raise _damaged(name, error) from error
    upright = _upright(opened)
    try:
        return np.array(_to_srgb(upright))
    except ValueError as error:
        raise FeatureblendError(f"cannot read {name}: {error}") from error


def _damaged(name: str, error: Exception) -> FeatureblendError:
    return FeatureblendError(f"cannot read {name}: the file is damaged or cut short ({error or type(error).__name__})")


def _too_large(name: str, megapixels: str) -> FeatureblendError:
    return FeatureblendError(
        f"{name} has {megapixels} megapixels; at most {MAX_PIXELS // 10**6} are read: make it smaller"
    )


def _upright(picture: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a broken EXIF block says nothing; the picture itself may be whole
        return picture
    return picture if turn is None else picture.transpose(turn)


def _to_srgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "F":
        raise ValueError("its pixels are floating-point numbers, whose range no file states; save it with 8 or 16 bits")
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        values = np.asarray(picture).astype(np.int32)
        # 16-bit files use the whole range; Pillow's mode I may also hold 8-bit values.
        top = 255 if picture.mode == "I" and values.max(initial=0) <= 255 else 65535
        picture = Image.fromarray(((np.clip(values, 0, top) * 255 + top // 2) // top).astype(np.uint8))
    elif picture.has_transparency_data:
        picture = picture.convert("RGBA")
    elif picture.mode not in ("RGB", "L", "CMYK"):
        picture = picture.convert("RGB")
    picture = _without_profile(picture)
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _without_profile(picture: Image.Image) -> Image.Image:
    """Convert a picture from its embedded ICC profile, where it has one, to sRGB."""
    content = picture.info.get("icc_profile")
    if not content:
        return picture
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        if ImageCms.getProfileDescription(profile).startswith("sRGB"):
            return picture  # converting 12 megapixels would take 0.2 s and change nothing
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture  # a broken profile: what every viewer falls back to
    return picture if converted is None else converted


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


def picture_path(path: str | os.PathLike[str], transparent: bool = False) -> Path:
    """Return `path` as a `Path`, having checked that a picture can be written there: before any work is done.

    Raises
    ------
    FeatureblendError
        If the folder is missing, or the suffix names no picture format, or none that can be `transparent`.

    Examples
    --------
    >>> picture_path("blend.doc")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: cannot write blend.doc: .doc is no picture format; use .png or .jpg
    """
    path = require_parent(path)
    Image.init()
    if Image.EXTENSION.get(path.suffix.lower()) not in Image.SAVE:
        raise FeatureblendError(
            f"cannot write {path}: {path.suffix or 'no suffix'} is no picture format; use .png or .jpg"
        )
    if transparent and path.suffix.lower() not in TRANSPARENT:
        raise FeatureblendError(f"cannot write {path}: {path.suffix} has no transparency; use .png or .webp")
    return path


def save_image(path: str | os.PathLike[str], image: np.ndarray | Image.Image, **options: Any) -> Path:
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
        If the folder is missing, the suffix names no picture format, or the disk is full.
    """
    path = picture_path(path)
    picture = image if isinstance(image, Image.Image) else Image.fromarray(check_image(image))
    if path.suffix.lower() in (".jpg", ".jpeg", ".webp"):
        options = {"quality": 95, **options}
    if path.suffix.lower() in (".jpg", ".jpeg") and picture.mode not in ("RGB", "L"):
        picture = _to_srgb(picture)  # JPEG has no alpha
    with atomic_path(path) as temporary:
        try:
            picture.save(temporary, **options)
        except OSError as error:
            raise FeatureblendError(f"cannot write {path}: {error.strerror or error}") from error
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
