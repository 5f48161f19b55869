"""Pictures in and out: the one place that decides value ranges and colour space.

At every public edge a picture is an ``(H, W, 3)`` uint8 array in sRGB. Inside the networks it is
``(3, H, W)`` float32 in [-1, 1]. `to_network` and `from_network` are the only ways between the two.
"""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Union

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from ..errors import FeatureblendError
from .files import atomic_path, read_error, readable_name, require_parent, writing
from .photo_warnings import FIRST_OF_SEVERAL, PhotoWarning, cut_short


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Round to the nearest whole grey level (halves up) and clip to 0 to 255.

    Examples
    --------
    >>> to_uint8(np.array([-3.0, 0.5, 99.4, 300.0])).tolist()
    [0, 1, 99, 255]
    """
    shifted = np.asarray(image + 0.5)
    return np.clip(shifted, 0, 255, out=shifted).astype(np.uint8)


Photo = Union[str, "os.PathLike[str]", Image.Image, np.ndarray]
"""What every public function takes as a photo: a path, a PIL image, or an (H, W, 3) uint8 sRGB array."""

MAX_PIXELS = 100_000_000
"""Pictures with more pixels than this are refused: decoding one would take gigabytes."""

PHOTO_FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "TIFF", "BMP", "JPEG2000", "PPM", "PSD",
)  # fmt: skip
"""Formats that are read, by Pillow's names for them. A file's content says which it has; its name says nothing.

Pillow knows others that no camera writes. Some have no signature, so that any bytes may pass for them (TGA, PCX), and
some run other programs (EPS).
"""

QUICK = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
"""How files of the most common formats begin: they are read without the readers of all others, which take a while to
import."""

LEAST_READ = 0.25
"""A file that was cut short is refused if less than this share of the picture's rows is left."""

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


@dataclass(frozen=True)
class LoadedPhoto:
    """A photo's pixels, and what the file gave away while it was read."""

    pixels: np.ndarray = field(repr=False)
    """(H, W, 3) uint8 sRGB."""
    warnings: tuple[PhotoWarning, ...] = ()
    """What was found out about the file."""


def load_image(photo: Photo, position: int = 1) -> np.ndarray:
    """Read a photo's pixels as they should be seen: `load_photo` without its warnings.

    Parameters
    ----------
    photo, position
        As `load_photo`.

    Returns
    -------
    (H, W, 3) uint8 array, sRGB

    Raises
    ------
    FeatureblendError
        As `load_photo`.

    Examples
    --------
    >>> load_image(Image.new("L", (4, 2), 7)).shape
    (2, 4, 3)
    """
    return load_photo(photo, position).pixels


def load_photo(photo: Photo, position: int = 1) -> LoadedPhoto:
    """Read a photo as it should be seen: upright by its EXIF tag, in sRGB, 8 bits, without alpha.

    An embedded ICC profile is converted to sRGB; CMYK, grey, palette and deeper pictures become 8-bit RGB; transparent
    areas are laid over white. Of several pictures in a file, the first is read. Of a JPEG, PNG, GIF, BMP or TIFF file
    that was cut short, what is left is read, if that is `LEAST_READ` of the picture.

    Parameters
    ----------
    photo : path-like, PIL image or (H, W, 3) uint8 array
        A file of one of `PHOTO_FORMATS`. Arrays are taken to be sRGB and are returned as they are.
    position : int
        The photo's place in the caller's list, from 1, used to name it in messages.

    Returns
    -------
    LoadedPhoto

    Raises
    ------
    FeatureblendError
        If the file is missing, a folder, not a photo, damaged, or over `MAX_PIXELS`.

    Examples
    --------
    >>> frames = [Image.new("L", (4, 2), grey) for grey in (7, 9)]
    >>> stream = io.BytesIO()
    >>> frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    >>> [warning.one for warning in load_photo(Image.open(stream)).warnings]
    ['the file holds several pictures; the first is used']
    """
    name = photo_name(photo, position)
    if isinstance(photo, np.ndarray):
        return LoadedPhoto(check_image(photo, name))
    if isinstance(photo, Image.Image):
        return _decode(photo, name)
    if not isinstance(photo, (str, os.PathLike)):
        raise FeatureblendError(
            f"{name}: expected a path, a PIL image or an (H, W, 3) uint8 array, not {type(photo).__name__}"
        )
    if os.path.exists(photo) and not os.path.isfile(photo) and not os.path.isdir(photo):
        # A photo is read more than once, such as for its hash, and a pipe nobody writes to is waited for without end.
        raise FeatureblendError(f"cannot read {name}: a pipe or device; save the photo to a file first")
    try:
        with open(photo, "rb") as stream:
            return _read(stream, name)
    except (OSError, ValueError) as error:
        raise read_error(name, error, "a photo") from error


