# Two commands on a machine that has Python >= 3.11, make and git: `make run` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ROOMS  := agent queries storage sanitize
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help run test lint fix docs bench lock clean

help: ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

# Users install from ranges, the project's own venv from the lock, with hashes.
$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("telem-agent needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(VENV)/.installed ## start the daemon, show a demo report, say how to connect your own Claude Code
	@$(BIN)/telem-agent demo --report
	@$(BIN)/telem-agent start
	@echo; echo "Or by hand, in the shell from which you start Claude Code:"
	@$(BIN)/telem-agent setup --env

test: lint ## all linters, type checks, fuzzed inputs and tests
	$(BIN)/python tests/fuzz/fuzz_sanitize.py --cases 2000
	$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term:skip-covered

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/python -m telem.agent.docs --check

fix: $(VENV)/.installed ## what the tools can mend by themselves
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed ## write the generated parts of the documents anew
	$(BIN)/python -m telem.agent.docs --write
	$(BIN)/python -m telem.queries.describe docs

bench: $(VENV)/.installed ## measure footprint and speed
	$(BIN)/python bench/run.py

lock: ## renew requirements.lock from the ranges in pyproject.toml
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --upgrade --group dev pyproject.toml --output-file requirements.lock
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --constraint requirements.lock pyproject.toml --output-file optional-docker/requirements.lock

clean: ## remove what was built here; data folders are not touched
	rm -rf $(VENV) $(VENV)-lock build dist .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.*
