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


def test_a_slider_that_moves_while_the_blend_is_measured_keeps_its_picture(studio, monkeypatch):
    with gradio.Blocks():
        page = _Page(studio)
    visitor = SimpleNamespace(session_hash="ana")
    table = ()
    for name in ("first.jpg", "second.jpg"):
        table = studio.added(table, name, (EXAMPLES / name).read_bytes())
    values = (table, "latent", "blend", next(name for name, size in SIZES.items() if size == "model"), True, 50, 50)
    rested = page._settled(visitor, 0, *values)
    assert page.at.picture in rested

    measured = studio.measured

    def while_it_moves(*given):
        page.moves["ana"] += 1
        return measured(*given)

    monkeypatch.setattr(studio, "measured", while_it_moves)
    assert page.at.picture not in page._settled(visitor, 0, *values)
