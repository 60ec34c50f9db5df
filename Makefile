# Two commands do everything on a machine with Python 3.11+ and make:
#   make demo    preflight over bundled clusters, what their policies let through, leaving Calico; no AWS account, no cluster
#   make test    the whole suite, with a real control plane (built once, kept in the user's cache)
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help demo testbed test test-fast lint bench fuzz build docs clean lock

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
	@printf '#!%s\nimport sys\nfrom eksnetpol.__main__ import main\nsys.exit(main())\n' "$(abspath $(BIN)/python)" > $(BIN)/eksnetpol && chmod +x $(BIN)/eksnetpol
	@touch $@

$(VENV)/test.stamp: requirements/test.lock $(VENV)/run.stamp
	@echo "installing what the tests need (from requirements/test.lock)" >&2
	@$(PIP) install --require-hashes -r requirements/test.lock
	@touch $@

demo: $(VENV)/run.stamp ## Run preflight and policy commands over bundled clusters; needs no AWS account
	@sh demo/run.sh $(BIN)/eksnetpol

testbed: $(VENV)/test.stamp ## Build the real control plane the tests talk to (once; kept in the user's cache)
	@$(BIN)/python -m tests.testbed.build

test: testbed ## Run the whole suite, with the real control plane; skips nothing
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/test.stamp ## Run the pure part of the suite, without the control plane
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not testbed"

lint: $(VENV)/test.stamp ## Run ruff, mypy --strict and the import contracts
	@$(BIN)/ruff check eksnetpol tests
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 3

bench: $(VENV)/test.stamp ## Print ratios against baselines taken in the same run
	@$(BIN)/python -m tests.benchmarks

fuzz: $(VENV)/test.stamp ## Compare the policy engine with its oracles on 200,000 random cases, and translations of 100,000 clusters; let migrations die at every moment
	@$(BIN)/python -m tests.policy.fuzz
	@$(BIN)/python -m tests.migration.fuzz
	@$(BIN)/python -m tests.migration.planning.deaths --all
	@$(BIN)/python -m tests.migration.planning.deaths --back
	@$(BIN)/python -m tests.migration.planning.mutations

build: $(VENV)/test.stamp ## Build the wheel and the source distribution into dist/
	@$(BIN)/python -m build --no-isolation

docs: $(VENV)/run.stamp ## Write the generated reference pages under docs/
	@$(BIN)/python -m docs.generate

clean: ## Remove the virtual environment and caches (not the control plane)
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .hypothesis .pytest_cache

lock: ## Resolve the lock files anew (needs uv)
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header -c requirements/constraints.txt pyproject.toml -o requirements/run.lock
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header -c requirements/constraints.txt -c requirements/run.lock --group test pyproject.toml -o requirements/test.lock
