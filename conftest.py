"""What a plain install can test, of the tests and of the examples in the sources."""

import importlib.util

import pytest

EXTRAS = (
    *("torch", "accelerate", "matplotlib", "onnx", "safetensors", "torchmetrics"),
    *("jinja2", "sklearn"),
    "dlib",
    *("filelock", "gradio", "huggingface_hub", "ray", "playwright", "axe_playwright_python", "mkdocs", "importlinter"),
)
MISSING = {name for name in EXTRAS if importlib.util.find_spec(name) is None}
"""Parts of the extras that are not installed. Files that cannot be imported without them, and tests that are marked
`extras`, are no tests of the plain install, and are left out of it."""
EXAMPLES = ("featureblend.evaluation.plots.", "featureblend.metrics.critic.")
"""Modules that import parts of an extra only when they are used; so do the examples in their docstrings."""
LEFT_OUT = pytest.StashKey[list]()


def pytest_configure(config):
    config.stash[LEFT_OUT] = []


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    error = report.call.excinfo and (report.call.excinfo.value.__cause__ or report.call.excinfo.value)
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] in MISSING:
        collector.config.stash[LEFT_OUT].append(collector.name)
        report.outcome, report.longrepr, report.result = "passed", None, []
    return report


def pytest_collection_modifyitems(config, items):
    if MISSING:
        out = [item for item in items if item.get_closest_marker("extras") or item.name.startswith(EXAMPLES)]
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[LEFT_OUT]:
        terminalreporter.line(f"left out, for want of the extras: {', '.join(sorted(config.stash[LEFT_OUT]))}")
