"""The page that needs no server, opened from disk in a real browser: the same pixels as Python's, and nothing sent."""

import base64
import io
import subprocess
import sys
import tarfile
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from accessibility import broken_rules
from PIL import Image
from real_photos import shared_file

from featureblend import Blender
from featureblend.cli import main
from featureblend.errors import FeatureblendError
from featureblend.faces import EXAMPLES
from featureblend.io.image import save_image
from featureblend.web import static_page

pytest_plugins = ["web_server"]
pytestmark = pytest.mark.extras

PHOTOS = sorted(EXAMPLES.glob("*.jpg"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    tool = Path(__file__).parent.parent / "tools" / "fetch_web_runtime.py"
    subprocess.run([sys.executable, str(tool)], check=True)
    written = tmp_path_factory.mktemp("static") / "page"
    main(["web", "--static", str(written)])
    return written


class Page:
    """The page in a tab, and what it asked for."""

    def __init__(self, browser, folder, **options):
        self.context = browser.new_context(offline=True, **options)
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(120_000)
        self.asked, self.errors = [], []
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.goto((folder / "index.html").as_uri())
        self.tab.wait_for_selector("body[data-ready]", state="attached")

    def blend(self, photos, alpha, source=0, size=256, detail=True):
        """What the page shows for two photos, None for what the webcam sees, as an (H, W, 3) array."""
        self.tab.evaluate(
            """([alpha, source, size, detail]) => {
                faces.fill(null);
                delete document.body.dataset.shown;
                for (const [name, value] of Object.entries({ alpha, source, size })) element(name).value = value;
                element("detail").checked = detail;
            }""",
            [round(100 * alpha), source, size, detail],
        )
        for name, photo in zip(("first", "second"), photos, strict=True):
            if photo is None:
                for button in ("Cancel", "Take the photo"):
                    self.tab.get_by_label(f"{name} photo: webcam").click()
                    self.tab.click(f"text={button}")
            else:
                self.tab.set_input_files(f"#{name}", str(photo))
        self.tab.wait_for_selector("body[data-shown]", state="attached")
        return self.picture()

    def picture(self):
        address = self.tab.evaluate("element('blend').toDataURL()")
        picture = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def page(browser, folder):
    opened = Page(browser, folder)
    yield opened
    opened.context.close()
    assert [url for url in opened.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert opened.errors == []


@pytest.fixture(scope="module")
def blender():
    return Blender.from_pretrained(mend=False)


def difference(page, blender, photos, alpha, source=0, size=256, detail=True):
    shown = page.blend(photos, alpha, source, size, detail)
    made = blender.blend(photos, alpha=alpha, surroundings=source + 1, size=size, detail=detail, measures="none")
    return np.abs(shown - np.asarray(made.image)).mean()


def check_pairs(page, blender, photos, count):
    pairs = list(combinations(photos, 2))[:count]
    found = [
        difference(page, blender, pair, (0.5, 0.25, 0.8)[place % 3], place % 2) for place, pair in enumerate(pairs)
    ]
    assert max(found) < 2
    assert np.mean(found) < 0.5


def test_pairs_have_pythons_pixels(page, blender):
    check_pairs(page, blender, PHOTOS, 2)


def test_a_photo_may_come_from_the_webcam(page, blender):
    shown = page.blend([PHOTOS[1], None], 0.8, 1)
    made = blender.blend([PHOTOS[1], PHOTOS[0]], alpha=0.8, surroundings=2, size=256, measures="none")
    # The stand-in's colours are a little off.
    assert np.corrcoef(shown.ravel(), np.asarray(made.image).ravel())[0, 1] > 0.95
    assert page.tab.evaluate("document.querySelector('video').srcObject.getTracks()[0].readyState") == "ended"


@pytest.mark.real_photos
def test_ten_pairs_have_pythons_pixels(page, blender, tmp_path):
    with tarfile.open(shared_file("studio34.tar")) as tar:
        members = [member for member in tar if "neutral/" in member.name and member.name.endswith(".jpg")]
        for member in members[:5]:
            (tmp_path / Path(member.name).name).write_bytes(tar.extractfile(member).read())
    check_pairs(page, blender, sorted(tmp_path.glob("*.jpg")), 10)


@pytest.mark.parametrize(("size", "detail"), [(512, True), (256, False)])
def test_other_sizes_and_what_the_networks_draw_alone(page, blender, size, detail):
    assert difference(page, blender, PHOTOS[:2], 0.5, 1, size, detail) < 2


def test_the_slider_moves_the_blend_and_the_photos_are_swapped(page, blender):
    page.blend(PHOTOS[:2], 0.5)
    names = page.tab.locator(".photo span").all_inner_texts()
    for pair, act in ((PHOTOS[:2], "element('alpha').value = 0; update()"), (PHOTOS[1::-1], "element('swap').click()")):
        page.tab.evaluate(f"delete document.body.dataset.shown; {act}")
        page.tab.wait_for_selector("body[data-shown]", state="attached")
        first = blender.blend(pair, alpha=0, surroundings=1, size=256, measures="none")
        assert np.abs(page.picture() - np.asarray(first.image)).mean() < 2
        assert page.tab.inner_text("#percent") == "0 %"
    assert page.tab.locator(".photo span").all_inner_texts() == names[::-1]


def test_the_page_is_accessible(browser, folder):
    page = Page(browser, folder, bypass_csp=True)
    for scheme in ("light", "dark"):
        page.tab.emulate_media(color_scheme=scheme)
        assert broken_rules(page.tab) == [], scheme
    page.context.close()


def test_a_small_face_in_a_large_photo_is_found(page, blender, tmp_path):
    wall = np.full((1200, 1600, 3), 180, np.uint8)
    wall[700:956, 1100:1356] = np.asarray(Image.open(PHOTOS[0]).resize((256, 256), Image.Resampling.LANCZOS))
    save_image(tmp_path / "wall.png", wall)
    assert difference(page, blender, [tmp_path / "wall.png", PHOTOS[1]], 0.5) < 2


def test_what_is_saved_is_marked_as_synthetic(page, tmp_path):
    shown = page.blend(PHOTOS[:2], 0.5)
    with page.tab.expect_download() as waiting:
        page.tab.click("#download")
    waiting.value.save_as(tmp_path / "saved.png")
    saved = Image.open(tmp_path / "saved.png")
    assert (np.asarray(saved.convert("RGB")) == shown).all()
    assert "digitalsourcetype/compositeWithTrainedAlgorithmicMedia" in saved.text["XML:com.adobe.xmp"]


def test_a_photo_without_a_face_and_a_file_that_is_none_are_named(page, tmp_path):
    save_image(tmp_path / "wall.png", np.full((64, 64, 3), 90, np.uint8))
    (tmp_path / "letter.jpg").write_text("Dear all")
    for name in ("wall.png", "letter.jpg"):
        page.tab.set_input_files("#first", str(tmp_path / name))
        page.tab.wait_for_function("name => element('message').textContent.includes(name + ': try a')", arg=name)
        assert page.tab.get_attribute("#message", "class") == "error"


def test_the_whole_page_is_small(folder):
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 30e6


def test_another_page_is_not_written_over(tmp_path):
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(FeatureblendError, match="another page is there"):
        static_page.write_static_page(tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_runtime_that_is_missing_or_changed_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(static_page, "RUNTIME", tmp_path)
    with pytest.raises(FeatureblendError, match="onnxruntime-web is missing"):
        static_page.write_static_page(tmp_path / "page")
    for name, _ in static_page.RUNTIME_FILES.values():
        (tmp_path / name).write_text("another")
    with pytest.raises(FeatureblendError, match="changed"):
        static_page.write_static_page(tmp_path / "page")
    assert not (tmp_path / "page").exists()
