"""Pictures in and out, against files that other programs (OpenCV, hand-made bytes) wrote and arithmetic by hand."""

import io
import os
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from featureblend.errors import FeatureblendError
from featureblend.io import image as module
from featureblend.io.image import (
    MAX_PIXELS,
    check_image,
    decode_photo,
    from_network,
    load_image,
    load_photo,
    not_a_photo,
    photo_name,
    save_image,
    to_network,
)
from featureblend.io.sheets import grid, labelled_row

SMOOTH = np.add.outer(np.arange(60) * 2, np.arange(90))[..., None].repeat(3, axis=2).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


def encoded(picture, kind, **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def decoded(content):
    return decode_photo(content, "a").pixels


def png_header(width, height):
    """A PNG that claims a size and holds (almost) no pixels."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    )


def swapped_profile():
    """A valid ICC profile in which red and green have changed places: sRGB with two tags renamed."""
    content = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    count = struct.unpack(">I", content[128:132])[0]
    table, rest = content[132 : 132 + 12 * count], content[132 + 12 * count :]
    table = table.replace(b"rXYZ", b"xxxx").replace(b"gXYZ", b"rXYZ").replace(b"xxxx", b"gXYZ")
    return content[:132] + table + rest.replace("sRGB".encode("utf-16-be"), "made".encode("utf-16-be"))


def upright_by_hand(stored, orientation):
    """EXIF 2.3, tag 0x0112: which edges the stored row 0 and column 0 are."""
    return {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored[::-1].transpose(1, 0, 2),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: stored[:, ::-1].transpose(1, 0, 2),
    }[orientation]


def test_exif_orientation_is_applied():
    for orientation in range(1, 9):
        for kind in ["PNG", "TIFF", "WEBP", "JPEG"]:
            exif = Image.Exif()
            exif[0x0112] = orientation
            options = (
                {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
            )
            image = decoded(encoded(Image.fromarray(SMOOTH), kind, exif=exif, **options))
            expected = upright_by_hand(SMOOTH, orientation)
            assert image.shape == expected.shape
            assert np.abs(image.astype(int) - expected).max() <= (4 if kind == "JPEG" else 0)


@pytest.mark.filterwarnings("error")
def test_a_broken_exif_block_does_not_hide_the_picture():
    for exif in [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12", b"nonsense", b"Exif\0\0" + bytes(40)]:
        assert decoded(encoded(Image.fromarray(SMOOTH), "PNG", exif=exif)).shape == SMOOTH.shape


def test_alpha_is_laid_over_white():
    colour = np.zeros((2, 256, 4), np.uint8)
    colour[0, :], colour[1, :] = (200, 100, 0, 0), (0, 30, 255, 0)
    colour[..., 3] = np.arange(256)
    alpha = np.arange(256)[None, :, None] / 255
    expected = colour[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(decoded(encoded(Image.fromarray(colour), "PNG")) - expected).max() <= 1


def test_grey_with_alpha_and_transparent_colours_become_white():
    grey = Image.fromarray(np.full((3, 5), 90, np.uint8))
    grey.putalpha(0)
    assert (load_image(grey) == 255).all()
    palette = Image.fromarray(np.array([[0, 1, 2, 1]], np.uint8), "P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    expected = [(255, 0, 0), (255, 255, 255), (0, 0, 255), (255, 255, 255)]
    assert decoded(encoded(palette, "PNG", transparency=1))[0].tolist() == [list(c) for c in expected]
    assert decoded(encoded(palette, "GIF", transparency=1))[0].tolist() == [list(c) for c in expected]
    plain = Image.fromarray(np.array([[[9, 8, 7], [1, 2, 3]]], np.uint8))
    assert decoded(encoded(plain, "PNG", transparency=(9, 8, 7)))[0].tolist() == [[255] * 3, [1, 2, 3]]


def test_every_colour_mode_becomes_rgb():
    for picture, expected in [
        (Image.new("L", (3, 2), 77), (77, 77, 77)),
        (Image.new("1", (3, 2), 1), (255, 255, 255)),
        (Image.new("CMYK", (3, 2), (0, 255, 255, 0)), (255, 0, 0)),
        (Image.new("I", (3, 2), 65535), (255, 255, 255)),
        (Image.new("I;16", (3, 2), 257 * 40), (40, 40, 40)),
        (Image.new("YCbCr", (3, 2), (128, 128, 128)), (128, 128, 128)),
    ]:
        image = load_image(picture)
        assert image.shape == (2, 3, 3)
        assert image.dtype == np.uint8
        assert image[0, 0].tolist() == list(expected)


def test_sixteen_bits_are_scaled_by_the_file_not_by_what_is_in_it(tmp_path):
    values = np.linspace(0, 65535, 600).reshape(20, 30).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "grey.png"), values)
    image = load_image(tmp_path / "grey.png")
    assert np.abs(image[..., 0] - values / 257).max() <= 0.5
    cv2.imwrite(str(tmp_path / "dark.png"), np.full((4, 4), 200, np.uint16))
    assert load_image(tmp_path / "dark.png").max() <= 1
    colours = np.random.default_rng(0).integers(0, 65536, (8, 8, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "colour.png"), colours)
    assert np.abs(load_image(tmp_path / "colour.png")[..., ::-1] - colours / 257).max() <= 1


def test_cmyk_jpeg():
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[:] = (60, 120, 20, 30)
    image = decoded(encoded(Image.fromarray(ink, "CMYK"), "JPEG", quality=98))
    expected = [(255 - c) * (255 - 30) / 255 for c in (60, 120, 20)]
    assert np.abs(image - expected).max() <= 4


def test_an_embedded_profile_is_converted_to_srgb():
    for mode in ["RGB", "RGBA"]:
        picture = Image.fromarray(NOISE).convert(mode)
        image = decoded(encoded(picture, "PNG", icc_profile=swapped_profile()))
        assert np.abs(image.astype(int) - NOISE[..., [1, 0, 2]]).max() <= 2


def grey_profile(gamma):
    """An ICC profile of grey with a gamma, made by hand: version 2.1, a gray tone curve and a white point."""
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + bytes(78),
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D),
        b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2),
    }
    table, content, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, one in tags.items():
        one += bytes(-len(one) % 4)
        table += name + struct.pack(">II", start + len(content), len(one))
        content += one
    header = struct.pack(">I4sI4s4s4s", start + len(content), b"lcms", 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D) + bytes(48)
    return header + table + content


def srgb_of(light):
    """IEC 61966-2-1."""
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


def test_a_grey_profile_is_applied_at_every_depth():
    for gamma in [1.0, 1.8, 2.6]:
        for mode in ["L", "LA", "I;16"]:
            values = np.arange(256, dtype=np.uint16)[None]
            picture = Image.fromarray(values * 257) if mode == "I;16" else Image.fromarray(values.astype(np.uint8))
            if mode == "LA":
                picture.putalpha(255)
            image = decoded(encoded(picture, "PNG", icc_profile=grey_profile(gamma)))
            expected = srgb_of((values[0] / 255) ** gamma)
            assert np.abs(image[0] - expected[:, None]).max() <= 1
            assert np.abs(image[0, :, 0] - values[0].astype(int)).max() > 10  # or this test shows nothing


def test_sixteen_bits_keep_shadows_apart_that_eight_would_not():
    values = np.arange(0, 2570, 10, dtype=np.uint16)[None]  # ten of 255 levels of a linear file
    image = decoded(encoded(Image.fromarray(values), "PNG", icc_profile=grey_profile(1.0)))
    assert np.abs(image[0, :, 0] - srgb_of(values[0] / 65535)).max() <= 1
    assert len(np.unique(image)) > 25


def test_a_grey_profile_leaves_alpha_alone():
    picture = Image.fromarray(np.full((4, 4), 128, np.uint8))
    picture.putalpha(64)
    image = decoded(encoded(picture, "PNG", icc_profile=grey_profile(1.0)))
    expected = srgb_of(128 / 255) * 64 / 255 + 255 * (1 - 64 / 255)
    assert np.abs(image - expected).max() <= 1.5


def p3_profile():
    """Display P3: sRGB with other primaries, adapted to D50, as in Apple's own profile."""
    content = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    count = struct.unpack(">I", content[128:132])[0]
    primaries = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    made = bytearray(content.replace("sRGB".encode("utf-16-be"), "made".encode("utf-16-be")))
    for place in range(132, 132 + 12 * count, 12):
        name, start, _ = struct.unpack(">4sII", content[place : place + 12])
        if name in primaries:
            made[start + 8 : start + 20] = struct.pack(">3i", *(round(value * 65536) for value in primaries[name]))
    return bytes(made)


def test_wide_gamuts_become_srgb_in_the_formats_of_phones():
    """A skin colour in Display P3, and in sRGB by the two spaces' published matrices."""
    for kind in ["HEIF", "AVIF", "WEBP", "JPEG"]:
        skin = np.full((64, 64, 3), (224, 172, 150), np.uint8)
        light = ((skin[0, 0] / 255 + 0.055) / 1.055) ** 2.4
        matrix = [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]]
        expected = srgb_of(matrix @ light)
        assert np.abs(expected - skin[0, 0]).max() > 5
        image = decoded(encoded(Image.fromarray(skin), kind, icc_profile=p3_profile(), quality=95))
        assert np.abs(image[20:40, 20:40].mean(axis=(0, 1)) - expected).max() <= 3