def decode_photo(content: bytes, name: str) -> LoadedPhoto:
    """Read a photo from the bytes of its file, as `load_photo` does.

    Parameters
    ----------
    content : bytes
        A whole file of one of `PHOTO_FORMATS`.
    name : str
        What to call it in messages.

    Returns
    -------
    LoadedPhoto

    Raises
    ------
    FeatureblendError
        As `load_photo`.

    Examples
    --------
    >>> decode_photo(b"<html>", "a.jpg")
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: cannot read a.jpg: not a picture in a known format (JPEG, HEIC, PNG, ...)
    """
    return _read(io.BytesIO(content), name)


def not_a_photo(file: str | os.PathLike[str] | BinaryIO) -> str | None:
    """Why a file is not a photo, from its first bytes alone. Whether all of it can be decoded, only decoding shows.

    Parameters
    ----------
    file : path-like or binary stream
        A stream is read from where it stands.

    Returns
    -------
    str or None
        The reason in a few words; None for a picture of one of `PHOTO_FORMATS`.

    Examples
    --------
    >>> not_a_photo(io.BytesIO(b"buy milk"))
    'not a picture in a known format'
    >>> from featureblend.faces import EXAMPLES
    >>> not_a_photo(EXAMPLES / "first.jpg") is None
    True
    """
    if isinstance(file, (str, os.PathLike)):
        if not os.path.isfile(file):  # to open a pipe would wait for its other end
            return "a link to nowhere" if os.path.islink(file) else "not a file"
        try:
            with open(file, "rb") as stream:
                return not_a_photo(stream)
        except OSError as error:
            return f"cannot read the file: {error.strerror or error}"
    try:
        _open(file, "")
    except FeatureblendError as error:
        return str(error).removeprefix("cannot read : ").partition(" (")[0]
    return None


@cache
def _formats() -> tuple[str, ...]:
    try:
        import pi_heif  # here, since it loads a library of several megabytes
    except ImportError:  # said where a file needs it
        pass
    else:
        pi_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in PHOTO_FORMATS if name in Image.OPEN)


class _Unheard:
    """Ignore warnings, in several threads at once: the last one to leave brings the filters back.

    Pillow warns of broken EXIF blocks, and of sizes by a limit of its own; ours is checked in `_decode`.
    """

    def __init__(self) -> None:
        self._turn, self._inside, self._filters = threading.Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._turn:
            if not self._inside:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *raised: object) -> None:
        with self._turn:
            self._inside -= 1
            if not self._inside:
                self._filters.__exit__(None, None, None)


_UNHEARD = _Unheard()


def _open(stream: BinaryIO, name: str) -> Image.Image:
    with _UNHEARD:
        start = stream.read(12)
        stream.seek(-len(start), os.SEEK_CUR)
        if not start:
            raise FeatureblendError(f"cannot read {name}: the file is empty")
        try:
            quick = [name for signature, name in QUICK.items() if start.startswith(signature)]
            opened = Image.open(stream, formats=quick or _formats())
        except UnidentifiedImageError as error:
            if start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS:
                if "HEIF" not in _formats():
                    raise FeatureblendError(
                        f"cannot read {name}: HEIC needs the package pi-heif: pip install pi-heif"
                    ) from error
                raise _damaged(name, "it is a HEIC or AVIF file") from error
            raise FeatureblendError(
                f"cannot read {name}: not a picture in a known format (JPEG, HEIC, PNG, ...)"
            ) from error
        except Image.DecompressionBombError as error:
            raise _too_large(name, "far too many") from error
        except Exception as error:  # as in _decode
            raise _damaged(name, error) from error
    # The first picture in a camera's raw file is a thumbnail, and a reader of TIFF sees no other.
    if opened.format == "TIFF" and opened.tag_v2.get(_SUBFILE_TYPE, 0) == 1:  # type: ignore[attr-defined]
        raise FeatureblendError(f"cannot read {name}: a camera's raw file, or a thumbnail; export it as JPEG or HEIC")
    return opened


