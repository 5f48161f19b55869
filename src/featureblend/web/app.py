"""What happens on the page when something is moved: `studio` does the work, `layout` has the parts."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import LocalContext
from PIL import Image

from ..errors import FeatureblendError
from ..io.photo_warnings import told as warned
from ..io.progress import Listener, heard_by
from . import fragments
from .layout import EXAMPLE_FILES, EXAMPLE_PAIRS, FORMATS, PICTURE_FORMATS, Layout, hair_choices, strips
from .quality import read_quality
from .studio import ALL, LIVE, SHOWN, SIZES, Look, OnTable, Studio
from .words import bars, on_page, shares, verdict

MOST_GONE = 20
"""Visitors who have closed the page and whose tables are kept for their return, as a megabyte each: all of an hour's
would make memory grow with every visit."""

AT_WORK = 20
"""Seconds for which a photo that is on no table is kept: its visitor's first request may still be under way."""

MINUTE, UNCLAIMED = 60, 600
"""How often files are removed that nobody took, such as the uploads of a visitor who left at once, and how old they
are then, in seconds."""

PATIENCE = 0.15
"""Seconds that a slider must rest before the blend is measured: measuring would slow the next picture down."""

TOLD = gr.Progress()
"""Default of handlers that count their steps, by which Gradio knows them: the page shows how far they are."""

Update = dict[Any, Any]
"""New values by component; those that are not named stay as they are."""


def guarded(work: Callable[..., Update], box: gr.HTML) -> Callable[..., Update]:
    """Show a handler's errors as a sentence on the page."""

    @wraps(work)
    def handler(*values: Any) -> Update:
        try:
            return work(*values)
        except FeatureblendError as error:
            return {box: fragments.notice(f"{error}.")}
        except Exception as error:
            logging.getLogger(__name__).exception("the page met an error")
            return {
                box: fragments.notice(
                    f"This did not work, through no fault of your photos ({type(error).__name__}): "
                    "the terminal says more."
                )
            }

    return handler