def test_pictures_of_phones_are_upright():
    for orientation in range(1, 9):
        for kind in ["HEIF", "AVIF"]:
            exif = Image.Exif()
            exif[0x0112] = orientation
            image = decoded(encoded(Image.fromarray(SMOOTH), kind, exif=exif.tobytes(), quality=95))
            expected = upright_by_hand(SMOOTH, orientation)
            assert image.shape == expected.shape
            assert np.abs(image.astype(int) - expected).mean() < 3


def test_heic_of_more_than_eight_bits_is_scaled_to_eight():
    for bits in [10, 12]:
        import pillow_heif

        values = np.add.outer(np.arange(64) * 2, np.arange(64))[..., None].repeat(3, axis=2)
        deep = (values * 257).astype(np.uint16)
        stream = io.BytesIO()
        pillow_heif.from_bytes("RGB;16", (64, 64), deep.tobytes()).save(
            stream, quality=-1, chroma=444, save_nclx_profile=True, bit_depth=bits
        )
        image = decoded(stream.getvalue())
        assert np.abs(image.astype(int) - values).max() <= 4


def test_of_several_pictures_the_first_is_read_and_said():
    """But a phone's JPEG with a smaller copy or a gain map behind it (MPO) is one photo to its owner."""
    for kind, several in [("GIF", True), ("WEBP", True), ("TIFF", True), ("PNG", True), ("AVIF", True), ("MPO", False)]:
        frames = [Image.fromarray(SMOOTH), Image.fromarray(255 - SMOOTH)]
        loaded = decode_photo(encoded(frames[0], kind, save_all=True, append_images=frames[1:]), "a")
        assert np.abs(loaded.pixels.astype(int) - SMOOTH).mean() < 12
        assert ["first" in warning.one for warning in loaded.warnings] == [True] * several
        assert decode_photo(encoded(frames[0], kind), "a").warnings == ()


