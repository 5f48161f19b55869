"""Models by name on the Hugging Face Hub, or any server that speaks its HTTP interface (``HF_ENDPOINT``).

Nothing is fetched unless a model is named as the Hub names them, ``org/name`` or ``org/name@revision``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FeatureblendError
from ..io.extras import require
from .folder import CLEANER, FORMAT, ModelConfig, read_config, read_model_folder

NAME = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@([\w./-]+))?")
PACKAGE = "huggingface_hub"
PATIENCE = 5
"""Seconds in which the Hub has to answer."""
WEIGHTS = "model.safetensors"
"""The networks' weights once more, in the form whose numbers the Hub counts and shows."""


def hub_name(name: str) -> tuple[str, str | None] | None:
    """Read a model's name on the Hub.

    Parameters
    ----------
    name : str

    Returns
    -------
    (str, str or None) or None
        Repository and revision; None where it is no such name, or the path of something in a folder that is here.

    Examples
    --------
    >>> hub_name("lab/faces@v2"), hub_name("lab/faces"), hub_name("./lab/faces"), hub_name("lfw-128")
    (('lab/faces', 'v2'), ('lab/faces', None), None, None)
    """
    found = NAME.fullmatch(name)
    if found is None or Path(name.partition("/")[0]).is_dir():
        return None
    return found[1], found[2]


def fetch_model(repository: str, revision: str | None = None) -> Path:
    """Fetch a model folder, or find it among those that were fetched before, where there is no network.

    Parameters
    ----------
    repository : str
        ``org/name``.
    revision : str, optional
        A branch, tag or commit; the main branch if left out. Only a commit stays what it is.

    Returns
    -------
    Path
        The folder, in the cache of `huggingface_hub` (``HF_HOME``). The hashes of its networks are checked whenever it
        is opened (`featureblend.model.folder.read_model_folder`).

    Raises
    ------
    FeatureblendError
        If the extra 'hub' is missing, there is no such model, it is none of featureblend's, or it can't be reached and
        was not fetched before.
    """
    with _asking(f"fetch {repository}{'@' + revision if revision else ''}"):
        from huggingface_hub import hf_hub_download

        here = not _answers(repository, revision)
        path = Path(hf_hub_download(repository, "config.json", revision=revision, local_files_only=here))
        config = read_config(path)
        commit = path.parent.name  # the other files are of the same commit, whatever is pushed meanwhile
        for name in ("encoder.onnx", "decoder.onnx", *([CLEANER] if config.cleans else [])):
            hf_hub_download(repository, name, revision=commit, local_files_only=here)
    return path.parent


def _answers(repository: str, revision: str | None) -> bool:
    """Whether the Hub answers within `PATIENCE`; `hf_hub_download` asks again and again, for half a minute."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(hf_hub_url(repository, "config.json", revision=revision), timeout=PATIENCE)
    except HfHubHTTPError:
        return True  # what it refuses is for the download to say
    except Exception:  # those of several HTTP libraries
        return False
    return True


def push_model(folder: str | os.PathLike[str], repository: str, *, private: bool = False, message: str = "") -> str:
    """Put a model folder on the Hub: networks, settings, weights as safetensors, and a card with the fields it reads.

    Parameters
    ----------
    folder : path-like
        What `featureblend.training.export` wrote, or a bundled model's.
    repository : str
        ``org/name``; made if it is not there.
    private : bool
        Whether a repository that is made is seen by its owners alone.
    message : str
        Of the commit.

    Returns
    -------
    str
        The commit, for ``--model org/name@COMMIT``.

    Raises
    ------
    FeatureblendError
        If the folder is no whole model, the name is none, or the Hub can't be reached or refuses.
    """
    if (found := NAME.fullmatch(repository)) is None or found[2] is not None:
        raise FeatureblendError(f"{repository} is no name on the Hub: use org/name")
    config = read_model_folder(folder)
    require("hub", PACKAGE, "onnx", "safetensors")
    names = ["config.json", *sorted(config.files)]
    card = Path(folder) / "README.md"
    content: dict[str, Any] = {name: os.fspath(Path(folder) / name) for name in names}
    content[WEIGHTS] = _safetensors(Path(folder), config)
    content["README.md"] = model_card(config, card.read_text(encoding="utf-8") if card.is_file() else "").encode()
    with _asking(f"push {folder} to {repository}"):
        from huggingface_hub import CommitOperationAdd, HfApi

        api = HfApi()
        api.create_repo(repository, private=private, exist_ok=True)
        commit = api.create_commit(
            repository,
            [CommitOperationAdd(name, one) for name, one in content.items()],
            commit_message=message or f"{config.name} ({config.identity})",
        )
    return str(commit.oid)


def model_card(config: ModelConfig, text: str = "") -> str:
    """A model card: the fields that the Hub reads, and the text.

    Parameters
    ----------
    config : ModelConfig
    text : str
        Of the model folder's own card.

    Examples
    --------
    >>> card = model_card(ModelConfig("mine", 128, 1280, {}), "# mine")
    >>> card.splitlines()[0], card.splitlines()[-1], "library_name: featureblend" in card
    ('---', '# mine', True)
    """
    fields = {
        "license": config.licence.lower(),
        "library_name": "featureblend",
        "pipeline_tag": "image-to-image",
        "tags": ["autoencoder", "face", "face-morphing", "onnx"],
    }
    lines = [
        f"{name}:\n" + "\n".join(f"- {one}" for one in value) if isinstance(value, list) else f"{name}: {value}"
        for name, value in fields.items()
    ]
    return "---\n" + "\n".join(lines) + "\n---\n\n" + text


def _safetensors(folder: Path, config: ModelConfig) -> bytes:
    """The weights of all networks, as ``encoder.NAME`` and so on."""
    import onnx
    from safetensors.numpy import save

    weights: dict[str, np.ndarray] = {}
    for name in sorted(config.files):
        graph = onnx.load(folder / name).graph
        for one in graph.initializer:
            weights[f"{Path(name).stem}.{one.name}"] = np.ascontiguousarray(onnx.numpy_helper.to_array(one))
    facts: Mapping[str, str] = {"format": "np", "featureblend": str(FORMAT), "identity": config.identity}
    return bytes(save(weights, metadata=dict(facts)))


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Turn what `huggingface_hub` raises into one line; it sends no telemetry, and does not write of each retry."""
    require("hub", PACKAGE)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_UPDATE_CHECK", "1")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        yield
    except FeatureblendError:
        raise
    except LocalEntryNotFoundError as error:
        raise FeatureblendError(f"cannot {what}: there is no connection, and it was not fetched before") from error
    except Exception as error:  # HTTP errors of several libraries
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise FeatureblendError(f"cannot {what}: {lines[0] if lines else type(error).__name__}") from error
