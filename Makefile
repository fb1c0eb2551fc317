# The two commands of a fresh clone:
#
#   make run     environment, sample logs, pipeline
#   make test    the tests
#
# Python 3.10 and uv are used where they are. Where they are not, uv is installed into .tools and downloads Python.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Byte code makes every start ten seconds faster.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
UV_VERSION := 0.13.9
UV := $(shell command -v uv || echo .tools/bin/uv)

CONFIG ?= configs/sample.yaml
SAMPLE ?= data/sample
IMPRESSIONS ?= 200000
PYTEST_ARGS ?=

# Modules with examples in their docstrings.
DOCTESTS = $(shell grep -rl --include='*.py' '>>> ' components models pipeline | sed 's|^|tandem/|') \
  $(shell grep -rl --include='*.py' '>>> ' tandem)

.PHONY: help run test check format docs benchmark wheel lock environment clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

run: $(READY) ## sample logs, then the pipeline on them (what is finished is reused)
	@$(VENV)/bin/tandem sample $(SAMPLE) --impressions $(IMPRESSIONS)
	@$(VENV)/bin/tandem run $(CONFIG) --data $(SAMPLE)

test: $(READY) ## all tests, which must cover enough of the code (some: PYTEST_ARGS=...)
	@$(PYTHON) -m pytest -n 2 --dist loadfile $(or $(PYTEST_ARGS),--cov --cov-report=)

check: $(READY) ## format, lint, types, who imports whom, doctests
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo
	@$(PYTHON) -m pytest -q --doctest-modules $(DOCTESTS)

format: $(READY) ## mends the format, and what lint can mend
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

docs: $(READY) ## the tables of docs/configuration.md, anew from the settings classes
	@$(PYTHON) -m tandem.pipeline.configuration.reference docs/configuration.md

environment: $(READY) ## Python 3.10 and the locked packages in .venv

benchmark: $(READY) ## training speed and memory beside other libraries (20 minutes)
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --requirement benchmarks/requirements.txt
	@$(PYTHON) -m benchmarks.training_speed
	@$(PYTHON) -m benchmarks.training_memory

wheel: $(READY) | $(UV) ## the package, in dist
	@rm -rf build dist
	@$(UV) build --quiet --wheel --no-build-isolation --python $(PYTHON) --out-dir dist .
	@ls dist/*.whl

lock: | $(UV) ## requirements.txt and requirements-dev.txt, anew from their .in files
	@$(UV) pip compile --python-version 3.10 --generate-hashes --custom-compile-command "make lock" requirements.in -o requirements.txt
	@$(UV) pip compile --python-version 3.10 --generate-hashes --custom-compile-command "make lock" requirements-dev.in -o requirements-dev.txt

clean: ## runs, sample logs, caches (not the environment)
	@rm -rf runs data/sample .pytest_cache .mypy_cache .ruff_cache build dist .coverage* .import_linter_cache
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

# Made again when a lock changes. A folder that holds another Python is replaced.
$(READY): requirements.txt requirements-dev.txt pyproject.toml | $(UV)
	@echo "environment: Python 3.10 and the locked packages in $(VENV); about a minute, and as long as the downloads take"
	@if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' 2>/dev/null; then \
	  python=$$(python3.10 -c 'import sys; print(sys.executable)' 2>/dev/null) || python=3.10; \
	  rm -rf $(VENV); $(UV) venv --quiet --python "$$python" $(VENV); \
	fi
	@$(UV) pip sync --python $(PYTHON) --compile-bytecode requirements.txt requirements-dev.txt \
	  2> >(grep --line-buffered -v '^ [+~-] ' >&2)
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation --editable .
	@touch $@

.tools/bin/uv:
	@echo "uv $(UV_VERSION) in .tools"
	@python3 -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# A uv from PATH is nobody's to build.
ifneq ($(UV),.tools/bin/uv)
$(UV): ;
endif