def test_what_a_file_is_its_content_says(tmp_path):
    for number, kind in enumerate(
        ["JPEG", "MPO", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "TIFF", "BMP", "JPEG2000", "PPM"]
    ):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(encoded(Image.fromarray(SMOOTH), kind))
        assert not_a_photo(path) is None
        assert load_image(path).shape == SMOOTH.shape
    raw = tmp_path / "raw.jpg"
    Image.fromarray(SMOOTH).save(raw, "TIFF", tiffinfo={254: 1})  # a camera's raw file begins with a thumbnail
    assert "raw file" in not_a_photo(raw)
    with pytest.raises(FeatureblendError, match="raw file"):
        load_image(raw)
    for name, content in [
        ("a.jpg", b""),
        ("b.jpg", b"\0" * 99),
        ("c.jpg", b"%!PS-Adobe-3.0 EPSF-3.0"),
        ("d.jpg", b"GIF"),
    ]:
        (tmp_path / name).write_bytes(content)
        assert not_a_photo(tmp_path / name)
    (tmp_path / "e.jpg").mkdir()
    (tmp_path / "f.jpg").symlink_to(tmp_path / "nowhere")
    assert not_a_photo(tmp_path / "e.jpg")
    assert not_a_photo(tmp_path / "f.jpg")


