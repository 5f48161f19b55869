"""The report's section on photos unlike the training photos."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from .pictures import embedded
from .spoiling import CLEAN, SPOILING

__all__ = ["spoilt_section"]


def spoilt_section(record: Mapping[str, Any], sheets: Mapping[str, np.ndarray]) -> str:
    """Write the section, from what `featureblend.spoilt_photos.measure_spoilt` found.

    Parameters
    ----------
    record : mapping
        A method's, with ``spoilt``.
    sheets : mapping of str to array
        'spoilt' and 'portrait', as far as there are any.

    Returns
    -------
    str
        HTML; empty where nothing was measured.

    Examples
    --------
    >>> spoilt_section({}, {})
    ''
    """
    if "spoilt" not in record:
        return ""
    found = record["spoilt"]
    parts = [
        "<h2>Spoilt photos</h2>",
        "<p class=soft>Test faces spoilt by fixed amounts, and what the model gives back: above what it saw, below "
        "what it made of it. No damage here is quite the training's own. How bright a room was it can only guess.</p>",
        _table(record["scores"], found["before"]),
    ]
    if found["failures"]:
        items = "".join(f"<li>{escape(line)}</li>" for line in found["failures"])
        parts.append(f"<p><b>Left out:</b></p><ul>{items}</ul>")
    if "spoilt" in sheets:
        parts.append(f"<h3>The first {len(sheets['spoilt'])} of them</h3>{_sheet(sheets['spoilt'])}")
    if "portrait" in sheets:
        names = ("portrait, aligned", "given back", "a test face", "blend of both")
        figures = "".join(
            f"<figure><div>{embedded(image, name)}</div><figcaption>{name}</figcaption></figure>"
            for image, name in zip(sheets["portrait"], names, strict=True)
        )
        parts.append(
            "<h3>A portrait from elsewhere</h3><p class=soft>The astronaut of scikit-image, found and aligned as any "
            f"photo.</p><div class=row>{figures}</div>"
        )
    else:
        parts.append(f"<p class=soft>Not shown: {escape(found['no_portrait'])}.</p>")
    return "".join(parts)


def _table(scores: Mapping[str, Any], before: Mapping[str, float]) -> str:
    heads, lines = "", ["<th>as the photo is</th>", "<th>as the model gives it back</th>"]
    for kind in (CLEAN, *SPOILING):
        given = [value for value in scores[f"psnr_{kind}"] if value is not None]
        heads += f"<th>{kind}</th>"
        lines[0] += f"<td>{before[kind]:.1f}</td>" if kind in before else "<td class=soft>–</td>"
        lines[1] += f"<td>{np.mean(given):.1f}</td>" if given else "<td class=soft>–</td>"
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f"<div class=wide><table class=figures><thead><tr><th>PSNR to the clean face, dB</th>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _sheet(faces: np.ndarray) -> str:
    """Lay out (faces, kinds, 2, H, W, 3) pictures: a column per kind, two rows per face."""
    kinds = (CLEAN, *SPOILING)
    heads = "".join(f"<th>{kind}</th>" for kind in kinds)
    lines = []
    for of_face in faces:
        for which, word in enumerate(("seen", "given back")):
            cells = "".join(
                f"<td>{embedded(pictures[which], f'{kind}, {word}')}</td>"
                for kind, pictures in zip(kinds, of_face, strict=True)
            )
            lines.append(f"<tr>{cells}</tr>")
    head, body = f"<thead><tr>{heads}</tr></thead>", f"<tbody>{''.join(lines)}</tbody>"
    return f"<div class=wide><table class=faces>{head}{body}</table></div>"
