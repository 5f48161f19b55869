"""What a picture says about itself: its recipe, and that it is synthetic, in every format; or nothing."""

import io
import json
import struct
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image

from featureblend.errors import FeatureblendError
from featureblend.io import metadata
from featureblend.io.metadata import has_room, read_recipe, save_picture, source_type, video_entries, write_recipe

RECIPE = {
    "featureblend": "0.1.0",
    "verb": "blend",
    "method": "latent",
    "weights": [0.1, 0.9],
    "inputs": [{"name": 'José <b>&"x" 王.jpg', "sha256": "ab" * 32}, {"name": "]]>.png", "sha256": "cd" * 32}],
    "options": {"detail": False},
}
PICTURE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def xmp_of(path):
    with Image.open(path) as picture:
        picture.load()
        packet = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or picture.tag_v2[700]
    return ElementTree.fromstring(packet.decode() if isinstance(packet, bytes) else packet)


def test_a_recipe_comes_back_as_it_was(tmp_path):
    for suffix in [".png", ".jpg", ".JPEG", ".webp", ".tif", ".gif"]:
        path = save_picture(tmp_path / f"a{suffix}", PICTURE, RECIPE)
        assert has_room(path, RECIPE)
        assert read_recipe(path) == RECIPE
        bare = save_picture(tmp_path / f"b{suffix}", PICTURE, None)
        with Image.open(path) as first, Image.open(bare) as second:
            assert first.convert("RGB").tobytes() == second.convert("RGB").tobytes()
        assert b"featureblend" not in bare.read_bytes()
        with pytest.raises(FeatureblendError, match="holds no recipe"):
            read_recipe(bare)


def test_the_xmp_says_that_the_picture_is_synthetic(tmp_path):
    """Read with an XML parser, by the namespaces of IPTC and Dublin Core, as other programs do."""
    for suffix in [".png", ".jpg", ".webp", ".tif"]:
        root = xmp_of(save_picture(tmp_path / f"a{suffix}", PICTURE, RECIPE))
        [kind] = root.iter("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
        assert kind.text == IPTC + "trainedAlgorithmicMedia"
        [told] = root.iter("{http://purl.org/dc/elements/1.1/}description")
        assert "Synthetic picture" in "".join(told.itertext())


def test_the_source_type_goes_with_what_is_in_the_picture():
    for method, options, due in (
        ("latent", {"detail": False}, "trainedAlgorithmicMedia"),
        ("latent", {"detail": True}, "compositeWithTrainedAlgorithmicMedia"),
        ("latent", {"detail": False, "background": "source"}, "compositeWithTrainedAlgorithmicMedia"),
        ("latent", {"detail": False, "background": "black"}, "trainedAlgorithmicMedia"),
        ("pixel", {"detail": True}, "compositeSynthetic"),
    ):
        assert source_type({"method": method, "options": options}) == due


def test_the_file_holds_what_the_formats_say(tmp_path):
    """Chunks and segments by hand, not by Pillow."""
    content = save_picture(tmp_path / "a.png", PICTURE, RECIPE).read_bytes()
    chunks, at = {}, 8
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        if kind == b"iTXt":
            keyword, _, rest = content[at + 8 : at + 8 + length].partition(b"\0")
            chunks[keyword] = rest[2:].split(b"\0", 2)[2]
        at += 12 + length
    assert json.loads(chunks[b"featureblend"]) == RECIPE
    assert set(chunks) == {b"featureblend", b"XML:com.adobe.xmp"}
    content = save_picture(tmp_path / "a.jpg", PICTURE, RECIPE).read_bytes()
    assert b"\xff\xe1" in content
    assert b"http://ns.adobe.com/xap/1.0/\0" in content


def test_what_a_photo_said_is_not_carried_over(tmp_path):
    photo = Image.fromarray(PICTURE)
    exif = photo.getexif()
    exif[0x010E] = "taken at home"
    photo.save(tmp_path / "photo.jpg", exif=exif, comment=b"private note")
    with Image.open(tmp_path / "photo.jpg") as opened:
        for suffix in (".jpg", ".png", ".webp", ".gif"):
            for recipe in (RECIPE, None):
                content = save_picture(tmp_path / f"a{suffix}", opened, recipe).read_bytes()
                assert b"taken at home" not in content
                assert b"private note" not in content


def test_a_recipe_that_is_too_long_for_a_jpeg(tmp_path):
    inputs = [{"name": f"photo{n}.jpg", "sha256": "ab" * 32} for n in range(900)]
    long = {**RECIPE, "inputs": inputs}
    path = save_picture(tmp_path / "a.jpg", PICTURE, long)
    assert not has_room(path, long)
    [kind] = xmp_of(path).iter("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert kind.text == IPTC + "trainedAlgorithmicMedia"
    with pytest.raises(FeatureblendError, match="holds no recipe"):
        read_recipe(path)
    assert read_recipe(save_picture(tmp_path / "a.png", PICTURE, long)) == long
    save_picture(tmp_path / "a.bmp", PICTURE, RECIPE)
    assert not has_room(tmp_path / "a.bmp", RECIPE)


def test_video_entries_survive_an_mp4(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        container.metadata.update(video_entries(RECIPE))
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for packet in (*stream.encode(av.VideoFrame.from_ndarray(PICTURE, "rgb24")), *stream.encode()):
            container.mux(packet)
    assert read_recipe(path) == RECIPE
    with av.open(str(path)) as container:
        assert IPTC + "trainedAlgorithmicMedia" in container.metadata["comment"]
        assert "Synthetic" in container.metadata["description"]
    assert video_entries(None) == {}
    path.write_bytes(path.read_bytes().replace(b"Synthetic", b"Synth\xe9tic"))  # Latin-1, as old programs write
    assert read_recipe(path) == RECIPE
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(FeatureblendError, match=r"b\.mp4: the file is damaged or no video"):
        read_recipe(tmp_path / "b.mp4")


def test_a_recipes_own_file_and_the_json_of_a_blend(tmp_path):
    path = write_recipe(tmp_path / "a.json", RECIPE)
    assert read_recipe(path) == RECIPE
    (tmp_path / "b.json").write_text(json.dumps({"measures": {}, "recipe": RECIPE}))
    assert read_recipe(tmp_path / "b.json") == RECIPE


def test_what_is_no_recipe(tmp_path):
    for name, content, message in [
        ("a.json", b"{", "holds no recipe"),
        ("a.json", b"[1, 2]", "cannot read|holds no recipe"),
        ("a.json", b'{"inputs": 3, "featureblend": "1"}', "holds no recipe"),
        ("a.png", b"", "holds no recipe|cannot read"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "holds no recipe|cannot read"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FeatureblendError, match=message):
            read_recipe(tmp_path / name)


def test_missing_files_and_folders(tmp_path):
    for path, message in ((tmp_path / "no.png", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(FeatureblendError, match=message):
            read_recipe(path)
    with pytest.raises(FeatureblendError, match="no such file"):
        read_recipe(tmp_path / "no.mp4")


def test_a_packet_with_entities_is_not_expanded(tmp_path):
    """A short file must not fill the memory."""
    bomb = f'<!DOCTYPE x [<!ENTITY a "{"a" * 1000}">]><x xmlns:f="{metadata.OWN}"><f:recipe>&a;</f:recipe></x>'
    buffer = io.BytesIO()
    Image.fromarray(PICTURE).save(buffer, "JPEG", xmp=bomb.encode())
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    with pytest.raises(FeatureblendError, match="holds no recipe"):
        read_recipe(tmp_path / "a.jpg")