def test_srgb_and_broken_profiles_change_nothing():
    for profile in [ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"nonsense", bytes(200)]:
        assert (decoded(encoded(Image.fromarray(NOISE), "PNG", icc_profile=profile)) == NOISE).all()
        grey = Image.fromarray(NOISE[..., 0])
        assert (decoded(encoded(grey, "PNG", icc_profile=profile)) == NOISE[..., :1]).all()


LINES = ["JPEG", "PNG", "TIFF", "PPM"]
"""Formats that store a picture from the top down."""


def test_of_a_file_that_was_cut_short_the_rest_is_read_and_said(tmp_path):
    for kind in [*LINES, "BMP"]:
        for share in [0.5, 0.95]:
            content = encoded(Image.fromarray(NOISE), kind)
            whole = decoded(content)
            path = tmp_path / "holiday photo.jpg"
            path.write_bytes(content[: int(len(content) * share)])
            loaded = load_photo(path)
            assert loaded.pixels.shape == whole.shape
            (warning,) = loaded.warnings
            assert "cut short" in warning.one
            rows = int((share - 0.3) * 60)
            seen = slice(60 - rows, 60) if kind == "BMP" else slice(0, rows)  # a BMP is stored from the bottom up
            assert np.array_equal(loaded.pixels[seen], whole[seen])


def test_a_jpeg_without_its_last_byte_is_the_whole_picture():
    for progressive in [False, True]:
        for mode in ["RGB", "L", "CMYK"]:
            content = encoded(Image.fromarray(SMOOTH).convert(mode), "JPEG", progressive=progressive)
            loaded = decode_photo(content[:-1], "a")
            assert np.array_equal(loaded.pixels, decoded(content))
            assert len(loaded.warnings) == 1


