"""What the web page does, without a page: the table, the sentences, the figures of the model, and the command."""

import hashlib
import io
import json
import shutil
import socket
from dataclasses import replace

import numpy as np
import pytest
import record_quality
from example_photos import small_example
from PIL import Image

from featureblend.blend.blender import Blender
from featureblend.blend.compositing import BACKGROUNDS
from featureblend.blend.pipeline import METHODS
from featureblend.cli import main
from featureblend.errors import FeatureblendError
from featureblend.evaluation.degradation import degrade
from featureblend.evaluation.figures import FIGURES
from featureblend.faces import EXAMPLES
from featureblend.io.image import save_image
from featureblend.model.folder import find_model
from featureblend.web import fragments
from featureblend.web.quality import SHOWN, read_quality
from featureblend.web.studio import MAX_PHOTOS, PREVIEW, Look, Studio

pytestmark = pytest.mark.usefixtures("model_sized")

NAMES = ("first.jpg", "second.jpg", "third.jpg")


@pytest.fixture(scope="module")
def studio(detector):
    return Studio(Blender(find_model(), detector))


@pytest.fixture
def table(studio):
    found = ()
    for name in NAMES[:2]:
        found = studio.added(found, name, (EXAMPLES / name).read_bytes())
    return found


def test_a_photo_is_searched_once(studio, table, monkeypatch):
    monkeypatch.setattr(studio.blender.detector, "search", lambda image: pytest.fail("searched again"))
    again = studio.added(table, "copy of the first.jpg", (EXAMPLES / NAMES[0]).read_bytes())
    assert studio.face(again[2]) is studio.face(again[0])


def test_what_was_forgotten_is_read_again(studio, table, monkeypatch):
    before = studio.preview(table, [1, 1], Look()).image
    monkeypatch.setattr(studio.cache, "room", 1)
    studio.added((), NAMES[2], (EXAMPLES / NAMES[2]).read_bytes())
    assert sum(found.photo is not None for found in studio.cache._found.values()) == 1
    assert studio.preview(table, [1, 1], Look()).image.tobytes() == before.tobytes()


def test_a_page_that_is_open_for_long_forgets_the_oldest_faces(studio, table, monkeypatch):
    before = studio.preview(table, [1, 1], Look()).image
    monkeypatch.setattr(studio.cache, "most", 2)
    studio.added((), NAMES[2], (EXAMPLES / NAMES[2]).read_bytes())
    assert list(studio.cache._found) == [
        table[1].key,
        (hashlib.sha256((EXAMPLES / NAMES[2]).read_bytes()).hexdigest(), None),
    ]
    assert studio.preview(table, [1, 1], Look()).image.tobytes() == before.tobytes()


def test_the_table_takes_six(studio, table):
    full = table * 3
    assert len(full) == MAX_PHOTOS
    with pytest.raises(FeatureblendError, match=r"^ben.png was left out: 6 photos are blended at most"):
        studio.added(full, "ben.png", (EXAMPLES / NAMES[2]).read_bytes())


def test_what_is_shown_is_what_is_saved(studio, table):
    """As long as it is no larger than the live picture."""
    for background in BACKGROUNDS:
        look = Look(background=background, size=200)
        shown, saved = (make(table, [30, 10], look) for make in (studio.preview, studio.blend))
        assert shown.image.tobytes() == saved.image.tobytes()
        assert max(shown.image.size) == 200
        assert shown.recipe["inputs"] == saved.recipe["inputs"]
        assert shown.measures == {}
        assert saved.measures["ghosting"] >= 0


def test_a_part_of_a_photo_that_lies_on_its_side(studio, table):
    """Parts are shares of the upright photo; recipes hold pixels of the file."""
    upright = Image.open(EXAMPLES / NAMES[2]).convert("RGB").resize((400, 400))
    content = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(content, "PNG")
    (photo,) = studio.added((), "side.png", content.getvalue())
    part = studio.cropped(photo, (0.05, 0.1, 1, 0.9))
    assert part.crop == (40, 0, 360, 380)
    assert np.allclose(studio.whole(part).part, (0.05, 0.1, 1, 0.9))
    assert studio.face(part).quarter_turns == studio.face(photo).quarter_turns == 3
    assert studio.cropped(part, (0, 0, 1, 1)) == replace(photo, which="largest")
    with pytest.raises(FeatureblendError, match=r"^no face found in that part of side\.png"):
        studio.cropped(photo, (0, 0, 0.2, 0.2))
    with pytest.raises(FeatureblendError, match="too small"):
        studio.cropped(photo, (0.5, 0.5, 0.5, 1))