class Page:
    """The page: its parts, their handlers, and the events that call them. `featureblend.web.server` launches it.

    Parameters
    ----------
    studio : Studio

    Attributes
    ----------
    blocks : gradio.Blocks
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.moves: Counter[str | None] = Counter()
        """How often each open page has moved a slider."""
        with gr.Blocks(title="featureblend", analytics_enabled=False, delete_cache=(MINUTE, UNCLAIMED)) as self.blocks:
            self.at = Layout(_quality(studio), studio.mends)
            self._connect()

    def forget_who_left(self) -> bool:
        """Drop what belongs to visitors who have closed the page, and photos that are on no open page's table.

        The last `MOST_GONE` keep their tables. Gradio keeps all tables for an hour, and a visitor's name for good.

        Returns
        -------
        bool
            Whether anything was dropped.
        """
        holder, moved = self.blocks.state_holder, list(self.moves)
        # Copied in one step, since others are added meanwhile; who has rested longest comes first.
        visitors = list(holder.session_data.items())
        gone = [visitor for visitor, session in visitors if session.is_closed][:-MOST_GONE]
        with holder.lock:
            for visitor in gone:
                holder.session_data.pop(visitor, None)
                holder.time_last_used.pop(visitor, None)
                self.blocks._queue.pending_event_ids_session.pop(visitor, None)
        sessions = dict(visitors)
        for visitor in gone:
            del sessions[visitor]
        for visitor in moved:
            if visitor not in sessions:
                del self.moves[visitor]
        held = set()
        for session in (one for one in sessions.values() if not one.is_closed):
            table = session.state_data.get(self.at.table._id) or ()
            former, _ = session.state_data.get(self.at.before_that._id) or ((), ())
            held |= {key for photo in (*table, *former) for key in (photo.key, replace(photo, crop=None).key)}
        return self.studio.cache.keep(held, AT_WORK) or bool(gone)

    def _connect(self) -> None:
        at = self.at
        weights = [card["weight"] for card in at.cards]
        look: list[Any] = [at.method, at.background, at.size, at.hair, at.mend]
        # Gradio takes inputs in one row: what is on the table, how to blend it, and the six sliders.
        self.inputs = [at.table, *look, *weights]
        shown = [at.message, at.picture, at.download]
        table = [
            at.message, at.table, at.drop, at.webcam, at.picture, at.download, at.example_box, at.before, at.player,
            at.sheet, at.hair, at.swap, at.undo, at.before_that, at.pictures, at.played,
            at.compared, at.dialog,
            *(part for card in at.cards for name, part in card.items() if name != "remove"),
        ]  # fmt: skip
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last"}
        slow = _slow(at.picture)

        settled = (
            self._guard(self._settled),
            [at.before, *self.inputs],
            [at.message, at.picture, at.measures, at.sides],
        )

        def then_measured(event: Any) -> Any:
            return event.then(*settled, **quick)

        def then_all(event: Any) -> None:
            then_measured(event).then(self._guard(self._tiled), self.inputs, [at.message, at.scenes], **quick)

        live = [
            *(weight.input for weight in weights),
            *(part.input for part in look),
        ]
        then_measured(gr.on(live, self._guard(self._blended), self.inputs, shown, **quick))
        at.before.input(*settled, **quick)
        then_all(at.drop.upload(self._guard(self._dropped), [at.drop, *self.inputs], table, **slow))
        then_all(at.webcam.input(self._guard(self._photographed), [at.webcam, *self.inputs], table, **slow))
        alone = [[place] for place in range(len(EXAMPLE_FILES))]
        then_all(at.examples.select(self._example(alone), self.inputs, table, **slow))
        then_all(at.pairs.select(self._example(EXAMPLE_PAIRS, afresh=True), self.inputs, table, **slow))
        then_all(at.swap.click(self._guard(self._swapped), self.inputs, table, **slow))
        then_all(at.undo.click(self._guard(self._undone), [at.before_that, *self.inputs], table, **slow))
        for place, card in enumerate(at.cards):
            then_all(card["remove"].click(self._guard(self._remover(place)), self.inputs, table, **slow))
            card["crop"].click(self._guard(self._opener(place)), self.inputs, [at.message, at.dialog], **slow).then(
                fn=None, js=f"() => featureblendCropper({place + 1})", **quick
            )
        then_all(at.asked.click(self._guard(self._done), self.inputs, table, **slow))
        film, played = [at.message, at.player, at.played], [at.played, at.steps, *self.inputs]
        filming = _slow(at.player, "full")
        at.go.click(self._guard(self._continuum), played, film, **filming)
        at.continuum_tab.select(self._guard(self._continuum_once), played, film, **filming)
        sheet, compared = [at.message, at.sheet, at.compared], [at.compared, *self.inputs]
        comparing = _slow(at.sheet, "full")
        at.compare.click(self._guard(self._compared), compared, sheet, **comparing)
        at.compare_tab.select(self._guard(self._compared_once), compared, sheet, **comparing)
        save: dict[str, Any] = {"fn": None, "inputs": at.saved, "js": "(file) => featureblendSave(file)"}
        at.download.click(
            self._guard(self._saved), [at.picture_format, *self.inputs], [at.message, at.saved], **slow
        ).then(**save, **slow)
        at.save_continuum.click(
            self._guard(self._continuum_saved), [at.steps, at.format, *self.inputs], [at.message, at.saved], **filming
        ).then(**save, **slow)

    def _guard(self, work: Callable[..., Update]) -> Callable[..., Update]:
        return guarded(work, self.at.message)

    def _shown(
        self, table: Sequence[OnTable], weights: Sequence[float], look: Look, said: str = "", at_most: int = LIVE
    ) -> Update:
        """Updates of the live picture and the line below it."""
        at = self.at
        if len(table) < 2:
            return {
                at.message: said,
                at.picture: fragments.empty(len(table)),
                at.download: gr.update(interactive=False),
            }
        names = [photo.name for photo in table]
        try:
            made = self.studio.preview(table, weights, look, at_most)
        except FeatureblendError as error:  # the photos stay on the table
            return {at.message: said + fragments.notice(f"{error}."), at.download: gr.update(interactive=False)}
        return {
            at.message: said,
            at.picture: fragments.figure(made.image, shares(names, weights), made.recipe),
            at.download: gr.update(interactive=True),
        }

    def _blended(self, request: gr.Request, *values: Any) -> Update:
        self.moves[request.session_hash] += 1
        return self._shown(*_read(values))

    def _settled(self, request: gr.Request, before: int, *values: Any) -> Update:
        """Measure the blend and show it larger, unless a newer one was asked for meanwhile."""
        at = self.at
        table, weights, look = _read(values)
        moves = self.moves[request.session_hash]
        time.sleep(PATIENCE)
        if self.moves[request.session_hash] != moves:
            return {at.measures: gr.skip()}
        if len(table) < 2 or not any(weights):
            return {at.measures: "", at.sides: fragments.empty(len(table))}
        names = [photo.name for photo in table]
        made, average = self.studio.measured(table, weights, look)
        words = verdict(made.measures, average, names)
        drawn = fragments.measure_bars(words, bars(made.measures, average, names), on_page(made.warnings))
        place = min(int(before or 0), len(table) - 1)
        sides = fragments.before_after(made.parents[place], made.image, names[place])
        large = made if look.background == "blend" else self.studio.preview(table, weights, look)
        if self.moves[request.session_hash] != moves:  # a slider that moved meanwhile has shown what is newer
            return {at.measures: gr.skip()}
        picture = fragments.figure(large.image, shares(names, weights), large.recipe)
        return {at.picture: picture, at.measures: drawn, at.sides: sides}

    def _tiled(self, *values: Any) -> Update:
        """Show the backgrounds to choose from, once the table has changed."""
        table, _, look = _read(values)
        tiles = enumerate(self.studio.backgrounds(table, look), 1) if len(table) > 1 else ()
        return {self.at.scenes: fragments.pictures((tile, [("background", place)]) for place, tile in tiles)}

    def _laid(
        self,
        table: Sequence[OnTable],
        weights: Sequence[float],
        values: Sequence[Any],
        notes: Sequence[tuple[str, str]] = (),
    ) -> Update:
        """Show what is on the table now, the cards and the live picture; `values` tell what was there, for "Undo"."""
        at = self.at
        request = LocalContext.request.get(None)
        # What is being measured is not what is shown any more.
        self.moves[request.session_hash if request else None] += 1
        former, former_weights, look = _read(values)
        look = replace(look, hair=_hair_of(former, look.hair, table))
        faces = [Image.fromarray(self.studio.face(photo).image) for photo in table]
        said = "".join(fragments.notice(text, kind) for text, kind in notes)
        update = self._shown(table, weights, look, said)
        for place, card in enumerate(at.cards):
            if place >= len(table):
                update |= {card["group"]: gr.update(visible=False), card["face"]: ""}
                continue
            photo = table[place]
            update |= {
                card["group"]: gr.update(visible=True),
                card["face"]: fragments.card(faces[place], photo.name, place + 1, len(table)),
                card["weight"]: gr.update(label=photo.name, value=weights[place]),
                card["crop"]: "Crop" if photo.faces == 1 else "Faces",
            }
        named = [(f"photo {place}", place - 1) for place in range(1, max(len(table), 1) + 1)]
        waiting = fragments.empty(len(table), "Press “Update” to make it.")
        tiles = [(face, [("hair", place + 1), ("before-choice", place)]) for place, face in enumerate(faces, 1)]
        pictures = fragments.pictures([(strips(faces), [("hair", 1)]), *tiles]) if len(table) > 1 else ""
        return update | {
            at.table: tuple(table),
            at.example_box: gr.update(open=len(table) < 2),
            at.hair: gr.update(choices=hair_choices(len(table)), value=look.hair),
            at.pictures: pictures,
            at.played: None,
            at.compared: None,
            at.dialog: "",
            at.swap: gr.update(visible=len(table) == 2),
            at.before_that: (former, former_weights),
            at.undo: gr.update(visible=bool(table) or bool(former)),
            at.drop: None,
            at.webcam: None,
            at.before: gr.update(choices=named, value=0),
            at.player: waiting,
            at.sheet: waiting,
        }

    def _put(self, files: Iterable[tuple[str, bytes]], values: Sequence[Any], afresh: bool = False) -> Update:
        """Put photos on the table, afresh in place of those there; name those that can't be used."""
        table, weights, _ = _read([() if afresh else values[0], *values[1:]])
        notes = []
        for name, content in files:
            try:
                table = self.studio.added(table, name, content)
            except FeatureblendError as error:
                notes.append((f"{error}.", "error"))
                continue
            weights = [*weights, 50.0]
            at_once = warned([self.studio.face(table[-1]).warnings], [name])
            notes += [(f"{line}.", "note") for line in on_page(at_once)]
        return self._laid(table, weights, values, notes)

    def _dropped(self, paths: Sequence[str] | None, *values: Any) -> Update:
        return self._put(map(_taken, paths or ()), values)

    def _photographed(self, path: str | None, *values: Any) -> Update:
        if path is None:
            return {self.at.message: gr.skip()}
        taken = sum(photo.name.startswith("webcam") for photo in values[0])
        return self._put([(f"webcam {taken + 1}", _taken(path)[1])], values)

    def _example(self, shown: Sequence[Sequence[int]], afresh: bool = False) -> Callable[..., Update]:
        """Put on the table whom the picked picture shows; afresh, in place of whoever is there."""

        def picked(event: gr.SelectData, *values: Any) -> Update:
            paths = [EXAMPLE_FILES[place] for place in shown[event.index]]
            return self._put([(path.name, path.read_bytes()) for path in paths], values, afresh)

        return self._guard(picked)

    def _swapped(self, *values: Any) -> Update:
        table, weights, _ = _read(values)
        return self._laid(table[::-1], weights[::-1], values)

    def _undone(self, former: tuple[Sequence[OnTable], Sequence[float]], *values: Any) -> Update:
        """Put back what was on the table before it last changed; once more takes that back."""
        return self._laid(*former, values)

    def _remover(self, place: int) -> Callable[..., Update]:
        def remove(*values: Any) -> Update:
            table, weights, _ = _read(values)
            return self._laid(
                [photo for index, photo in enumerate(table) if index != place],
                [weight for index, weight in enumerate(weights) if index != place],
                values,
            )

        return remove

    def _opener(self, place: int) -> Callable[..., Update]:
        def open_dialog(*values: Any) -> Update:
            photo = values[0][place]
            return {self.at.dialog: fragments.cropper(self.studio.whole(photo), photo.name, place + 1)}

        return open_dialog

    def _done(self, event: gr.EventData, *values: Any) -> Update:
        """Do to a card what page.js tells: move it, pick a face, crop its photo."""
        table, weights, _ = _read(values)
        wish, photos = event._data, list(table)
        place = int(wish["place"]) - 1
        if "to" in wish:
            to = min(max(int(wish["to"]) - 1, 0), len(photos) - 1)
            photos.insert(to, photos.pop(place))
            weights.insert(to, weights.pop(place))
        elif "which" in wish:
            photos[place] = replace(self.studio.cropped(photos[place], ALL), which=int(wish["which"]))
        else:
            photos[place] = self.studio.cropped(photos[place], [min(max(float(side), 0), 1) for side in wish["part"]])
        return self._laid(photos, weights, values)

    def _continuum_once(self, told: gr.Progress = TOLD, *values: Any) -> Update:
        """Make the continuum when its tab is opened, unless it is the one that is shown."""
        played, steps, *inputs = values
        table, _, look = _read(inputs)
        if len(table) < 2 or played == _film(table, steps, look):
            return {self.at.message: gr.skip()}
        return self._continuum(told, *values)

    def _continuum(self, told: gr.Progress = TOLD, *values: Any) -> Update:
        _, steps, *inputs = values
        table, _, look = _read(inputs)
        _two(table)
        with heard_by(_listener(told, "pictures")):
            made = self.studio.continuum(table, int(steps), look.method, look.mend, SHOWN)
        names = [photo.name for photo in table]
        captions = [_along(position, names) for position in made.positions]
        film = fragments.player(made.frames, captions)
        return {self.at.message: "", self.at.player: film, self.at.played: _film(table, steps, look)}

    def _continuum_saved(self, told: gr.Progress = TOLD, *values: Any) -> Update:
        steps, format, *inputs = values
        table, _, look = _read(inputs)
        _two(table)
        path = _file_for(table, "continuum", FORMATS[format])
        with heard_by(_listener(told, "pictures")):
            self.studio.continuum(table, int(steps), look.method, look.mend).save(path)
        return {self.at.message: "", self.at.saved: str(path)}

    def _compared_once(self, told: gr.Progress = TOLD, *values: Any) -> Update:
        """Compare when the tab is opened, unless what is shown is of this blend."""
        compared, *inputs = values
        table, weights, look = _read(inputs)
        if len(table) < 2 or compared == _comparison(table, weights, look):
            return {self.at.message: gr.skip()}
        return self._compared(told, *values)

    def _compared(self, told: gr.Progress = TOLD, *values: Any) -> Update:
        table, weights, look = _read(values[1:])
        _two(table)
        faces = self.studio.faces(table)
        side = Look().options_for(faces, SHOWN)["size"]
        found: list[tuple[str, Image.Image, dict[str, Any]]] = [
            (photo.name, Image.fromarray(face.at(side).image), {}) for photo, face in zip(table, faces, strict=True)
        ]
        with heard_by(_listener(told, "methods")):
            found += [
                (method, made.image, made.measures) for method, made in self.studio.compared(table, weights, look.mend)
            ]
        return {
            self.at.message: "",
            self.at.sheet: fragments.methods_sheet(found),
            self.at.compared: _comparison(table, weights, look),
        }

    def _saved(self, format: str, *values: Any) -> Update:
        table, weights, look = _read(values)
        _two(table)
        path = _file_for(table, "blend", PICTURE_FORMATS[format])
        self.studio.blend(table, weights, look).save(path)
        return {self.at.message: "", self.at.saved: str(path)}


