# Two commands do everything on a machine with Python 3.11+ and make:
#   make demo    preflight over bundled clusters; no AWS account, no cluster
#   make test    the whole suite, with a real control plane (built once, kept in the user's cache)
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: demo test test-fast lint bench fuzz build lock docs clean help

help: ## Say what each target does
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "eksnetpol needs Python 3.11 or later; this is %s. Say which: make PYTHON=python3.12 ..." % sys.version.split()[0])'
	@echo "making a virtual environment in $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements/run.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing what eksnetpol needs to run (from requirements/run.lock)" >&2
	@$(PIP) install --require-hashes -r requirements/run.lock
	@$(BIN)/python -c 'import pathlib, site; pathlib.Path(site.getsitepackages()[0], "eksnetpol-checkout.pth").write_text(str(pathlib.Path.cwd()) + "\n")'
	@touch $@

$(VENV)/test.stamp: requirements/test.lock $(VENV)/run.stamp
	@echo "installing what the tests need (from requirements/test.lock)" >&2
	@$(PIP) install --require-hashes -r requirements/test.lock
	@touch $@

lock: ## Resolve the lock files anew (needs uv)
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header -c requirements/constraints.txt pyproject.toml -o requirements/run.lock
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header -c requirements/constraints.txt -c requirements/run.lock --group test pyproject.toml -o requirements/test.lock
