"""What the page shows once a slider rests."""

from types import SimpleNamespace

import gradio
import pytest

from featureblend.blend.blender import Blender
from featureblend.faces import EXAMPLES
from featureblend.model.folder import find_model
from featureblend.web.app import _Page
from featureblend.web.studio import SIZES, Studio


@pytest.fixture(scope="module")
def studio(detector):
    return Studio(Blender(find_model(), detector))


@pytest.fixture
def page(studio):
    with gradio.Blocks():
        return _Page(studio)


@pytest.fixture
def values(studio):
    """What is on the page: two photos, and how they are blended."""
    table = ()
    for name in ("first.jpg", "second.jpg"):
        table = studio.added(table, name, (EXAMPLES / name).read_bytes())
    return [table, "latent", "blend", next(name for name, size in SIZES.items() if size == "model"), 0, True, 50, 50]


@pytest.mark.parametrize(("background", "times"), [("blend", 1), ("black", 2)])
def test_what_is_measured_is_shown_where_it_is_the_same_picture(page, values, monkeypatch, background, times):
    blend_faces, made = Blender.blend_faces, []
    monkeypatch.setattr(Blender, "blend_faces", lambda *given, **how: made.append(how) or blend_faces(*given, **how))
    values[2] = background
    assert page.at.picture in page._settled(SimpleNamespace(session_hash="ben"), 0, *values)
    assert len(made) == times


def test_a_slider_that_moves_while_the_blend_is_measured_keeps_its_picture(studio, page, values, monkeypatch):
    visitor = SimpleNamespace(session_hash="ana")
    assert page.at.picture in page._settled(visitor, 0, *values)

    measured = studio.measured

    def while_it_moves(*given):
        page.moves["ana"] += 1
        return measured(*given)

    monkeypatch.setattr(studio, "measured", while_it_moves)
    assert page.at.picture not in page._settled(visitor, 0, *values)


def test_an_example_that_nobody_picked_is_a_sentence_on_the_page(page, values):
    """What a request without a picture's place comes to."""
    for handler in (page._example([[0]]), page._example([[0, 1]], afresh=True)):
        update = handler(None, *values)
        assert list(update) == [page.at.message]
        assert "terminal says more" in update[page.at.message]