def test_a_file_of_which_little_is_left_is_an_error(tmp_path):
    for kind in [*LINES, "WEBP", "GIF", "HEIF", "AVIF"]:
        content = encoded(Image.fromarray(NOISE), kind)
        path = tmp_path / "holiday photo.jpg"
        path.write_bytes(content[: len(content) // 10])
        with pytest.raises(FeatureblendError, match=r"cannot read .*holiday photo\.jpg: ") as caught:
            load_image(path)
        assert "\n" not in str(caught.value)


def test_where_the_rest_cannot_be_drawn_line_by_line_it_is_an_error():
    for kind in ["WEBP", "GIF", "HEIF", "AVIF", "PNG"]:
        content = interlaced_png(NOISE) if kind == "PNG" else encoded(Image.fromarray(NOISE), kind)
        assert decoded(content).shape == NOISE.shape
        with pytest.raises(FeatureblendError, match="damaged or cut short"):
            decoded(content[: len(content) // 2])


def interlaced_png(image):
    """A PNG in Adam7's seven passes, by its specification."""
    raw = b""
    for x, y, across, down in [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]:
        raw += b"".join(b"\0" + row.tobytes() for row in image[y::down, x::across])

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def test_reading_what_was_cut_short_leaves_pillow_as_it_was():
    """Its switch is one for all threads, those of other programs too."""
    content = encoded(Image.fromarray(NOISE), "PNG")
    with ThreadPoolExecutor(4) as pool:
        notes = list(pool.map(lambda cut: decode_photo(content[: len(content) - cut], "a").warnings, [0, 5000] * 20))
    assert [bool(said) for said in notes] == [False, True] * 20
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(content[:-5000])).load()


def test_damaged_bytes_give_a_picture_or_our_error_and_nothing_else():
    for kind in ["JPEG", "PNG", "WEBP", "TIFF", "GIF"]:
        content = encoded(Image.fromarray(SMOOTH), kind)
        random = np.random.default_rng(1)
        for _ in range(60):
            damaged = bytearray(content)
            for place in random.integers(len(content), size=random.integers(1, 12)):
                damaged[place] = random.integers(256)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    check_image(decoded(bytes(damaged)))
            except FeatureblendError:
                pass


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "notes.jpg").write_text("to do: sleep")
    for name, words in [
        ("empty.jpg", "the file is empty"),
        ("notes.jpg", "not a picture"),
        ("none.jpg", "no such file"),
        (".", "is a folder"),
    ]:
        with pytest.raises(FeatureblendError, match=words) as caught:
            load_image(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(FeatureblendError, match="cannot read"):
        load_image("a\0b.jpg")
    with pytest.raises(FeatureblendError, match=r"cannot read .*Not a directory"):
        load_image(tmp_path / "notes.jpg" / "a.jpg")
    with pytest.raises(FeatureblendError, match=r"photo 2: expected a path, a PIL image or .* not NoneType"):
        load_image(None, 2)


@pytest.mark.filterwarnings("error")
def test_over_100_megapixels_is_refused_before_any_pixel_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / "wall.png"
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("it was decoded"))
    for width, height in [(20_000, 20_000), (10_001, 10_000), (12_000, 10_000)]:
        path.write_bytes(png_header(width, height))
        with pytest.raises(FeatureblendError, match=r"wall\.png has .* megapixels; at most 100 are read"):
            load_image(path)
    with pytest.raises(FeatureblendError, match="120 megapixels"):
        load_image(path)


@pytest.mark.filterwarnings("error")
def test_pillows_own_limit_neither_warns_below_ours_nor_is_lifted_for_others():
    with pytest.raises(FeatureblendError, match="damaged or cut short"):
        decoded(png_header(9_900, 10_000))  # over Pillow's 89 megapixels, allowed here, but empty
    assert Image.MAX_IMAGE_PIXELS is not None
    assert Image.MAX_IMAGE_PIXELS < MAX_PIXELS


def test_floating_point_pictures_are_refused(tmp_path):
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(FeatureblendError, match="floating-point"):
        load_image(tmp_path / "a.tif")


def test_arrays_of_another_shape_or_type_are_refused():
    for array in [
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.int64),
    ]:
        with pytest.raises(FeatureblendError, match=r"photo 3: expected an \(H, W, 3\) uint8 sRGB array"):
            load_image(array, 3)


def test_paths_pictures_and_arrays_load_alike(tmp_path):
    path = tmp_path / 'ünïcode name\'s "quotes".png'
    Image.fromarray(NOISE).save(path)
    opened = Image.open(path)
    for photo in (path, str(path), opened, NOISE, decoded(path.read_bytes())):
        assert (load_image(photo) == NOISE).all()
    assert load_image(path).flags.writeable
    assert photo_name(str(path)) == str(path)


def test_a_picture_that_is_handed_in_is_left_as_it_was():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.open(io.BytesIO(encoded(Image.fromarray(SMOOTH), "PNG", exif=exif)))
    load_image(picture)[:] = 0
    assert picture.size == (90, 60)
    assert (np.asarray(picture) == SMOOTH).all()


def test_saved_pictures_load_again(tmp_path):
    suffixes = [".png", ".jpg", ".JPG", ".jpeg", ".webp", ".bmp", ".tif"]
    for suffix in suffixes:
        path = save_image(tmp_path / f"out{suffix}", SMOOTH)
        difference = np.abs(load_image(path).astype(int) - SMOOTH).max()
        assert difference <= (0 if suffix in (".png", ".bmp", ".tif") else 6)
    assert {entry.name for entry in tmp_path.iterdir()} == {f"out{suffix}" for suffix in suffixes}


def test_transparent_pictures_can_be_saved_as_jpeg(tmp_path):
    path = save_image(tmp_path / "a.jpg", Image.new("RGBA", (8, 8), (0, 0, 0, 0)))
    assert load_image(path).min() >= 254


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path):
    for name in ["a.xyz", "a", "a.txt", "missing/a.png", "."]:
        with pytest.raises(FeatureblendError, match="cannot write"):
            save_image(tmp_path / name, SMOOTH)
        assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_fails_midway_leaves_what_was_there(tmp_path, monkeypatch):
    path = save_image(tmp_path / "a.png", SMOOTH)
    before = path.read_bytes()

    def fail(self, target, **options):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(FeatureblendError, match=r"cannot write .*a\.png: No space left on device"):
        save_image(path, NOISE)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_all_levels_survive_the_way_through_the_networks_range():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    inside = to_network(levels)
    assert inside.shape == (1, 3, 16, 16)
    assert inside.dtype == np.float32
    assert (inside.min(), inside.max()) == (-1, 1)
    assert (from_network(inside) == levels).all()