def _slow(box: Any, shown: str = "minimal") -> dict[str, Any]:
    """Settings of an event that may take long: over which part of the page that is shown, and how."""
    return {"show_progress": shown, "show_progress_on": box, "api_visibility": "private"}


def _listener(told: gr.Progress, unit: str) -> Listener:
    return lambda done, total: told((done, total), unit=unit)


def _read(values: Sequence[Any]) -> tuple[tuple[OnTable, ...], list[float], Look]:
    """Read the inputs that all handlers have in common: the table, the options, and the six sliders."""
    table, method, background, size, hair, mend, *weights = values
    look = Look(method, background, SIZES[size], int(hair or 0), bool(mend))
    return tuple(table), [float(weight or 0) for weight in weights[: len(table)]], look


def _hair_of(former: Sequence[OnTable], hair: int, table: Sequence[OnTable]) -> int:
    """The place of the photo whose hair was chosen, on the table as it is now; 0 if it has gone."""
    if not 1 <= hair <= len(former) or len(table) < 2:
        return 0
    chosen = former[hair - 1].sha256
    return next((place for place, photo in enumerate(table, 1) if photo.sha256 == chosen), 0)


def _film(table: Sequence[OnTable], steps: float, look: Look) -> tuple[Any, ...]:
    """What a continuum on the page is made of."""
    return tuple((photo.key, photo.which) for photo in table), int(steps), look.method, look.mend


