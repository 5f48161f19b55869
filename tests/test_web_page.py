"""The web page in a real browser: what somebody with two photos does, and what goes wrong."""

import base64
import io
import json

import numpy as np
import pytest
from accessibility import broken_rules
from example_photos import FIRST, SECOND, THIRD, small_example
from PIL import Image

from featureblend.edit.replay import replay
from featureblend.evaluation.degradation import degrade
from featureblend.io.image import load_image, save_image
from featureblend.io.metadata import read_recipe

pytest_plugins = ["web_server"]
pytestmark = pytest.mark.extras


def opened(address):
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


@pytest.fixture
def three(tmp_path):
    """Photos that are no larger than what the page shows: it shows the very picture that is saved."""
    return [save_image(tmp_path / f"{path.stem}.png", small_example(path.name)) for path in (FIRST, SECOND, THIRD)]


@pytest.fixture
def small(three):
    return three[:2]


def test_two_photos_a_slider_and_the_download(tab, tmp_path, small):
    one = tab()
    page = one.page
    one.put(*small)
    even = one.picture()
    assert page.inner_text("#picture figcaption") == "first.png 50 % · second.png 50 %"
    slider = page.locator("#weight-1 input[type=range]")
    slider.focus()
    for _ in range(7):  # by keyboard, faster than the answers come: the last value wins
        slider.press("ArrowLeft")
    # Only the last value, 43 : 50, is 46 %: the two before it are both shown as 47 %.
    page.wait_for_function("document.querySelector('#picture figcaption').innerText.startsWith('first.png 46 %')")
    moved = one.picture()
    assert np.abs(np.asarray(opened(even), int) - np.asarray(opened(moved), int)).max() > 2
    page.wait_for_selector("#measures .fb-bars li")
    assert "of outlines doubled" in page.inner_text("#measures .fb-verdict")

    with page.expect_download() as started:
        page.click("#download")
    assert started.value.suggested_filename == "blend-first-second.png"
    saved = tmp_path / "blend.png"
    started.value.save_as(saved)
    with Image.open(saved) as picture:
        recipe = json.loads(picture.text["featureblend"])
        assert picture.tobytes() == opened(moved).tobytes()  # what was shown is what is saved
    assert [entry["name"] for entry in recipe["inputs"]] == ["first.png", "second.png"]
    assert recipe["weights"] == pytest.approx([43 / 93, 50 / 93])

    from featureblend.blend.blender import Blender

    again = Blender.from_pretrained().blend(small, [43, 50], which=recipe["faces"])
    assert again.image.tobytes() == opened(moved).tobytes()


def test_a_photo_is_restored_or_left(tab, tmp_path, small):
    save_image(tmp_path / "noisy.png", degrade(load_image(small[0]), "noise"))
    one = tab()
    page = one.page
    one.put(tmp_path / "noisy.png", small[1])
    one.picture()
    page.wait_for_selector("#measures .fb-warnings")
    said = page.inner_text("#measures .fb-warnings")
    assert "noise, blur or compression was taken out" in said
    assert "the box beside the picture" in said
    assert "--no-mend" not in said
    page.uncheck("#mend input")
    page.wait_for_function("!document.querySelector('#measures').innerText.includes('taken out')")
    with page.expect_download() as started:
        page.click("#download")
    started.value.save_as(tmp_path / "left.png")
    with Image.open(tmp_path / "left.png") as picture:
        assert json.loads(picture.text["featureblend"])["model"]["mend"] is False
        assert picture.tobytes() == opened(one.picture()).tobytes()


def test_what_cannot_be_blended_is_said_in_a_sentence(tab, tmp_path, small):
    (tmp_path / "letter.jpg").write_text("<html>")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)).save(tmp_path / "beach.png")
    one = tab()
    one.put(tmp_path / "letter.jpg", tmp_path / "beach.png", small[0])
    said = one.errors_shown()
    assert said[0].startswith("cannot read letter.jpg: ")
    assert said[1].startswith("no face found in beach.png: try a photo with")
    one.page.wait_for_function(  # while it works, a clock stands there too
        "document.querySelector('#picture').innerText === 'Add one more photo to see a blend.'"  # the good one stayed
    )
    assert "Traceback" not in one.page.content()
    one.put(small[1])
    one.picture()
    one.page.wait_for_selector("#message .fb-error", state="detached")
    for place in (1, 2):
        one.page.locator(f"#weight-{place} input[type=range]").press("Home")
    assert one.errors_shown() == ["all weights are 0: move at least one slider up."]


