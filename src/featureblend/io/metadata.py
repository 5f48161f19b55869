"""Metadata of pictures: the recipe, and the mark that they are synthetic.

The recipe goes, as JSON, where each format has room: a PNG text chunk, XMP in JPEG, WebP and TIFF, a comment in GIF and
MP4. Beside it stands IPTC's *digital source type*, by which newsrooms, search engines and social networks tell
synthetic pictures: ``Iptc4xmpExt:DigitalSourceType`` in XMP, with a value of http://cv.iptc.org/newscodes/digitalsourcetype/

References
----------
IPTC, *Photo Metadata Standard* (Digital Source Type) and *Digital Source Type NewsCodes*. ISO 16684-1 (XMP).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from html import escape as escape_html
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ..errors import FeatureblendError
from .files import parse_json, read_error, write_json
from .image import picture_path, save_image

CHUNK = "featureblend"
"""Keyword of the PNG text chunk with the recipe."""

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
OWN = "https://featureblend.invalid/recipe/1/"
"""Namespace of the recipe in XMP: an identifier, not an address."""

SHOWN_TOGETHER = ("compare", "demo")
"""Operations whose pictures show photos beside the results; they are not replayed."""

MAX_JPEG = 65_000
"""A JPEG block of XMP holds fewer than 65,504 bytes."""

MAX_BYTES = 1 << 26
"""Longest text that is read as a recipe."""

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm")


def source_type(recipe: Mapping[str, Any]) -> str:
    """IPTC's digital source type of what a recipe makes.

    Parameters
    ----------
    recipe : mapping

    Returns
    -------
    str
        ``trainedAlgorithmicMedia``: every pixel comes from the model's decoder.
        ``compositeWithTrainedAlgorithmicMedia``: pixels of a photo, or its fine detail, stand beside the decoder's.
        ``compositeSynthetic``: a composite without a model (morph, pixel, ...); it shows a face that nobody has, so it
        is called synthetic, though its parts may be photos.

    Examples
    --------
    >>> source_type({"method": "latent"})
    'trainedAlgorithmicMedia'
    >>> source_type({"method": "latent", "options": {"background": "source"}})
    'compositeWithTrainedAlgorithmicMedia'
    >>> source_type({"method": "morph"})
    'compositeSynthetic'
    """
    if recipe.get("method", "latent") != "latent":
        return "compositeSynthetic"
    options = recipe.get("options") or {}
    if options.get("background") in ("source", "average") or options.get("detail"):
        return "compositeWithTrainedAlgorithmicMedia"
    return "trainedAlgorithmicMedia"


def _description(recipe: Mapping[str, Any]) -> str:
    shows = "Its blends show" if recipe.get("verb") in SHOWN_TOGETHER else "It shows"
    return (
        f"Synthetic picture: {recipe.get('verb', 'blend')} of {len(recipe.get('inputs') or ())} "
        f"inputs, made by featureblend {recipe.get('featureblend', '')}. {shows} nobody who exists."
    )


escape = partial(escape_html, quote=False)  # that of xml.sax.saxutils imports all that opens connections


def _text(recipe: Mapping[str, Any]) -> str:
    return json.dumps(recipe, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _xmp(recipe: Mapping[str, Any], with_recipe: bool = True) -> bytes:
    own = f"<featureblend:recipe>{escape(_text(recipe))}</featureblend:recipe>" if with_recipe else ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' xmlns:featureblend="{OWN}">'
        f"<Iptc4xmpExt:DigitalSourceType>{IPTC}{source_type(recipe)}</Iptc4xmpExt:DigitalSourceType>"
        f"<xmp:CreatorTool>featureblend {escape(str(recipe.get('featureblend', '')))}</xmp:CreatorTool>"
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(_description(recipe))}</rdf:li></rdf:Alt>'
        f"</dc:description>{own}</rdf:Description></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="r"?>'
    ).encode()


def has_room(path: str | os.PathLike[str], recipe: Mapping[str, Any]) -> bool:
    """Whether the format of `path` can hold this recipe.

    BMP has none; a JPEG holds the recipes of about 400 inputs. Then the picture still says that it is synthetic where
    it can, and ``--recipe FILE`` keeps the recipe.

    Examples
    --------
    >>> has_room("a.png", {}), has_room("a.bmp", {})
    (True, False)
    """
    suffix = Path(path).suffix.lower()
    if suffix in (".jpg", ".jpeg"):
        return len(_xmp(recipe)) <= MAX_JPEG
    return suffix in (".png", ".apng", ".webp", ".gif", ".tif", ".tiff", *VIDEOS)


def save_options(path: str | os.PathLike[str], recipe: Mapping[str, Any] | None) -> dict[str, Any]:
    """Options for Pillow's ``save`` that put a recipe into a picture.

    Parameters
    ----------
    path : path-like
        The suffix decides the format.
    recipe : mapping, optional
        None for a picture that says nothing.

    Returns
    -------
    dict
        Empty where the format has no room.

    Examples
    --------
    >>> sorted(save_options("a.png", {"verb": "blend"})), save_options("a.png", None)
    (['pnginfo'], {})
    """
    if recipe is None:
        return {}
    suffix = Path(path).suffix.lower()
    if suffix in (".png", ".apng"):
        notes = PngInfo()
        notes.add_itxt(CHUNK, _text(recipe))
        notes.add_itxt("XML:com.adobe.xmp", _xmp(recipe, with_recipe=False).decode())
        return {"pnginfo": notes}
    if suffix in (".jpg", ".jpeg", ".webp"):
        return {"xmp": _xmp(recipe, with_recipe=has_room(path, recipe))}
    if suffix in (".tif", ".tiff"):
        return {"tiffinfo": {700: _xmp(recipe)}}
    if suffix == ".gif":
        return {"comment": _wrapped(recipe).encode()}
    return {}


def _wrapped(recipe: Mapping[str, Any]) -> str:
    """The recipe preceded by the note, for formats with a single text field."""
    return _text({"digital_source_type": IPTC + source_type(recipe), CHUNK: recipe})


def video_entries(recipe: Mapping[str, Any] | None) -> dict[str, str]:
    """Entries of a video's metadata: ``container.metadata.update(video_entries(recipe))``.

    Examples
    --------
    >>> video_entries({"verb": "continuum", "method": "morph"})["comment"]
    '{"digital_source_type":"http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic","featureblend":{"verb":"continuum","method":"morph"}}'
    """
    return {} if recipe is None else {"description": _description(recipe), "comment": _wrapped(recipe)}


def save_picture(
    path: str | os.PathLike[str], image: np.ndarray | Image.Image, recipe: Mapping[str, Any] | None, **options: Any
) -> Path:
    """Write a picture with its recipe and the note that it is synthetic in it.

    Parameters
    ----------
    path, image, **options
        As `featureblend.io.image.save_image`.
    recipe : mapping, optional
        None for a picture that says nothing.

    Returns
    -------
    Path

    Raises
    ------
    FeatureblendError
        As `featureblend.io.image.save_image`.
    """
    picture_path(path)
    if isinstance(image, Image.Image) and image.info:
        image = image.copy()
        image.info.clear()  # Pillow would copy the metadata of the file that it was read from
    return save_image(path, image, **{**save_options(path, recipe), **options})


def write_recipe(path: str | os.PathLike[str], recipe: Mapping[str, Any]) -> Path:
    """Write a recipe as JSON, whole or not at all."""
    return write_json(path, recipe, ensure_ascii=False, allow_nan=False)


def read_recipe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the recipe from a picture, a video, or a recipe file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict

    Raises
    ------
    FeatureblendError
        If the file is missing, or holds no recipe.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> read_recipe(EXAMPLES / "first.jpg")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    featureblend.errors.FeatureblendError: ...first.jpg holds no recipe: it was not made by featureblend, or ...
    """
    shown = os.fspath(path)
    try:
        found = _stored(Path(path))
    except OSError as error:
        raise read_error(shown, error, "a recipe or a picture") from error
    if isinstance(found, dict):
        found = found.get(CHUNK) if isinstance(found.get(CHUNK), dict) else found.get("recipe", found)
    if not isinstance(found, dict) or not isinstance(found.get("inputs"), list) or "featureblend" not in found:
        raise FeatureblendError(
            f"{shown} holds no recipe: it was not made by featureblend, or with --no-metadata, or lost it on the way"
        )
    return found


