# Everything that is done to this project, by name. `make demo` and `make test` do all of their own set-up.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
BENCH  := .venv-benchmarks

.DEFAULT_GOAL := help

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/demo ## the main job, start to finish, on an embedded broker
	@$(BIN)/batchsum demo

test: $(VENV)/dev ## unit and integration tests, on the best broker this machine offers
	@$(BIN)/pytest tests/unit tests/integration

chaos: $(VENV)/dev ## faults from a seed, for some minutes and each way to deliver: make chaos SEED=7 MINUTES=10
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(DELIVERY),--delivery $(DELIVERY)) --minutes $(or $(MINUTES),10)

chaos-each: $(VENV)/dev ## each fault by itself, in both ways to deliver, and three short runs of random ones, in about twenty minutes
	@$(BIN)/pytest tests/chaos

chaos-quick: $(VENV)/dev ## each fault by itself, but for those that take their time
	@$(BIN)/pytest tests/chaos -m "not slow" --durations=5

fuzz: $(VENV)/dev ## properties of the decoder, the settings and the command line, with ever new examples: make fuzz MINUTES=5
	@FUZZ_MINUTES=$(or $(MINUTES),5) $(BIN)/pytest tests/fuzz

lint: $(VENV)/dev ## formatting, lint rules, types, import directions
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

documents: $(VENV)/dev ## write docs/asyncapi.yaml, docs/schemas/ and the README's settings again, from the code
	@$(BIN)/python -m docs.generate
	@$(BIN)/python -m config.reference README.md

bench: $(VENV)/dev $(BENCH)/ready ## everything against the peers and the limits, in about half an hour; writes docs/benchmarks.md
	@$(BIN)/python -m benchmarks

bench-quick: $(VENV)/dev $(BENCH)/ready ## small and medium against three peers, in under five minutes
	@$(BIN)/python -m benchmarks --quick

format: $(VENV)/dev ## put every file into its canonical form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(VENV)/dev ## resolve the pinned, hashed requirement files again from pyproject.toml
	@$(BIN)/uv pip compile $(LOCK) --extra fast --extra http --extra traces pyproject.toml -o requirements/run.txt
	@$(BIN)/uv pip compile $(LOCK) --extra embedded --extra http pyproject.toml -o requirements/demo.txt
	@$(BIN)/uv pip compile $(LOCK) --extra embedded --extra fast --extra http --extra traces --group pyproject.toml:dev pyproject.toml -o requirements/dev.txt
	@$(BIN)/uv pip compile $(LOCK) requirements/build.in -o requirements/build.txt
	@$(BIN)/uv pip compile $(LOCK) requirements/benchmarks.in -o requirements/benchmarks.txt

LOCK := --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --quiet

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "batchsum needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'
	@echo "setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/%: requirements/%.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@$(INSTALL) --require-hashes -r requirements/build.txt -r $<
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# The peers have an environment of their own, so that none of them has a say in what the service runs with.
$(BENCH)/ready: requirements/benchmarks.txt | $(BIN)/python
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

sbom: $(VENV)/dev ## what the image holds, as a bill of materials: build/sbom.json (CycloneDX)
	@mkdir -p build
	@$(BIN)/cyclonedx-py requirements requirements/run.txt --pyproject pyproject.toml --output-reproducible --of JSON --output-file build/sbom.json
	@echo "build/sbom.json"

audit: $(VENV)/dev ## look the image's dependencies up among known vulnerabilities; needs the database on the network
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements/run.txt \
		|| { echo "audit failed: a vulnerability, or the database of them cannot be reached; nothing has been proved" >&2; exit 1; }

clean: ## remove what the other targets made
	@rm -rf $(VENV) $(BENCH) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist

.PHONY: help demo test chaos chaos-each chaos-quick fuzz lint documents bench bench-quick format lock sbom audit clean