def test_cards_are_moved_their_faces_picked_and_their_photos_cropped(tab, tmp_path, three):
    pair = [np.asarray(Image.open(path).convert("RGB")) for path in (FIRST, SECOND)]
    Image.fromarray(np.concatenate(pair, axis=1)).resize((1024, 512)).save(tmp_path / "pair.png")
    one = tab(bypass_csp=True)
    page = one.page
    one.put(tmp_path / "pair.png", three[2])
    page.wait_for_selector("#measures .fb-verdict")  # the cards stand where they stay
    assert "pair.png: 2 faces are in it" in page.inner_text("#message .fb-note")

    def then_shown(act, first, other_face=True):
        face = page.get_attribute("img[alt$='pair.png']", "src")
        act()
        page.wait_for_function(
            "([first, other, face]) => document.querySelector('#picture figcaption').innerText.startsWith(first) && "
            "document.querySelector('#card-1 .fb-face').alt.endsWith(first) && "  # the cards are redrawn too
            "(document.querySelector('.fb-grip + img[alt$=\"pair.png\"]').src !== face) === other",
            arg=[first, other_face, face],
        )

    def drag():
        for place in (0, 1):
            page.locator(".fb-grip").nth(place).hover(trial=True)  # which waits until it moves no more
        boxes = [page.locator(".fb-grip").nth(place).bounding_box() for place in (0, 1)]
        page.mouse.move(boxes[0]["x"] + 9, boxes[0]["y"] + 9)
        page.mouse.down()
        page.mouse.move(boxes[1]["x"] + 9, boxes[1]["y"] + 9, steps=3)
        page.mouse.up()

    then_shown(drag, "third.png", other_face=False)
    then_shown(lambda: page.locator(".fb-grip").nth(1).press("ArrowUp"), "pair.png", other_face=False)
    page.wait_for_function("document.activeElement.dataset.place === '1'")  # the handle stays in hand

    page.click("#crop-1")
    assert broken_rules(page) == []
    then_shown(lambda: page.locator(".fb-pick[aria-pressed=false]").click(), "pair.png")
    page.click("#crop-1")
    for _ in range(30):  # the right edge, to where only the first face is left
        page.locator(".fb-corner").nth(1).press("ArrowLeft")
    page.locator(".fb-corner").nth(2).press("ArrowUp")
    page.click(".fb-use")
    page.wait_for_function("document.querySelector('#crop-1').innerText === 'Crop'")  # one face is left
    with page.expect_download() as started:
        page.click("#download")
    started.value.save_as(tmp_path / "blend.png")
    assert read_recipe(tmp_path / "blend.png")["inputs"][0]["crop"] == [0, 0, 410, 502]
    replay(tmp_path / "blend.png", tmp_path / "again.png", [tmp_path / "pair.png", three[2]])
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "blend.png").read_bytes()