def test_the_live_picture_is_small(studio, tmp_path):
    large = tmp_path / "large.png"
    Image.open(EXAMPLES / NAMES[0]).resize((1024, 1024)).save(large)
    found = studio.added((), "large.png", large.read_bytes())
    found = studio.added(found, NAMES[1], (EXAMPLES / NAMES[1]).read_bytes())
    look = Look(background="source", size="source")
    assert max(studio.preview(found, [1, 1], look).image.size) == PREVIEW
    assert studio.blend(found, [1, 1], look).image.size == (1024, 1024)


def test_photos_are_not_restored_where_the_look_says_so(studio, detector, tmp_path):
    noisy, plain = tmp_path / "noisy.png", Blender(find_model(), detector, mend=False)
    save_image(noisy, degrade(small_example(NAMES[0]), "noise"))
    photos = [noisy, EXAMPLES / NAMES[1]]
    table = ()
    for path in photos:
        table = studio.added(table, path.name, path.read_bytes())
    for mend, blender in ((True, studio.blender), (False, plain), (True, studio.blender)):
        wanted, look = blender.blend(photos, surroundings="blend"), Look(mend=mend)
        assert studio.blend(table, [1, 1], look).image.tobytes() == wanted.image.tobytes()
        shown = studio.preview(table, [1, 1], look)
        assert shown.image.tobytes() == wanted.image.tobytes()
        assert shown.recipe["model"] == wanted.recipe["model"]
        measured = studio.measured(table, [1, 1], look)[0]
        assert any("taken out" in line for line in measured.warnings) == mend
        assert dict(studio.compared(table, [1, 1], mend))["latent"].image.tobytes() == wanted.image.tobytes()
        way = studio.continuum(table, 3, "latent", mend)
        assert way.frames[1].tobytes() == wanted.image.tobytes()
    assert (studio.mends, Studio(plain).mends) == (True, False)


def test_every_method_is_compared(studio, table):
    found = dict(studio.compared(table, [1, 1]))
    assert tuple(found) == METHODS
    assert len({made.image.tobytes() for made in found.values()}) == len(METHODS)


def test_names_are_shown_as_text():
    html = fragments.card(Image.new("RGB", (4, 4)), '"><script>alert(1)</script>')
    assert "<script" not in html
    assert "<script" not in fragments.notice("no face found in <script>")


def metrics_of(identity):
    lines = []
    for method, shift in (("real", 0.0), ("latent", 0.1), ("pixel", 0.3)):
        for figure in SHOWN:
            model = identity if method == "latent" else ""
            lines.append(
                {
                    "protocol": "pairs50_test",
                    "method": method,
                    "model": model,
                    "figure": figure,
                    "value": shift,
                    "count": 50,
                }
            )
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_figures_go_into_the_model_folder_and_onto_the_page(tmp_path, studio):
    folder = tmp_path / "model"
    shutil.copytree(studio.blender.folder, folder)
    (folder / "evaluation.json").unlink(missing_ok=True)
    assert read_quality(folder) is None
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text(metrics_of(studio.blender.config.identity))
    assert record_quality.record_quality(metrics, folder) == folder / "evaluation.json"
    quality = read_quality(folder)
    assert [row.method for row in quality.rows] == ["latent", "pixel", "real"]
    assert [column.name for column in quality.columns] == list(SHOWN)
    best = {column.name: column.best_value for column in quality.columns}
    assert best["ghosting"] == 0.1  # less is better; real photos do not compete
    assert best["mmpmr"] == 0.3  # more is better
    assert quality.doubt(studio.blender.config.identity) == ""
    assert "was not measured yet" in quality.doubt("another")
    html = fragments.quality_table(quality, "another")
    assert "50 pairs" in html
    assert FIGURES["ghosting"].meaning in html


def test_figures_of_another_model_are_refused(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text(metrics_of("0123456789ab"))
    with pytest.raises(FeatureblendError, match="measured the model 0123456789ab"):
        record_quality.record_quality(metrics, find_model())
    metrics.write_text("{}")
    with pytest.raises(FeatureblendError, match=r"is no metrics\.jsonl"):
        record_quality.record_quality(metrics, find_model())


def refusal(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(["web", *words])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.mark.extras
def test_the_command_refuses_what_it_should(capsys, monkeypatch):
    assert "--share" in refusal(capsys, "--share")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"--port {port + 1}" in refusal(capsys, "--port", str(port))
    assert "0 to 65535" in refusal(capsys, "--port", "70000")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "[web]'" in refusal(capsys)


def test_a_slider_costs_at_most_a_quarter_of_a_second(studio, table):
    """Of the processor, the page's share included: the picture as text. The best of some: other work may run beside."""
    import time

    taken = []
    for weight in range(8):
        start = time.process_time()
        made = studio.preview(table, [50, 40 + weight], Look())
        fragments.figure(made.image, "a", made.recipe)
        taken.append(time.process_time() - start)
    assert np.min(taken) <= 0.25