def _comparison(table: Sequence[OnTable], weights: Sequence[float], look: Look) -> tuple[Any, ...]:
    """What a comparison on the page is made of."""
    return tuple((photo.key, photo.which) for photo in table), tuple(weights), look.mend


def _taken(path: str) -> tuple[str, bytes]:
    """Name and content of an upload, which goes from the disk."""
    content = Path(path).read_bytes()
    Path(path).unlink(missing_ok=True)
    return Path(path).name, content


def _two(table: Sequence[OnTable]) -> None:
    if len(table) < 2:
        raise FeatureblendError("two or more photos are needed: drop them, or add example faces")


def _along(position: float, names: Sequence[str]) -> str:
    """Caption of a position in a continuum; 1.25 is a quarter of the way from the second to the third photo."""
    start = min(max(int(position), 0), len(names) - 2)
    return shares(names[start : start + 2], [start + 1 - position, position - start])


def _file_for(table: Sequence[OnTable], what: str, suffix: str) -> Path:
    """Path for a download, named after the photos, in the folder that is removed when the server stops."""
    stems = "-".join(re.sub(r"[^\w]+", "-", Path(photo.name).stem).strip("-")[:20] for photo in table)
    return Path(tempfile.mkdtemp(dir=os.environ.get("GRADIO_TEMP_DIR"))) / f"{what}-{stems[:80]}{suffix}"


def _quality(studio: Studio) -> str:
    """Content of the tab on the model's quality."""
    config = studio.blender.config
    try:
        quality = read_quality(studio.blender.folder)
    except FeatureblendError as error:
        return fragments.notice(f"{error}.")
    if quality is None:
        return fragments.notice(
            f"The model {config.name} was not measured against other methods yet: `featureblend evaluate` does that.",
            "note",
        )
    return fragments.quality_table(quality, config.identity)
