"""What the page shows once a slider rests, and what it keeps of whom."""

from types import SimpleNamespace

import pytest

from featureblend.blend.blender import Blender
from featureblend.faces import EXAMPLES
from featureblend.model.folder import find_model
from featureblend.web import app
from featureblend.web.app import Page
from featureblend.web.studio import SIZES, Studio


@pytest.fixture(scope="module")
def studio(detector):
    return Studio(Blender(find_model(), detector))


@pytest.fixture
def page(studio):
    return Page(studio)


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


def test_who_has_closed_the_page_is_forgotten_but_for_the_last_few(studio, page, monkeypatch):
    """With their photos, unless somebody else has them on the table, or takes them back with "Undo"."""
    from gradio.state_holder import StateHolder

    searched, search = [], studio.blender.detector.search
    monkeypatch.setattr(studio.blender.detector, "search", lambda pixels: searched.append(1) or search(pixels))
    monkeypatch.setattr(app, "MOST_GONE", 2)
    monkeypatch.setattr(app, "AT_WORK", 0)
    studio.cache.keep((), 0)  # other tests' photos
    page.blocks.state_session_capacity = 100
    holder = StateHolder()
    holder.set_blocks(page.blocks)
    content = (EXAMPLES / "first.jpg").read_bytes()
    tables = {visitor: studio.added((), visitor, content + visitor.encode()) for visitor in ("ana", "ben", "cem")}
    tables |= {"dan": tables["ben"], "eva": ()}
    for visitor, table in tables.items():
        holder[visitor].state_data[page.at.table._id] = table
        page.moves[visitor] += 1
    holder["eva"].state_data[page.at.before_that._id] = (tables["cem"], [50.0])
    assert not page.forget_who_left()
    assert set(holder.session_data) == set(page.moves) == set(tables)
    assert len(searched) == 3

    for visitor in ("ben", "cem", "dan"):
        holder.session_data[visitor].is_closed = True
    holder["ben"]  # came back, after all
    assert page.forget_who_left()
    assert set(holder.session_data) == set(holder.time_last_used) == set(page.moves) == {"ana", "ben", "dan", "eva"}
    del holder.session_data["ana"]  # as Gradio does where there are too many
    page.forget_who_left()
    assert set(page.moves) == {"ben", "dan", "eva"}
    for visitor, times in (("cem", 3), ("ben", 4), ("ana", 5)):
        studio.added((), visitor, content + visitor.encode())
        assert len(searched) == times
