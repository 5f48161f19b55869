"""Layout of the page; `app` holds the handlers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from ..blend.compositing import BACKGROUNDS
from ..blend.pipeline import METHODS
from ..faces import EXAMPLES
from . import fragments
from .studio import MAX_PHOTOS, SIZES

HERE = Path(__file__).parent
STYLE = (HERE / "page.css").read_text(encoding="utf-8")
HEAD = f"<script>{(HERE / 'page.js').read_text(encoding='utf-8')}</script>"

EXAMPLE_FILES = [EXAMPLES / f"{name}.jpg" for name in ("first", "second", "third", "fourth", "fifth", "sixth")]

BACKGROUND_NAMES = {
    "blend": "its own",
    "source": "photo 1",
    "transparent": "none",
    "black": "black",
    "average": "average",
}

EXAMPLE_PAIRS = [(0, 1), (2, 5), (3, 4)]
"""Examples that are blended by one click, by their places."""

FORMATS = {"MP4": ".mp4", "GIF": ".gif", "WebP": ".webp", "PNG sheet": ".png"}
"""What a continuum is saved as."""

PICTURE_FORMATS = {"PNG": ".png", "JPEG": ".jpg", "WebP": ".webp"}
"""What a blend is saved as."""


def hair_choices(count: int) -> list[tuple[str, int]]:
    """What `Look.hair` may be for so many photos, by what it is called."""
    return [("both" if count == 2 else "the best", 0), *((f"photo {place}", place) for place in range(1, count + 1))]


def strips(pictures: Sequence[Image.Image]) -> Image.Image:
    """One picture of several of the same size: each gives a strip, from left to right."""
    whole = pictures[0].copy()
    for place, picture in enumerate(pictures):
        left, right = (round(whole.width * edge / len(pictures)) for edge in (place, place + 1))
        whole.paste(picture.crop((left, 0, right, whole.height)), (left, 0))
    return whole


def pair_picture(places: Sequence[int], side: int = 192) -> Image.Image:
    """Example faces side by side, small."""
    picture = Image.new("RGB", (side * len(places), side))
    for column, place in enumerate(places):
        picture.paste(Image.open(EXAMPLE_FILES[place]).resize((side, side)), (side * column, 0))
    return picture


def theme() -> gr.themes.Base:
    """The page's look, with the system's own fonts, so that none is downloaded."""
    fonts, mono = ("system-ui", "sans-serif"), ("ui-monospace", "monospace")
    plain = gr.themes.Default(primary_hue="teal", neutral_hue="slate", font=fonts, font_mono=mono)
    # Gradio's grey on white and white on teal are too faint to read: WCAG 2 asks for a contrast of 4.5.
    return plain.set(
        body_text_color_subdued="*neutral_600",
        block_info_text_color="*neutral_600",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
    )


def _saving(button: str, choice: str, formats: Iterable[str]) -> tuple[gr.Button, gr.Dropdown]:
    """Make the download's button, with the choice of a format beside it; both have the ids that are given."""
    with gr.Row(elem_classes="fb-save"):
        return (
            gr.Button("Download", variant="primary", elem_id=button, min_width=100),
            gr.Dropdown(
                list(formats), show_label=False, label="Format of the download", container=False, min_width=84,
                elem_id=choice,
            ),
        )  # fmt: skip


