"""Progress bars: drawn on terminals, a line at the end elsewhere."""

from __future__ import annotations

import math
import sys
from typing import Any

from tqdm import tqdm


class Progress(tqdm):  # type: ignore[type-arg]
    """tqdm's bar on a terminal; elsewhere, such as in a log, one line at the end."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._on_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._delay = settings.pop("delay", 0.0)
        super().__init__(*arguments, delay=self._delay if self._on_terminal else math.inf, **settings)

    def display(self, *arguments: Any, **settings: Any) -> Any:
        """Draw the bar where there is a terminal."""
        return super().display(*arguments, **settings) if self._on_terminal else None

    def close(self) -> None:
        """End the bar; where there is none, say in one line what was done, unless it took less than its delay."""
        tell = not getattr(self, "disable", True) and not self._on_terminal
        super().close()
        taken = self.format_dict["elapsed"] if tell else 0
        if tell and taken >= self._delay:
            done = self.format_sizeof(self.n) if self.unit_scale else self.n
            of = "" if self.total in (None, self.n) else f" of {self.total:,}"
            units = self.unit if (self.total or self.n) == 1 else f"{self.unit}s"
            sys.stderr.write(f"{self.desc}: {done}{of} {units} in {self.format_interval(taken)}\n")
