# Everything a developer or a CI machine does here. Needs Python 3.11 or newer, make and git, and nothing else.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv
PINNED := --python $(BIN)/python --constraints constraints.txt --build-constraints constraints.txt
ARGS   ?=
ONLY   ?=
JOBS   ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev system-parts demo test lint format bench soak constraints clean
.DELETE_ON_ERROR:

help:  ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime  ## Watch a simulated LATISS night arrive in a browser (ARGS="--help" for its options)
	@$(BIN)/rapid demo $(ARGS)

setup: $(VENV)/.runtime  ## Install what the service needs into .venv, and compile its numeric core
	@$(BIN)/rapid warm >&2

setup-dev: $(VENV)/.dev  ## Install what a developer needs into .venv

test: $(VENV)/.dev system-parts  ## Run the tests (ARGS="tests/test_log.py -k json" for some of them; JOBS=0 for one process)
	@$(BIN)/pytest -m "not soak" --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.dev system-parts  ## Check format, style, types, the layers of the house and the deployment files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	tools/lint-deploy $(BIN)

format: $(VENV)/.dev  ## Put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Standard output is the figures and nothing else, so that it can be piped: make bench ONLY=spine > figures.jsonl
bench: $(VENV)/.dev system-parts  ## Measure; one JSON line a figure (ONLY=spine|core|bus|verify|display|focalplane)
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(ARGS)

soak: $(VENV)/.dev system-parts  ## Run the long campaigns that `make test` leaves out
	@$(BIN)/pytest -m soak -o faulthandler_timeout=0 $(ARGS)

constraints: $(VENV)/.dev  ## Compile constraints.txt again after pyproject.toml changed (ARGS=--upgrade for newer versions)
	$(UV) pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate --no-header --universal \
	    --python-version 3.11 --all-extras $(ARGS) pyproject.toml --output-file constraints.txt

clean:  ## Remove what the tools left, and .venv
	rm -rf $(VENV) build dist demo .mypy_cache .ruff_cache .import_linter_cache .hypothesis

system-parts:
	@tools/install-system-parts >&2
	@tools/fetch-kafka >&2

# --- the virtual environment; a stamp says which of the two variants it holds ---------------------------------------

$(VENV)/.runtime: pyproject.toml constraints.txt | $(UV)
	@$(UV) pip install $(PINNED) --editable . >&2
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(UV)
	@$(UV) pip install $(PINNED) --editable '.[dev,kafka,mqtt,piff,postgres]' >&2
	@touch $@ $(VENV)/.runtime

$(UV):
	@PYTHON="$(PYTHON)" tools/make-venv $(VENV) >&2
