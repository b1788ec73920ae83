# What a person types. Needs Python 3.11 or newer and make; everything else comes from the package registries into
# .venv/ (the project, by uv.lock) and .uv/ (the installer). Calls after the first cost nothing.
#
#   make demo         watch it find two campaigns in live traffic       make demo ARGS="--duration 60"
#   make test         the whole test suite                              make test ARGS="-k crash"
#   make check        everything CI runs, in CI's order
#   make help         the rest

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
ARGS ?=
# Processes of `make test`; 0 runs it in the one that was started, for a debugger. One that dies, or hangs in a test,
# ends the run: in another process the same test would hang again.
PROCESSES ?= 2
UV_VERSION := 0.13.9
UV := .uv/bin/uv
BIN := .venv/bin
BENCH := .venv-bench/bin
PROJECT_FILES := uv.lock pyproject.toml schemas/pyproject.toml serving/pyproject.toml

# The machine's own certificate store, as a company's proxy needs it; and never a Python other than the machine's.
export UV_SYSTEM_CERTS := true
export UV_PYTHON_DOWNLOADS := never
# An activated environment of something else must not become ours.
unexport VIRTUAL_ENV PYTHONPATH

.PHONY: help demo test check lint format types imports docs-check lock lock-check kafka kafka-run bench bench-replay bench-check bench-env soak-benign wheels venv clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

venv: .venv/.installed  ## install into .venv what uv.lock says, and nothing else

demo: .venv/.installed  ## live demonstration on an embedded broker
	@$(BIN)/stillwatch demo $(ARGS)

test: .venv/.installed kafka  ## all tests, on Apache Kafka where Java and Maven are there
	@$(BIN)/pytest --numprocesses=$(PROCESSES) --dist=loadfile --max-worker-restart=0 $(ARGS)

check: lint types imports docs-check test  ## what CI runs

lint: .venv/.installed  ## ruff: rules and layout
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: .venv/.installed  ## let ruff lay out the code and mend what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

types: .venv/.installed  ## mypy, strict
	@$(BIN)/mypy
	@$(BIN)/mypy bench

imports: .venv/.installed  ## which package may import which
	@$(BIN)/lint-imports --no-cache

docs-check: .venv/.installed  ## generated contract documents are up to date
	@$(BIN)/python -m stillwatch_schemas.generate --check
	@$(BIN)/python -m stillwatch_streams.settings_table --check
	@$(BIN)/python bench/render.py --check

kafka: .venv/.installed  ## fetch Apache Kafka's jars with Maven; says so when it can't
	@PYTHONPATH=tests $(BIN)/python -m support.kafka_jars

kafka-run: kafka  ## run one Apache Kafka node until Ctrl-C       make kafka-run ARGS="--port 9092"
	@PYTHONPATH=tests $(BIN)/python -m support.kafka_node $(ARGS)

bench: .venv-bench/.installed kafka  ## race the peers, measure growth, redraw docs/performance.md   make bench ARGS=--quick
	@$(BENCH)/python bench/peer_race.py $(ARGS)
	@$(BENCH)/python bench/growth.py $(ARGS)
	@$(BENCH)/python bench/flame.py $(ARGS)
	@$(BENCH)/python bench/render.py $(ARGS)

bench-replay: .venv/.installed  ## replay files of sketches and of texts, in one process and in two
	@$(BIN)/python bench/replay.py $(ARGS)
	@$(BIN)/python bench/render.py $(ARGS)

bench-check: .venv/.installed  ## instruction counts of the core's hot functions against the recorded ones
	@$(BIN)/python bench/instructions.py $(ARGS)

soak-benign: .venv/.installed  ## four simulated weeks without an attack: do the false-positive budgets hold?
	@PYTHONPATH=tests $(BIN)/python bench/soak_benign.py $(ARGS)

bench-env: .venv-bench/.installed  ## install what the benchmarks need into .venv-bench

wheels: $(UV)  ## build the three wheels into dist/
	@$(UV) build --all-packages --wheel --out-dir dist --clear

lock: $(UV)  ## resolve the dependencies anew and install them
	@$(UV) lock $(ARGS)
	@$(MAKE) --no-print-directory venv

lock-check: $(UV)  ## uv.lock agrees with the pyproject files
	@$(UV) lock --check

clean:  ## remove all that these commands made
	rm -rf .venv .venv-bench .uv .kafka dist out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: $(UV) $(PROJECT_FILES)
	@$(UV) sync --frozen --python $(PYTHON)
	@touch $@

.venv-bench/.installed: $(UV) $(PROJECT_FILES)
	@UV_PROJECT_ENVIRONMENT=.venv-bench $(UV) sync --frozen --no-dev --group bench --python $(PYTHON)
	@touch $@

$(UV): tools/bootstrap.sh
	@PYTHON=$(PYTHON) bash tools/bootstrap.sh $(UV_VERSION)
	@touch $@