class Layout:
    """The page's parts; made inside a `gradio.Blocks`.

    Parameters
    ----------
    quality : str
        HTML of the tab that says how good the model is.
    mends : bool
        Whether the model restores photos, so that there is a box to say that it shall not.
    """

    def __init__(self, quality: str, mends: bool) -> None:
        self.quality, self.mends = quality, mends
        gr.HTML(
            '<header class="fb-head"><h1>featureblend</h1><p>Blend two to six faces into one. Photos stay on this '
            "computer: nothing is sent anywhere.</p></header>"
        )
        self.table = gr.State(())
        self.before_that = gr.State(((), ()))
        """Photos and weights before the table last changed."""
        self.saved = gr.File(visible="hidden", elem_id="saved")
        self.asked = gr.HTML(
            "", elem_id="asked", js_on_load="window.featureblendAsk = (wish) => trigger('click', wish)"
        )
        """What page.js tells of what was done to a card: moved, cropped, another face picked."""
        self.dialog = gr.HTML("", elem_id="dialog")
        self.pictures = gr.HTML("", elem_id="pictures")
        self.scenes = gr.HTML("", elem_id="scenes")
        """Styles that show a picture above each choice of hair and of background."""
        self.played, self.compared = gr.State(None), gr.State(None)
        """What the continuum and the comparison that are shown were made of."""
        with gr.Row():
            with gr.Column(scale=5, min_width=300, elem_classes="fb-left"):
                self._photos()
            with gr.Column(scale=7, min_width=300, elem_classes="fb-right"), gr.Tabs():
                self._result()

    def _photos(self) -> None:
        self.drop = gr.File(show_label=False, file_count="multiple", height=84, elem_id="drop", elem_classes="fb-drop")
        self.cards = [self._card(place) for place in range(MAX_PHOTOS)]
        with gr.Row(elem_classes="fb-both"):
            self.swap = gr.Button("Swap the two", visible=False, size="sm", elem_id="swap")
            self.undo = gr.Button("Undo", visible=False, size="sm", elem_id="undo")
        self.message = gr.HTML("", elem_id="message")
        with gr.Accordion("Example faces", elem_id="example-box") as self.example_box:
            gr.HTML('<p class="fb-small">These people do not exist. A pair at one click:</p>')
            self.pairs = self._gallery([pair_picture(places) for places in EXAMPLE_PAIRS], "pairs")
            gr.HTML('<p class="fb-small">Or one more face:</p>')
            self.examples = self._gallery([pair_picture([place]) for place in range(len(EXAMPLE_FILES))], "examples")
        with gr.Accordion("Webcam", open=False, elem_id="webcam-box"):
            self.webcam = gr.Image(sources=["webcam"], type="filepath", label="Webcam", elem_id="webcam", buttons=[])

    def _gallery(self, pictures: list[Image.Image], name: str) -> gr.Gallery:
        return gr.Gallery(
            pictures,  # type: ignore[arg-type]
            show_label=False,
            columns=len(pictures),
            height="auto",
            object_fit="cover",
            allow_preview=False,
            interactive=False,
            container=False,
            buttons=[],
            elem_id=name,
            elem_classes=f"fb-examples fb-{name}",
        )

    def _card(self, place: int) -> dict[str, Any]:
        with (
            gr.Group(visible=False, elem_classes="fb-card", elem_id=f"card-{place + 1}") as group,
            gr.Row(elem_classes="fb-line"),
        ):
            face = gr.HTML("", elem_classes="fb-thumb")
            weight = gr.Slider(
                0, 100, 50, step=1, label=f"Photo {place + 1}", buttons=[], elem_classes="fb-weight",
                elem_id=f"weight-{place + 1}", interactive=True,
            )  # fmt: skip
            with gr.Column(elem_classes="fb-acts", min_width=64, scale=0):
                crop = gr.Button("Crop", elem_id=f"crop-{place + 1}", size="sm", min_width=64)
                remove = gr.Button("Remove", elem_id=f"remove-{place + 1}", size="sm", min_width=64)
        return {"group": group, "face": face, "weight": weight, "crop": crop, "remove": remove}

    def _result(self) -> None:
        with gr.Tab("Blend", id="blend"), gr.Row(elem_classes="fb-stage"):
            with gr.Column(elem_classes="fb-main", min_width=280):
                self.picture = gr.HTML(fragments.empty(0), elem_id="picture")
                self.measures = gr.HTML("", elem_id="measures")
            with gr.Column(elem_classes="fb-side", min_width=236, scale=0):
                self._look()
        with gr.Tab("Before / after", id="before"), gr.Row(elem_classes="fb-stage"):
            with gr.Column(elem_classes="fb-main", min_width=280):
                self.sides = gr.HTML(fragments.empty(0), elem_id="sides")
            with gr.Column(elem_classes="fb-side", min_width=236, scale=0):
                self.before = gr.Radio(
                    [("photo 1", 0)], value=0, label="Before", elem_id="before-choice", elem_classes="fb-tiles"
                )
        with gr.Tab("Continuum", id="continuum") as self.continuum_tab, gr.Row(elem_classes="fb-stage"):
            with gr.Column(elem_classes="fb-main", min_width=280):
                self.player = gr.HTML(fragments.empty(0), elem_id="player")
            with gr.Column(elem_classes="fb-side", min_width=236, scale=0):
                self.save_continuum, self.format = _saving("save-continuum", "format", FORMATS)
                self.steps = gr.Slider(3, 31, 11, step=1, label="Steps per pair", buttons=[], elem_id="steps")
                self.go = gr.Button("Update", size="sm", elem_id="go")
        with gr.Tab("Compare", id="compare") as self.compare_tab:
            self.sheet = gr.HTML(fragments.empty(0), elem_id="sheet")
            self.compare = gr.Button("Update", size="sm", elem_id="compare")
        with gr.Tab("How good is it?", id="quality"):
            gr.HTML(self.quality, elem_id="quality")

    def _look(self) -> None:
        self.download, self.picture_format = _saving("download", "picture-format", PICTURE_FORMATS)
        self.hair = gr.Radio(hair_choices(0), value=0, label="Hair and scene", elem_id="hair", elem_classes="fb-tiles")
        named = [(BACKGROUND_NAMES.get(name, name), name) for name in BACKGROUNDS]
        self.background = gr.Radio(
            named, value="blend", label="Background", elem_id="background", elem_classes="fb-tiles"
        )
        self.size = gr.Radio(
            list(SIZES), value=next(iter(SIZES)), label="Size", elem_id="size", elem_classes="fb-tiles"
        )
        self.method = gr.Dropdown(list(METHODS), value=METHODS[0], label="Method", elem_id="method")
        self.mend = gr.Checkbox(
            True,
            label="Undo noise, blur and weak light first",
            visible=self.mends,
            container=False,
            elem_id="mend",
        )
