"""A model's networks on ONNX Runtime: pictures to latents, latents to one latent, latents to pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import copy
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FeatureblendError
from ..io.image import from_network, to_network
from ..io.onnx import open_network
from ..io.threads import side_by_side
from .folder import CLEANER, read_model_folder
from .mixing import Source, mix


class Networks:
    """Encoder, decoder and cleaner of a model folder, opened when first needed.

    Parameters
    ----------
    folder : path-like
        A model folder.
    threads : int, optional
        Threads for each network; one a core by default.
    mend : bool
        Whether to undo damage, if the model can.

    Raises
    ------
    FeatureblendError
        If it is none, or a file of it is missing or changed.

    Examples
    --------
    >>> from featureblend.model.folder import find_model
    >>> networks = Networks(find_model())
    >>> networks.latents(np.zeros((2, 128, 128, 3), np.uint8)).shape == (2, networks.config.latent_dim)
    True
    """

    def __init__(self, folder: str | os.PathLike[str], threads: int | None = None, *, mend: bool = True) -> None:
        self.folder, self.threads, self.mend = Path(folder), threads, mend
        self.config = read_model_folder(self.folder)

    def __repr__(self) -> str:
        plain = "" if self.mend else ", mend=False"
        return f"{type(self).__name__}({self.config.name}, {self.config.identity}{plain})"

    def without_restoration(self) -> Networks:
        """The same networks without restoration; those that are open are not opened again."""
        found = copy(self)
        found.mend = False
        return found

    def load(self) -> None:
        """Open all networks that blends need, side by side; each is opened when it is first needed otherwise."""
        cleaner = ["_cleaner"] if self.mend and self.config.cleans else []
        side_by_side(partial(getattr, self), [*cleaner, "_encoder", "_decoder"])

    def facts(self, method: str = "latent") -> dict[str, Any]:
        """The networks' entry in a recipe: name, identity, and ``mend: False`` if 'latent' left damage as it was."""
        found: dict[str, Any] = {"name": self.config.name, "identity": self.config.identity}
        return {**found, "mend": False} if method == "latent" and not self.mend else found

    @cached_property
    def _encoder(self) -> Any:
        return self._session("encoder.onnx")

    @cached_property
    def _decoder(self) -> Any:
        return self._session("decoder.onnx")

    @cached_property
    def _cleaner(self) -> Any:
        return self._session(CLEANER)

    def _session(self, name: str) -> Any:
        path = self.folder / name
        session = open_network(path, self.threads or 0)
        # The hashes cover the networks but not the settings beside them.
        due = self._due
        for end in (*session.get_inputs(), *session.get_outputs()):
            if list(end.shape[1:]) != due.get(end.name):
                raise FeatureblendError(
                    f"{path} does not fit its config.json: {end.name} of {end.shape[1:]}, not {due.get(end.name)}; "
                    "export the model again"
                )
        return session

    @cached_property
    def _due(self) -> dict[str, list[int]]:
        """Shapes of what goes in and comes out, the batch aside."""
        image = [3, self.config.image_size, self.config.image_size]
        return {"images": image, "latent": [self.config.latent_dim], "cleaned": image, "damage": [2]}

    def _run(self, session: Any, given: str, values: np.ndarray, *names: str) -> list[np.ndarray]:
        """Run a network; what it says of its shapes need not be what it does."""
        try:
            found = session.run(list(names), {given: values})
        except Exception as error:  # ONNX Runtime raises kinds of its own
            raise FeatureblendError(f"a network in {self.folder} fails: {str(error).splitlines()[0]}") from error
        for name, one in zip(names, found, strict=True):
            if one.shape != (len(values), *self._due[name]):
                raise FeatureblendError(
                    f"a network in {self.folder} gives {name} of {list(one.shape[1:])}, not {self._due[name]}: "
                    "export the model again"
                )
        return list(found)

    def cleaned(self, images: Sequence[np.ndarray] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Restore aligned faces: noise, blur, compression, weak or coloured light.

        Parameters
        ----------
        images : B (S, S, 3) uint8 arrays, S the model's size
            Cut from photos, not warped.

        Returns
        -------
        cleaned : (B, S, S, 3) uint8 array
            Good photos, and all where nothing is to be restored or can be, byte for byte as they are.
        degradation : (B, 2) float32 array
            How far that of light and that of texture was removed, 0 to 1.
        """
        seen = np.stack(list(images))
        if not (self.mend and self.config.cleans):
            return seen, np.zeros((len(seen), 2), np.float32)
        cleaned, degradation = self._run(self._cleaner, "images", to_network(seen), "cleaned", "damage")
        return from_network(cleaned), degradation

    def latents(self, images: Sequence[np.ndarray] | np.ndarray, cleaned: bool = False) -> np.ndarray:
        """Encode aligned faces.

        Parameters
        ----------
        images : B (S, S, 3) uint8 arrays, S the model's size
        cleaned : bool
            Whether `cleaned` gave them, warped since or not; else they are restored first.

        Returns
        -------
        (B, D) float32 array
        """
        seen = np.stack(list(images)) if cleaned else self.cleaned(images)[0]
        return self._run(self._encoder, "images", to_network(seen), "latent")[0]

    def pictures(self, latents: np.ndarray) -> np.ndarray:
        """Decode (B, D) latents into (B, S, S, 3) uint8 pictures."""
        return from_network(self._run(self._decoder, "latent", latents.astype(np.float32), "images")[0])

    def mixed(
        self,
        latents: np.ndarray,
        shares: Sequence[float] | np.ndarray,
        surroundings: Source | np.ndarray = "auto",
        hair: np.ndarray | None = None,
    ) -> np.ndarray:
        """Mix several latents into one, the only place where this is done.

        Parameters
        ----------
        latents : (N, D) float32 array
        shares : (N,) array
            Sum to 1.
        surroundings : 'auto', 'mean', int or (N,) array
            Whose hair and background, as `featureblend.model.mixing.mix`; a number counts from 0.
        hair : (S, S) array, optional
            Where any of them has hair, as there.

        Returns
        -------
        (D,) float32 array
        """
        return mix(latents, np.asarray(shares, np.float64), self.config.latent_layout, surroundings, hair)
