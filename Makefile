# Every target sets up what it needs: Python 3.11 or newer and make are enough to begin with.
#
#   make demo                  the whole loop on real data; ARGS go to `mainspring demo`
#   make test                  every test; ONLY=data runs those of one folder, ARGS go to pytest
#   make check                 format, lint, types, import rules
#   make bench                 the benchmarks; ARGS go to them
#   make soak                  the tests that run for long
#   make fmt                   put the format right
#   make lock                  write the locks from pyproject.toml; ARGS=--upgrade takes newer versions

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BENCH_VENV ?= .venv-bench
WORKERS ?= logical
ONLY ?=
ARGS ?=

BIN := $(VENV)/bin
TOOLS := $(VENV)/.tools-ready
BASE := $(VENV)/.base-ready
DEV := $(VENV)/.dev-ready
BENCH := $(BENCH_VENV)/.ready
CODE := src tests benchmarks
TESTS := $(if $(ONLY),$(wildcard tests/$(ONLY) src/mainspring/$(ONLY)))

# pip is the slower and more patient of the two: it reads its own settings for mirrors and proxies.
define install
$(BIN)/uv pip install --quiet --python $(1)/bin/python --require-hashes -r $(2) || \
	$(BIN)/python -m pip --python $(1)/bin/python install --disable-pip-version-check --require-hashes -r $(2)
endef

.DEFAULT_GOAL := help
.PHONY: help demo test check bench bench-deps soak fmt lock env
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   //p' Makefile

demo: $(BASE)
	$(BIN)/mainspring demo $(ARGS)

test: $(DEV)
	$(if $(ONLY),$(if $(TESTS),,$(error there is no tests/$(ONLY))))
	@$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadfile $(TESTS) $(ARGS)

check: $(DEV)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports --no-logo

fmt: $(DEV)
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

bench: $(DEV) bench-deps
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(DEV)
	$(BIN)/python -m pytest -m soak $(ARGS)

# The tools that the benchmarks compare with do not share our environment.
bench-deps: $(BENCH)

env: $(DEV)

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate $(ARGS)

lock: $(TOOLS)
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(LOCK) --group build -c requirements-dev.lock -o requirements-build.lock
	$(LOCK) --group bench -o requirements-bench.lock

$(TOOLS): requirements-build.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mainspring needs Python 3.11 or newer; found " + sys.version.split()[0] + ". Say which: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock
	@touch $@

$(BASE): $(TOOLS) requirements.lock pyproject.toml
	$(call install,$(VENV),requirements.lock)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(BASE) requirements-dev.lock
	$(call install,$(VENV),requirements-dev.lock)
	@touch $@

$(BENCH): $(TOOLS) requirements-bench.lock
	$(PYTHON) -m venv $(BENCH_VENV)
	$(call install,$(BENCH_VENV),requirements-bench.lock)
	@touch $@
