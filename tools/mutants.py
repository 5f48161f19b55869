#!/usr/bin/env python3
"""Put one fault at a time into the code, and see whether the tests find it.

Each mutant is a module with one operator, number, word, condition or keyword argument changed, or one statement left
out. It lives in the memory of a forked process alone, which runs the tests of that module, examples in docstrings
included, those first that found others: everything is imported and collected once, and nothing is written. So most
mutants take hundredths of a second; tools that start Python anew for each (cosmic-ray, mutmut) take seconds.

``python tools/mutants.py`` tries all mutants of the modules in `TARGETS`, ``--most 40`` so many of each, drawn by a
fixed seed. It prints those that live and a line of JSON, and ends with 1 where fewer than 85 % of a module's are found.
Those in `EQUIVALENT` do the same as the code, or differ where nobody looks, and are not counted.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import json
import math
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "featureblend"
LIBRARIES = ("skimage.metrics", "sklearn.linear_model", "torch", "torchmetrics.functional.image")
"""What tests import in themselves, and each mutant would import anew."""
LEAST = 85
"""Per cent of mutants that tests must find."""

TARGETS: dict[str, tuple[str, ...]] = {
    "model/mixing": ("model_mixing", "model_fine_mixing"),
    "model/fine_mixing": ("model_fine_mixing", "model_mixing"),
    "blend/compositing/fusion": ("blend_compositing_fusion",),
    "training/losses/reconstruction": ("training_losses",),
    "training/losses/adversarial": ("training_losses",),
    "metrics/scores": ("metrics_scores",),
    "io/tables": ("io_tables",),
    "metrics/skin": ("metrics_scores",),
    "metrics/mirror": ("metrics_scores",),
    "metrics/spectrum": ("metrics_scores",),
    "metrics/measures": ("metrics_measures",),
    "metrics/paths": ("metrics_paths",),
    "metrics/distance": ("metrics_paths",),
    "metrics/intervals": ("metrics_sets",),
    "metrics/variety": ("metrics_sets",),
    "metrics/distributions": ("metrics_sets",),
    "metrics/critic": ("metrics_critic",),
}
"""Modules, and the files of tests that are to find their faults."""

SAME = "what stands there is the default"
LENGTH = "any negative number stands for the length or the type that is left"
SQUARE = "the maps are square"
DIGITS = "differs in the last digits alone"
WORDS = "the wording of a message"
ELLIPSE = "cv2.ellipse(where, centre, (round(width * 4.8), round(height * 6.4)), 0, 0, 360, 1, -1, cv2.LINE_8, 4)"
EQUIVALENT: dict[str, dict[str, str]] = {
    "model/mixing": {
        "np.square(spatial, dtype=np.float64).sum -> np.square(spatial).sum": DIGITS,
        "-1 -> -2": SQUARE,
        "::-1 -> ::1": SQUARE,
        "surroundings == 'mean' -> surroundings == 'meanX'": "the long way gives the plain mean too",
    },
    "model/fine_mixing": {
        "-1 -> -2": LENGTH,
        "np.square(lines, dtype=np.float32).sum -> np.square(lines).sum": DIGITS,
        "pull.max(axis=0) -> pull.min(axis=0)": "a factor at each place, which the shares' sum takes out again",
        "shares * pull / pull.max(axis=0) -> shares * pull * pull.max(axis=0)": "likewise",
        "shares * pull / pull.max(axis=0) -> shares * pull / pull.max()": "likewise",
        "alike @ np.asarray(shares, np.float64) / alike.sum(axis=1) -> "
        "alike @ np.asarray(shares, np.float64) / alike.sum()": "a factor, which the sum takes out again",
        "-2: -> 2:": "parts have four axes",
    },
    "training/losses/reconstruction": {"-1 -> -2": SQUARE}
    | {
        f"{one} - functional.interpolate(reduced, scale_factor=2.0, mode='nearest') -> "
        f"{one} - functional.interpolate(reduced, scale_factor=2.0)": SAME
        for one in ("difference", "images")
    }
    | {
        "functional.normalize(a.float(), dim=1) - functional.normalize(b.detach().float(), dim=1) -> "
        f"functional.normalize(a.float(){one}) - functional.normalize(b.detach().float(){other})": SAME
        for one, other in (("", ", dim=1"), (", dim=1", ""))
    },
    "metrics/scores": {
        "cv2.Laplacian(luma(as_stack(image)[0]), cv2.CV_32F, ksize=1).var -> "
        "cv2.Laplacian(luma(as_stack(image)[0]), cv2.CV_32F).var": SAME,
        "as_stack(reference_images, 'the reference pictures') -> "
        "as_stack(reference_images, 'the reference picturesX')": WORDS,
        "checked[0] -> checked[1]": "both have one size",
        "float(cv2.Laplacian(luma(as_stack(image)[0]), cv2.CV_32F, ksize=1).var(dtype=np.float64)) -> "
        "float(cv2.Laplacian(luma(as_stack(image)[0]), cv2.CV_32F, ksize=1).var())": DIGITS,
    },
    "metrics/skin": {
        "cv2.fillConvexPoly(mask, np.rint(outline).astype(np.int32), 1) -> "
        "cv2.fillConvexPoly(mask, np.rint(outline).astype(np.int32), 2)": "any number but 0 marks a place",
    },
    "metrics/mirror": {
        f"{ELLIPSE} -> {ELLIPSE.replace(' 1, -1', ' 2, -1')}": "any number but 0 marks a place",
        f"{ELLIPSE} -> {ELLIPSE.replace('360', '361')}": "a whole ellipse either way",
        "-1 -> -2": "a filled ellipse either way",
        "points * (-1, 1) -> points / (-1, 1)": "the same numbers",
    },
    "metrics/variety": {
        "rows -= rows.mean(axis=0) -> rows -= rows.mean()": DIGITS,
        "_small_rows(outputs, 'the outputs') -> _small_rows(outputs, 'the outputsX')": WORDS,
        "_small_rows(training[start:start + block], 'the training faces') -> "
        "_small_rows(training[start:start + block], 'the training facesX')": WORDS,
    },
    "metrics/critic": {
        "np.arange(len(rows)) < len(first) -> np.arange(len(rows)) >= len(first)": "scores and labels change sides",
        "spread > 1e-09 -> spread >= 1e-09": "no spread is that number",
        "scaled ** 2 - 1 -> scaled ** 2 + 1": "the intercept takes it up",
        "scaled ** 2 - 1 -> scaled ** 2 - 2": "the intercept takes it up",
        "LogisticRegression(C=1 / PENALTY, solver='newton-cg', tol=1e-06).fit -> "
        "LogisticRegression(C=1 / PENALTY, tol=1e-06).fit": DIGITS,
        "LogisticRegression(C=1 / PENALTY, solver='newton-cg', tol=1e-06).fit -> "
        "LogisticRegression(C=1 / PENALTY, solver='newton-cg').fit": DIGITS,
    },
    "training/losses/adversarial": {
        "torch.autocast(logits.device.type, enabled=False) -> torch.autocast(logits.device.type)": "on GPUs only",
        "enabled=False -> enabled=True": "on GPUs only",
    },
    "io/tables": {
        "open(temporary, 'w', newline='', encoding='utf-8', errors='surrogateescape') -> "
        "open(temporary, 'w', newline='', errors='surrogateescape')": "UTF-8 is what the system has",
        "open(temporary, 'w', newline='', encoding='utf-8', errors='surrogateescape') -> "
        "open(temporary, 'w', encoding='utf-8', errors='surrogateescape')": "line breaks are those of Linux",
        "encoding == 'utf-8' -> encoding != 'utf-8'": WORDS,
        "encoding == 'utf-8' -> encoding == 'utf-8X'": WORDS,
        "'a finite number' if math.isinf(most) else f'a number from {least:g} to {most:g}' -> 'a finite numberX' if "
        "math.isinf(most) else f'a number from {least:g} to {most:g}'": WORDS,
        """re.sub('"[^"]*"', '', line) -> re.sub('"[^"]*"', 'X', line)""": "neither parts cells",
        "'UTF-8 text' if encoding == 'utf-8' else f'the {encoding.upper()} text that its first bytes promise' -> "
        "'UTF-8 textX' if encoding == 'utf-8' else f'the {encoding.upper()} text that its first bytes promise'": WORDS,
    },
}
"""By module: mutants as they are printed, without the line's number, and why no test can or need find them."""

