# One door for everything. `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help serve setup setup-train setup-dev bench-setup test test-slow test-faults test-container test-browser check format docs sbom audit lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The mark of what is installed: redone when a lock file changes.
MARK = $(VENV)/.installed-

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

serve: setup  ## start the service on 127.0.0.1:8000
	$(BIN)/gemello serve

setup: $(MARK)serve  ## make .venv with what the service needs
setup-train: $(MARK)train  ## add TensorFlow, for training
setup-dev: $(MARK)dev  ## add what tests and checks need

$(MARK)%: requirements/%.txt requirements/build.txt pyproject.toml
	@test -x $(BIN)/python || { $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Gemello needs Python 3.11 or newer; name one with `make PYTHON=python3.12`")' && $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/build.txt -r $<
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@

bench-setup: .venv-bench/.installed  ## make .venv-bench with the peer of benchmarks/training

.venv-bench/.installed: requirements/bench.txt
	test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r $<
	@touch $@

.venv-audit/.installed: requirements/audit.txt
	test -x .venv-audit/bin/python || $(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# Many tests start a process of their own and wait for it, so that one more than there are cores is faster.
# In the order of the files: else the few long ones come last, and one process waits for another.
WORKERS = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder
test: check  ## run every check and test, but those that are slow by nature
	$(PYTEST) -m "not slow"

test-slow: setup-dev  ## run what kills processes and trains at length, and the API on the stores in memory
	$(PYTEST) -m slow
	$(PYTEST) -m "not slow" --store memory tests/app/api tests/app/gallery

test-faults: setup-dev  ## the faults of tests/faults at length, their figures printed (an hour)
	$(BIN)/python -m pytest -m slow --times 10 --timeout 7200 --capture no tests/faults

test-container: setup-dev  ## build the container and use it (needs a Docker engine)
	$(BIN)/python -m pytest tests/container --override-ini addopts=

test-browser: setup-dev  ## use the page in a real browser (needs Chromium)
	$(BIN)/python -m pytest tests/browser --override-ini addopts=

check: setup-dev  ## lint, types and import contracts, without the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup-dev  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup-dev  ## write docs/settings.md and docs/openapi.json from the code
	$(BIN)/python docs/generate.py

sbom: .venv-audit/.installed  ## write sbom.json: what the service is made of (CycloneDX)
	.venv-audit/bin/cyclonedx-py requirements requirements/serve.txt --pyproject pyproject.toml --output-reproducible --output-file sbom.json

audit: .venv-audit/.installed  ## ask PyPI what is known against it (needs the network)
	.venv-audit/bin/pip-audit --requirement requirements/serve.txt --disable-pip --require-hashes --strict

# openvino-telemetry reports usage to its makers; a self-hosted service must not, and needs it not.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-emit-package openvino-telemetry --custom-compile-command 'make lock'
lock: setup-dev  ## bring the lock files up to date
	$(LOCK) pyproject.toml --group serve --output-file requirements/serve.txt
	$(LOCK) pyproject.toml --group train --constraint requirements/serve.txt --output-file requirements/train.txt
	$(LOCK) pyproject.toml --group dev --constraint requirements/train.txt --output-file requirements/dev.txt
	$(LOCK) --group bench --constraint requirements/train.txt $(PIP_FIND_LINKS:%=--find-links %) --output-file requirements/bench.txt
	$(LOCK) --group audit --output-file requirements/audit.txt
	echo hatchling | $(LOCK) - --constraint requirements/dev.txt --output-file requirements/build.txt

clean:  ## remove what was made here, but no data and no models
	rm -rf $(VENV) .venv-bench .venv-audit .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
