# make run   environment, dependencies, the app on the embedded model
# make test  the same with the development tools and a browser, then every test
# make lint  ruff and mypy
# make gpu   everything that only a GPU can show, one line a step (ARGS=--tiny: a rehearsal)
#
# PYTHON: the interpreter the environment is made from (3.11 or newer); VENV: where it goes;
# ARGS: passed on to the app or to pytest, e.g. make run ARGS="--port 8000".

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input \
       $(if $(CI),--quiet --progress-bar off)
checksum = $(firstword $(shell cat $(1) | cksum))
RUNTIME := $(VENV)/.runtime-$(call checksum,requirements.txt)
DEV := $(VENV)/.dev-$(call checksum,requirements.txt requirements-dev.txt)

.DEFAULT_GOAL := run
.PHONY: run test lint format gpu browser clean

run: $(RUNTIME)
	$(BIN)/python app.py $(ARGS)

# Two tests at a time, then those of the page one after the other: they need the cores.
PYTEST := $(BIN)/python -m pytest $(if $(CI),-q --durations=15)

test: $(DEV) browser
ifeq ($(strip $(ARGS)),)
	OMP_NUM_THREADS=1 $(PYTEST) -m "not browser" -n 2 --dist loadfile
	$(PYTEST) -m browser
else
	$(PYTEST) $(ARGS)
endif

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

gpu: $(RUNTIME)
	$(BIN)/python benchmarks/gpu.py $(ARGS)

browser: $(DEV)
	@.ci/browser $(BIN)/python

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is missing or older than 3.11; run make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "no environment: install python3-venv, then run make again"; exit 1; }

$(RUNTIME): | $(BIN)/python
	$(PIP) -r requirements.txt
	@rm -f $(VENV)/.runtime-* && touch $@

$(DEV): | $(RUNTIME)
	$(PIP) -r requirements-dev.txt
	@rm -f $(VENV)/.dev-* && touch $@