SWAPS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.Break: (ast.Continue,),
    ast.Continue: (ast.Break,),
}
"""What an operator may become."""
CHOICES = (ast.If, ast.While, ast.IfExp)
LEFT_ALONE = (ast.JoinedStr, ast.Import, ast.ImportFrom)
NAMES = ("min max", "minimum maximum", "any all", "floor ceil")
"""Pairs of functions that are taken for each other."""


def changes(node: ast.AST) -> Iterator[ast.AST | None]:
    """What may stand in the place of a piece of code; None: nothing."""
    for kind in SWAPS.get(type(node), ()):
        yield kind()
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield node.operand
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, (int, float)):
            yield ast.Constant(node.value + 1)
        elif isinstance(node.value, str) and " " not in node.value:  # sentences are for people
            yield ast.Constant(node.value + "X")
    elif isinstance(node, (ast.Name, ast.Attribute)):
        name = node.id if isinstance(node, ast.Name) else node.attr
        for pair in map(str.split, NAMES):
            if name in pair:
                other = copy.copy(node)
                setattr(other, "id" if isinstance(node, ast.Name) else "attr", pair[1 - pair.index(name)])
                yield other
    elif isinstance(node, ast.Call):
        for place in range(len(node.keywords)):
            other = copy.copy(node)
            other.keywords = [*node.keywords[:place], *node.keywords[place + 1 :]]
            yield other
    elif isinstance(node, CHOICES) and isinstance(node.test, (ast.Name, ast.Attribute, ast.Call)):
        other = copy.copy(node)
        other.test = ast.UnaryOp(ast.Not(), node.test)
        yield other
    elif isinstance(node, (ast.Expr, ast.AugAssign, ast.Raise)):
        yield ast.Pass()


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Pieces of code that may be changed: what holds each, by which field and place in it, and the piece.

    Docstrings, annotations, names that a module exports, and what an error says are left alone.
    """
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns"):
            continue
        for place, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or isinstance(node, LEFT_ALONE):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("__all__", "Source"):
                continue
            yield tree, field, place, node
            if not isinstance(node, ast.Raise):
                yield from places(node)


def mutants(source: str) -> Iterator[tuple[int, str, ast.Module]]:
    """Every mutant of a module's text: its line, what is another there, and the whole."""
    tree = ast.parse(source)
    line = 0
    for holder, field, place, node in places(tree):
        line = getattr(node, "lineno", line)
        for other in changes(node):
            if isinstance(holder, (ast.expr, ast.keyword, ast.arguments, ast.AugAssign)):
                before = ast.unparse(holder)
                _put(holder, field, place, other)
                after = ast.unparse(holder)
            else:
                before, after = ast.unparse(node), ast.unparse(other)
                _put(holder, field, place, other)
            shown = " -> ".join(text.partition("\n")[0] for text in (before, after))
            yield line, shown, ast.fix_missing_locations(copy.deepcopy(tree))
            _put(holder, field, place, node)


