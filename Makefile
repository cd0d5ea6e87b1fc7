# Needs only Python 3.11 or newer and make. PYTHON says which Python: make test PYTHON=python3.12
PYTHON ?= python3
ARGS ?=
VENV := .venv
VENV_OPENAI3 := .venv-openai3
BIN := $(VENV)/bin
INSTALL := $(PYTHON) requirements/install.py

# The pure rooms: every line and branch of them is covered by their own tests.
ROOMS := gateway/wire/*,gateway/identity.py,gateway/tasks/**/*,gateway/tasks/*,gateway/likeness/*,gateway/policy/**/*,gateway/policy/*,gateway/quota/*,gateway/rehearsal/**/*,gateway/rehearsal/*,gateway/metering/*,gateway/ledger/*,gateway/credit/*,gateway/documents/*,gateway/values/*,gateway/errors.py,gateway/pipeline.py,gateway/passage.py,gateway/repeats.py,gateway/linking.py,gateway/planning.py,gateway/sharing/*

.DEFAULT_GOAL := help
.PHONY: help run demo install test soak check fix bench coverage lock clean

help: ## Say what there is to make.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Start a gateway with a seeded key and task, and print a call to paste.
	@$(INSTALL) $(VENV) requirements/run.txt --also requirements/test.txt --package
	@$(BIN)/goodgate serve --demo --config goodgate.yaml --policies policies --data data $(ARGS)

demo: ## A minute of honest and silly traffic; raw counting beside what Goodgate says.
	@$(INSTALL) $(VENV) requirements/run.txt --also requirements/test.txt --package
	@$(BIN)/goodgate demo $(ARGS)

install: ## Make the environments the tests and checks run in.
	@$(INSTALL) $(VENV) requirements/test.txt --package
	@$(INSTALL) $(VENV_OPENAI3) requirements/openai3.txt

test: ## Run every test (ARGS="tests/unit -k name" for some).
	@$(INSTALL) $(VENV) requirements/test.txt --package
	@$(INSTALL) $(VENV_OPENAI3) requirements/openai3.txt
	@$(BIN)/python -m pytest -q $(ARGS)

soak: ## Long runs of the faults: 2,000 kills of the gateway, 20,000 power cuts.
	@$(INSTALL) $(VENV) requirements/test.txt --package
	@GOODGATE_KILLS=2000 GOODGATE_CUTS=20000 GOODGATE_CRASHES=200 \
	  $(BIN)/python -m pytest -q -s tests/faults tests/live/test_kill.py $(ARGS)

check: ## Format, lint, doors, types, docstrings: in the order that fails fastest.
	@$(INSTALL) $(VENV) requirements/test.txt --package
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/interrogate -q gateway
	$(BIN)/coverage run --data-file .coverage.rooms -m pytest -q tests/unit
	$(BIN)/coverage report --data-file .coverage.rooms --fail-under 100 --include "$(ROOMS)"
	$(BIN)/pip --disable-pip-version-check check

fix: ## Repair what can be repaired.
	@$(INSTALL) $(VENV) requirements/test.txt --package
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: ## Measure against bare uvicorn + aiohttp (ARGS=--peers adds LiteLLM and Portkey).
	@$(INSTALL) $(VENV) requirements/test.txt --package
	@$(BIN)/python -m benchmarks $(ARGS)

coverage: ## Run every test and show which lines and branches none of them reached.
	@$(INSTALL) $(VENV) requirements/test.txt --package
	@$(INSTALL) $(VENV_OPENAI3) requirements/openai3.txt
	@$(BIN)/coverage run -m pytest -q $(ARGS)
	@$(BIN)/coverage report

lock: ## Choose the newest versions again and write their hashes (needs uv).
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	cd requirements && for name in run litellm test openai3; do \
	  uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --prerelease disallow --no-header --no-emit-index-url --no-emit-find-links \
	    $$name.in --output-file $$name.txt || exit 1; \
	done

clean: ## Remove what was built or cached here. The data folder stays.
	rm -rf $(VENV) $(VENV_OPENAI3) .bench build dist *.egg-info .coverage .coverage.* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