_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")

_SUBFILE_TYPE = 254
"""TIFF's tag that says of a picture whether it is a smaller copy (1) of another one in the file."""


def _read(stream: BinaryIO, name: str) -> LoadedPhoto:
    def with_end() -> Image.Image:
        stream.seek(0)
        # libjpeg draws what it has when it meets the marker of the end; without it, it waits for more.
        return _open(io.BytesIO(stream.read() + b"\xff\xd9"), name)

    with _open(stream, name) as opened:
        return _decode(opened, name, with_end)


def _decode(opened: Image.Image, name: str, with_end: Callable[[], Image.Image] | None = None) -> LoadedPhoto:
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width * height / 1e6:.0f}")
    found = []
    with _UNHEARD:
        if _has_several(opened):
            found.append(FIRST_OF_SEVERAL)
        try:
            opened.load()
        except Exception as error:  # damage makes Pillow's decoders raise errors of any kind
            opened = _salvaged(opened, name, error, with_end)
            left = _share_read(opened)
            if left < LEAST_READ:
                raise _damaged(name, f"only {100 * left:.0f} % of the picture is left") from error
            found.append(cut_short(left))
        upright = _upright(opened)
        try:
            return LoadedPhoto(np.array(_to_srgb(upright)), tuple(found))
        except ValueError as error:
            raise FeatureblendError(f"cannot read {name}: {error}") from error


def _has_several(opened: Image.Image) -> bool:
    """Whether a file holds several pictures that a user would call so.

    Beside the photo, a phone's JPEG (MPO) may hold a smaller copy, a depth map or a gain map, which nobody asks for.
    """
    try:
        if opened.format == "MPO":
            kinds = [entry["Attribute"]["MPType"] for entry in getattr(opened, "mpinfo", {})[0xB002]]
            return any(kind.startswith("Multi-Frame Image") for kind in kinds[1:])
        return bool(getattr(opened, "is_animated", False))
    except Exception:  # damage behind the first picture
        return False


def _salvaged(
    opened: Image.Image, name: str, error: Exception, with_end: Callable[[], Image.Image] | None
) -> Image.Image:
    """What can be drawn of a file that ended too soon.

    Pillow has a switch for this, `ImageFile.LOAD_TRUNCATED_IMAGES`, but for all threads, of other programs too.
    """
    # Of a picture that is stored line by line; of an interlaced one, lines of black would run all over it.
    by_lines = opened.format in ("JPEG", "MPO", "PNG", "TIFF", "BMP", "PPM") and not opened.info.get("interlace")
    if not by_lines or "truncated" not in str(error):
        raise _damaged(name, error) from error
    try:
        if opened.format in ("JPEG", "MPO") and with_end is not None:
            opened = with_end()
        else:
            opened.tile = []  # type: ignore[attr-defined]  # nothing is left to decode: what is there, stands
        opened.load()
    except FeatureblendError:
        raise
    except Exception as again:
        raise _damaged(name, again) from error
    return opened


def _share_read(picture: Image.Image) -> float:
    """What share of the rows of a file that was cut short was decoded: JPEG leaves the rest grey, others black."""
    left = 128 if picture.format in ("JPEG", "MPO") else 0
    empty = (np.abs(np.asarray(picture).astype(np.int32) - left) <= 2).reshape(picture.height, -1).all(axis=1)
    return 1 - float(empty.mean())


def _damaged(name: str, error: Exception | str) -> FeatureblendError:
    why = " ".join(str(error).split()) or type(error).__name__
    return FeatureblendError(f"cannot read {name}: the file is damaged or cut short ({why})")


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
    profile = _profile(picture)
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        values = np.asarray(picture).astype(np.int32)
        # 16-bit files use the whole range; Pillow's mode I may also hold 8-bit values.
        top = 255 if picture.mode == "I" and values.max(initial=0) <= 255 else 65535
        return Image.fromarray(_grey_colours(profile, top)[np.clip(values, 0, top)])
    alpha = None
    if picture.has_transparency_data:
        picture = picture.convert("LA" if picture.mode == "LA" else "RGBA")
        alpha = picture.getchannel("A")
        picture = picture.convert(picture.mode[:-1])
    elif picture.mode not in ("RGB", "L", "CMYK"):
        picture = picture.convert("RGB")
    if profile is not None:
        picture = _from_profile(picture, profile)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    if alpha is not None:
        picture.putalpha(alpha)
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture


def _grey_colours(profile: ImageCms.ImageCmsProfile | None, top: int) -> np.ndarray:
    """The sRGB colour of each grey value from 0 to `top`: (top + 1, 3) uint8.

    Pillow's colour management knows 8 bits only: the profile is applied to 256 greys, and between them the colour is
    interpolated. Without optimisation, whose tables are too coarse in the shadows of linear files (by 9 of 255 levels).
    """
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    colours = ramp.convert("RGB") if profile is None else _converted(ramp, profile, ImageCms.Flags.NOOPTIMIZE)
    levels = np.asarray(colours)[0].T.astype(np.float64)
    places = np.linspace(0, 255, top + 1)
    return np.stack([np.floor(np.interp(places, np.arange(256), one) + 0.5) for one in levels], axis=1).astype(np.uint8)


def _profile(picture: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """Read a picture's embedded ICC profile, where it has one that changes anything."""
    content = picture.info.get("icc_profile")
    if not content:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        # Converting 12 megapixels from sRGB would take 0.2 s and change nothing.
        return None if ImageCms.getProfileDescription(profile).startswith("sRGB") else profile
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None  # a broken profile: what every viewer falls back to


def _from_profile(picture: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """Convert a picture of mode RGB, L or CMYK from a profile to sRGB."""
    if profile.profile.xcolor_space.strip() == "GRAY" and picture.mode in ("RGB", "L"):  # RGB: a palette of greys
        return Image.fromarray(_grey_colours(profile, 255)[np.asarray(picture.convert("L"))])
    return _converted(picture, profile)


def _converted(
    picture: Image.Image, profile: ImageCms.ImageCmsProfile, flags: ImageCms.Flags = ImageCms.Flags.NONE
) -> Image.Image:
    """Convert by Pillow's colour management; where profile and picture do not fit, the profile counts for nothing."""
    try:
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(picture, profile, srgb, outputMode="RGB", flags=flags)
    except (ImageCms.PyCMSError, OSError, ValueError):
        converted = None
    return picture.convert("RGB") if converted is None else converted


def crop_image(image: np.ndarray, box: Sequence[int]) -> np.ndarray:
    """Cut a part out of a photo.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
    box : sequence of four int
        left, top, right, bottom in pixels; right and bottom are the first that are left out.

    Returns
    -------
    (bottom - top, right - left, 3) uint8 array

    Raises
    ------
    ValueError
        If the box is empty or reaches beyond the photo.

    Examples
    --------
    >>> crop_image(np.zeros((40, 60, 3), np.uint8), (10, 0, 30, 40)).shape
    (40, 20, 3)
    """
    left, top, right, bottom = box
    if not (0 <= left < right <= image.shape[1] and 0 <= top < bottom <= image.shape[0]):
        raise ValueError(f"the part {list(box)} of a photo of {image.shape[1]} x {image.shape[0]} pixels")
    return np.ascontiguousarray(image[top:bottom, left:right])


def check_image(image: np.ndarray, name: str = "the image") -> np.ndarray:
    """Check that `image` is an (H, W, 3) uint8 array, and return it.

    Raises
    ------
    FeatureblendError
        If the shape or the type is another: value ranges are stated here, never guessed.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise FeatureblendError(f"{name}: expected an (H, W, 3) uint8 sRGB array, not {image.shape} {image.dtype}")
    return image


def picture_path(path: str | os.PathLike[str], transparent: bool = False) -> Path:
    """Check that a picture can be written to `path`, before any work is done, and return it as a `Path`.

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
    Image.preinit()
    if path.suffix.lower() not in Image.EXTENSION:  # none of the most common formats
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
    with atomic_path(path) as temporary, writing(path):
        picture.save(temporary, **options)
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
    return to_uint8((np.moveaxis(np.asarray(images, dtype=np.float32), -3, -1) + 1.0) * 127.5)