def _put(holder: ast.AST, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(holder, field, node)
    else:
        getattr(holder, field)[place] = node


def become(module: ModuleType, tree: ast.Module) -> None:
    """Turn a module that is loaded into a mutant; who has imported its functions has the mutant's, too."""
    before = dict(vars(module))
    exec(compile(tree, str(module.__file__), "exec"), vars(module))
    for name, old in before.items():
        new = vars(module).get(name)
        if isinstance(old, FunctionType) and isinstance(new, FunctionType) and new is not old:
            vars(module)[name] = old
            while hasattr(old, "__wrapped__"):  # what a decorator made
                old, new = old.__wrapped__, new.__wrapped__
            old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__


def tests_of(module: str) -> list[str]:
    """What pytest is asked to run for a module: the tests, then the examples in its docstring."""
    return [*(f"tests/test_{name}.py" for name in TARGETS[module]), f"src/featureblend/{module}.py"]


class Campaign:
    """A plugin of pytest that runs what was collected again and again, for each mutant in a process of its own."""

    def __init__(self, module: str, most: int | None) -> None:
        self.name, self.most = module, most
        self.found: dict[str, Any] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try the module's mutants: how many there were, and those that live."""
        self.module = importlib.import_module(f"featureblend.{self.name.replace('/', '.')}")
        self.items = list(session.items)
        source = Path(str(self.module.__file__)).read_text(encoding="utf-8")
        start = _worked()
        if self.fails(session, ast.parse(source), 600):
            raise SystemExit(f"{self.name}: the tests fail without any fault: {' '.join(tests_of(self.name))}")
        patience = 5 * (_worked() - start) + 5
        same = EQUIVALENT.get(self.name, {})
        due = [one for one in mutants(source) if one[1] not in same]
        if self.most is not None and self.most < len(due):
            due = random.Random(0).sample(due, self.most)
        living = []
        for line, what, tree in sorted(due, key=lambda one: one[0]):
            if not self.fails(session, tree, patience):
                living.append(f"{line}: {what}")
                print(f"{self.name}:{living[-1]}", flush=True)
        killed = len(due) - len(living)
        share = round(100 * killed / max(len(due), 1), 1)
        self.found = {"mutants": len(due), "killed": killed, "per_cent": share, "living": living}
        return True

    def fails(self, session: pytest.Session, tree: ast.Module, seconds: float) -> bool:
        """Whether a test fails on a mutant, or none ends within a time; the test that did comes first from then on.

        The time is the processor's, since the machine may be busy; one that waits without work has twenty times that.
        """
        told, tell = os.pipe()
        child = os.fork()
        if not child:
            try:
                silent = os.open(os.devnull, os.O_WRONLY)
                os.dup2(silent, 1)
                os.dup2(silent, 2)
                resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), resource.RLIM_INFINITY))
                become(self.module, tree)
                for place, item in enumerate(self.items):
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                    if session.testsfailed:
                        os.write(tell, str(place).encode())
                        os._exit(1)
                os._exit(0)
            finally:  # it can't be imported
                os._exit(1)
        os.close(tell)
        until = time.monotonic() + 20 * seconds
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > until:
                os.kill(child, signal.SIGKILL)
                ended = os.waitpid(child, 0)
                break
            time.sleep(0.01)
        place = os.read(told, 10)
        os.close(told)
        if place:
            self.items.insert(0, self.items.pop(int(place)))
        return ended[1] != 0


def _worked() -> float:
    """Seconds of the processor that ended children took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Print what lives; 1 where too much does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, help="mutants of each module; all, if left out")
    parser.add_argument("--only", nargs="+", default=list(TARGETS), choices=list(TARGETS), help="modules to try")
    options = parser.parse_args()
    os.chdir(ROOT)
    os.environ.update({"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"})
    sys.dont_write_bytecode = True
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]  # what fails need not be made small
    hypothesis.settings.register_profile("mutants", database=None, derandomize=True, phases=phases)
    hypothesis.settings.load_profile("mutants")
    for library in LIBRARIES:
        importlib.import_module(library)
    found = {}
    for module in options.only:
        campaign = Campaign(module, options.most)
        plain = ["-o", "addopts=", "-m", "not real_photos", "-s", "-p", "no:terminal", "-p", "no:cacheprovider"]
        words = [*plain, "--doctest-modules", *tests_of(module)]
        pytest.main(words, plugins=[campaign])
        found[module] = campaign.found
        print(module, *(f"{key}: {value}" for key, value in campaign.found.items() if key != "living"), flush=True)
    print(json.dumps(found))
    return int(any(one["per_cent"] < LEAST for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