def test_continuum_compare_before_and_after_and_how_good(tab, tmp_path):
    one = tab(color_scheme="dark", bypass_csp=True)
    page = one.page
    assert page.evaluate("document.body.classList.contains('dark')")
    page.wait_for_selector(".loading", state="detached")
    assert broken_rules(page) == []
    page.locator("#examples button").nth(0).click()
    page.wait_for_selector("#card-1 .fb-face")
    page.locator("#examples button").nth(1).click()
    one.picture()
    page.wait_for_selector("#measures .fb-verdict")

    page.get_by_role("tab", name="Before / after").click()
    page.locator("#sides input[type=range]").press("End")
    assert page.evaluate("document.querySelector('.fb-compare').style.getPropertyValue('--cut')") == "100%"

    page.get_by_role("tab", name="Continuum").click()
    page.wait_for_selector(".fb-player")  # made by itself
    assert page.locator(".fb-frames img").count() == 11
    while page.locator("#steps input[type=number]").input_value() != "3":  # a slider that has just appeared may be deaf
        page.locator("#steps input[type=range]").press("Home")
        page.wait_for_timeout(50)
    page.click("#go")
    page.wait_for_function("document.querySelectorAll('.fb-frames img').length === 3")
    page.wait_for_function("document.querySelector('.fb-player input').value !== '0'")  # it plays by itself
    page.locator(".fb-player input").press("End")  # and holds
    page.wait_for_timeout(300)
    assert page.inner_text(".fb-caption") == "first.jpg 0 % · second.jpg 100 %"
    page.click(".fb-play")
    page.wait_for_function("document.querySelector('.fb-player input').value !== '2'")
    with page.expect_download() as started:
        page.click("#save-continuum")
    started.value.save_as(tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"

    page.get_by_role("tab", name="Compare").click()
    page.wait_for_selector(".fb-sheet")  # made by itself, too
    titles = page.locator(".fb-sheet figcaption > b").all_inner_texts()
    assert titles[:4] == ["first.jpg", "second.jpg", "latent", "pixel"]
    assert "morph" in titles
    assert broken_rules(page, "[role=tabpanel]") == []

    page.get_by_role("tab", name="How good is it?").click()
    assert page.locator("#quality").inner_text().strip()


def test_a_pair_of_examples_whose_hair_swap_undo_and_formats(tab, tmp_path):
    one = tab()
    one.page.locator("#pairs button").nth(1).click()
    one.picture()
    one.page.wait_for_selector("#measures .fb-verdict")
    assert "third.jpg 50 % · sixth.jpg 50 %" in one.page.locator("#picture figcaption").inner_text()
    one.page.click("#swap")
    one.page.wait_for_function("document.querySelector('#picture figcaption').innerText.startsWith('sixth.jpg')")
    one.page.click("#remove-1")
    one.page.wait_for_selector("#remove-2", state="hidden")
    one.page.click("#undo")
    one.page.wait_for_selector("#remove-2")
    one.page.wait_for_function("document.querySelector('#picture figcaption').innerText.startsWith('sixth.jpg')")
    one.page.get_by_label("as the model").click()  # which takes less time than what the photos hold
    hair = {}
    for place in (0, 1, 2):
        one.page.locator("#hair label").nth(place).click()
        one.page.wait_for_timeout(300)
        one.page.locator("#picture-format input").click()
        suffix, option = ((".png", "PNG"), (".jpg", "JPEG"), (".webp", "WebP"))[place]
        one.page.get_by_role("option", name=option).click()
        with one.page.expect_download() as download:
            one.page.click("#download")
        path = tmp_path / f"{place}{suffix}"
        download.value.save_as(path)
        assert download.value.suggested_filename.endswith(suffix)
        recipe = read_recipe(path)
        assert [given["name"] for given in recipe["inputs"]] == ["sixth.jpg", "third.jpg"]
        hair[place] = recipe["surroundings"]
    assert hair == {0: "blend", 1: 1, 2: 2}


def test_no_tab_moves_the_page(tab, small):
    one = tab(viewport=(1280, 800), bypass_csp=True)
    one.put(*small)
    one.page.wait_for_selector("#measures .fb-verdict")
    for name in ("#download", "#picture figcaption", "#weight-2", "#hair", "#background", "#size", "#mend"):
        box = one.page.locator(name).bounding_box()
        assert box["y"] + box["height"] <= 800, name  # in one look
    labels = one.page.locator(".fb-tiles span, .fb-card button, .fb-save button")
    cut = "found => found.filter(box => box.scrollWidth > box.clientWidth).map(box => box.innerText)"
    assert labels.evaluate_all(cut) == []
    seen = set()
    for name in ("Blend", "Before / after", "Continuum", "Compare", "How good is it?"):
        one.page.get_by_role("tab", name=name).click()
        one.page.wait_for_selector({"Continuum": ".fb-player", "Compare": ".fb-sheet"}.get(name, "#card-1"))
        one.page.wait_for_timeout(200)
        seen.add(tuple(one.page.locator("#card-1").first.bounding_box().values()))
        assert one.page.evaluate("document.documentElement.scrollWidth") <= 1280
        assert broken_rules(one.page, None if name == "Blend" else "[role=tabpanel]") == []  # the rest is the same
    assert len(seen) == 1
    table = one.page.locator("#quality .fb-scroll")
    assert table.evaluate("box => box.scrollWidth <= box.clientWidth")  # not cut off


def test_phone_width(tab, three):
    one = tab(viewport=(360, 740), has_touch=True)
    one.put(*three)
    one.picture()
    one.page.wait_for_selector("#measures .fb-verdict")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("#weight-3 input[type=range]", "#picture img", "#download"):
        box = one.page.locator(name).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["width"] >= 100
    card, remove = (one.page.locator(name).first.bounding_box() for name in ("#card-3", "#remove-3"))
    assert remove["x"] + remove["width"] <= card["x"] + card["width"]
    one.page.click("#remove-3")
    one.page.wait_for_selector("#remove-3", state="hidden")


def test_the_server_asks_nobody_and_keeps_to_itself(tab, server):
    one = tab()
    policy = one.page.request.get(server.address).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    refused = one.page.evaluate("fetch('https://example.com').then(() => 'sent', error => error.name)")
    assert refused == "TypeError"
    assert one.hosts == ["https://example.com/"] or one.hosts == []
    assert any("Content Security Policy" in said for said in one.errors)
    one.hosts.clear()
    one.errors.clear()
    assert not server.log.exists(), server.log.read_text()
    assert [path for path in server.home.rglob("*") if path.is_file()] == []
    assert list(server.work.iterdir()) == []