def test_channels_change_places_and_values_are_clipped():
    image = np.zeros((2, 4, 3), np.uint8)
    image[..., 2] = 255
    assert (to_network(image)[2] == 1).all()
    assert (to_network(image)[:2] == -1).all()
    assert from_network(np.full((3, 1, 1), 7.0)).tolist() == [[[255] * 3]]
    assert from_network(np.full((3, 1, 1), -7.0)).tolist() == [[[0] * 3]]


@given(st.floats(-1.5, 1.5, width=32))
@settings(deadline=None)
def test_from_network_rounds_to_the_nearest_level(value):
    level = int(from_network(np.full((3, 1, 1), value, np.float32))[0, 0, 0])
    assert abs(level - np.clip((value + 1) * 127.5, 0, 255)) <= 0.5 + 1e-4


def test_grid_puts_pictures_in_reading_order():
    pictures = [np.full((4, 6, 3), 10 * number, np.uint8) for number in range(5)]
    sheet = grid(pictures, columns=3, gap=1, background=200)
    assert sheet.shape == (9, 20, 3)
    assert [int(sheet[0, 0, 0]), int(sheet[0, 7, 0]), int(sheet[0, 14, 0])] == [0, 10, 20]
    assert [int(sheet[5, 0, 0]), int(sheet[5, 7, 0]), int(sheet[5, 14, 0])] == [30, 40, 200]
    assert (sheet[4] == 200).all()


def test_labelled_row_shows_each_picture_and_a_caption():
    row = labelled_row([SMOOTH, 255 - SMOOTH], ["first", "second\nline"], gap=8)
    sheet = np.asarray(row)
    assert row.width == 2 * (90 + 8) + 8
    assert (sheet[8:68, 8:98] == SMOOTH).all()
    assert (sheet[8:68, 106:196] == 255 - SMOOTH).all()
    assert (sheet[70:, 8:98] < 100).any()
    assert labelled_row([SMOOTH], ["x"], scale=2).width == 2 * 90 + 16


def test_without_its_reader_a_heic_file_says_what_to_install_and_others_are_read(monkeypatch):
    heic, jpeg = (encoded(Image.fromarray(SMOOTH), kind) for kind in ("HEIF", "JPEG"))
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF")
    module._formats.cache_clear()
    try:
        assert decoded(jpeg).shape == SMOOTH.shape
        with pytest.raises(FeatureblendError, match="pip install pi-heif"):
            decode_photo(heic, "a.heic")
    finally:
        module._formats.cache_clear()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="other systems have no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(FeatureblendError, match=r"a\.jpg: a pipe"):
        load_photo(tmp_path / "a.jpg")