def was_made_here(path: str | os.PathLike[str]) -> bool:
    """Whether featureblend made a picture, that is, whether it holds a recipe; False if it can't be read.

    Examples
    --------
    >>> from featureblend.faces import EXAMPLES
    >>> was_made_here(EXAMPLES / "first.jpg")
    False
    """
    try:
        return CHUNK.encode() in Path(path).read_bytes() and bool(read_recipe(path))  # the first is much quicker
    except (OSError, FeatureblendError):
        return False


def _stored(path: Path) -> Any:
    if path.suffix.lower() in VIDEOS:
        return _json(_video_comment(path))
    with open(path, "rb") as stream:
        start = stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
        if start.startswith(b"{"):
            stream.seek(0)
            return _json(stream.read(MAX_BYTES))
        stream.seek(0)
        try:
            with Image.open(stream) as picture:
                picture.load()  # PNG chunks may stand behind the pixels
                info, text = picture.info, getattr(picture, "text", {})
                packet = info.get("xmp") or (picture.tag_v2.get(700) if hasattr(picture, "tag_v2") else None)
        except UnidentifiedImageError:  # no picture of a known kind: so it holds nothing
            return None
        except OSError:
            raise
        except Exception:  # damage makes Pillow's decoders raise errors of any kind
            return None
    if CHUNK in text:
        return _json(text[CHUNK])
    if packet:
        return _json(_from_xmp(packet))
    return _json(info.get("comment"))


def _json(content: str | bytes | None) -> Any:
    try:
        return None if content is None else parse_json(content)
    except ValueError:
        return None


def _from_xmp(packet: str | bytes) -> str | None:
    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else packet
    if "<!" in text.replace("<![CDATA[", ""):
        return None  # definitions of entities, which XMP never needs, can be made to fill the memory
    try:
        root = ElementTree.fromstring(text.strip("\x00\ufeff \t\r\n"))
    except ElementTree.ParseError:
        return None
    found = root.find(f".//{{{OWN}}}recipe")
    return None if found is None else found.text


def _video_comment(path: Path) -> str | None:
    if not path.is_file():
        raise IsADirectoryError if path.is_dir() else FileNotFoundError
    try:
        import av
    except ImportError as error:
        raise FeatureblendError(f"{path} is a video, which needs the package av: pip install av") from error
    try:
        with av.open(str(path), metadata_errors="replace") as container:  # other programs write other encodings
            return {key.lower(): value for key, value in container.metadata.items()}.get("comment")
    except av.FFmpegError as error:
        raise FeatureblendError(f"cannot read {path}: the file is damaged or no video") from error
