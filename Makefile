# Needs CPython 3.10–3.13 with venv, pip and make; everything else is installed into .venv.
#   make demo PYTHON=python3.12          another interpreter
#   make test PYTEST_ARGS="-k grid"   arguments for pytest
#   make test PYTEST_ARGS="-n 0 -x"      in one process
#   make demo PIP_ARGS="--no-index …"    arguments for pip, for example another index

PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?=
# One process for each core. All tests of a file share one, because they share fits.
PROCESSES := -n logical --dist loadfile

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TEST_INSTALLED := $(VENV)/.installed-test
DOCS_INSTALLED := $(VENV)/.installed-docs
RELEASE_INSTALLED := $(VENV)/.installed-release
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check $(PIP_ARGS) -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test slow nightly golden families newest lint types docs build release-check clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 8

demo: $(INSTALLED) ## install, then judge plain models, duplicates, SMOTE-NC and ImbLLM on two packaged tables
	$(BIN)/imbllm demo

# Without the cap every AutoGluon model, torch and BLAS start as many threads as there are cores, each on its own:
# two processes with two threads each on two cores were 20 times slower than with one.
test slow nightly docs: export OMP_NUM_THREADS ?= 1

test: $(TEST_INSTALLED) ## install with the test extra, then run the test suite and the examples of the docstrings
	$(BIN)/python -m pytest $(PROCESSES) $(PYTEST_ARGS)

slow: $(TEST_INSTALLED) ## run the tests that take minutes
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

nightly: $(TEST_INSTALLED) ## run what the test suite leaves out: the tests that take minutes, and full products of cases
	$(BIN)/python -m pytest -m "slow or exhaustive" $(PROCESSES) $(PYTEST_ARGS)

# Stored results may only change together with the reason, in CHANGELOG.md.
golden: $(TEST_INSTALLED) ## store rows, reports and leaderboards as they are now, for tests/golden
	$(BIN)/python -m tests.golden

families: ## slow tests with FASTAI, RealMLP, TabM and Ray too, in a venv of their own
	test -d .venv-families || $(PYTHON) -m venv .venv-families
	.venv-families/bin/python -m pip install --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[test,families,ray]'
	OMP_NUM_THREADS=1 .venv-families/bin/python -m pytest -m slow tests/plugin $(PYTEST_ARGS)

# What the newest releases break or warn of; warnings are errors, as in every run of the tests.
newest: ## weekly: the newest release of each dependency in a fresh venv of its own, and the tests that lean on them most
	rm -rf .venv-newest
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --disable-pip-version-check $(PIP_ARGS) -e '.[test]'
	.venv-newest/bin/python -m pip freeze --exclude-editable --disable-pip-version-check
	OMP_NUM_THREADS=1 .venv-newest/bin/python -m pytest $(PROCESSES) tests/language tests/oversampling tests/classification \
		tests/regression tests/tables tests/jobs tests/plugin/test_predictor.py tests/test_cli.py $(PYTEST_ARGS)

lint: $(TEST_INSTALLED) ## ruff, the contract of imports, mypy --strict
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/mypy --strict

types: $(TEST_INSTALLED) ## mypy --strict alone
	$(BIN)/mypy --strict

docs: $(DOCS_INSTALLED) ## run the notebooks and build the documentation into site/, all links checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# The same commit gives the same files, byte for byte: its date is that of every file, and the build's tools are pinned.
build: $(RELEASE_INSTALLED) ## build wheel and sdist into dist/, and check what the index would show of them
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --no-isolation
	$(BIN)/python -m twine check --strict dist/*

release-check: ## refuse a release whose version, tag, changelog, citation or address do not agree
	$(PYTHON) .ci/release_check.py "$(TAG)" "$(HOME_URL)"

clean: ## remove .venv, caches and build leftovers
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find imbllm_autogluon benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The stamps depend on what is to be installed, not on $(BIN)/python: that is a link with the age of the system's Python.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

$(TEST_INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[test]'
	@touch $@ $(INSTALLED)

$(DOCS_INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[docs]'
	@touch $@ $(INSTALLED)

$(RELEASE_INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[release]'
	@touch $@ $(INSTALLED)
