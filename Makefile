# Every command a person or CI needs. `make demo` and `make test` set up what is missing; both need root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PAUSE := $(VENV)/libexec/lading-pause
SETUP := e2e/setup

.PHONY: help demo test check format unit pure e2e critest bench api setup clean

help: ## List the commands
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: ## Set up what is missing and run a whole pod on a private daemon
	@$(SETUP)/debian_packages.sh demo
	@$(MAKE) --no-print-directory $(VENV)/.installed $(PAUSE)
	@$(BIN)/lading demo

test: setup ## Set up what is missing, then all checks and tests: check, unit, e2e, critest
	@$(MAKE) --no-print-directory check unit pure
	@$(SETUP)/with_hugetlb.sh $(MAKE) --no-print-directory e2e critest

setup: $(VENV)/.installed-dev $(PAUSE) ## Install packages, tools and the virtual environment
	@$(SETUP)/debian_packages.sh test
	@$(SETUP)/go_tools.sh crictl critest runc cni-plugins schemas

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || $(SETUP)/debian_packages.sh python
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Lading needs Python 3.11 or later" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(SETUP)/debian_packages.sh python
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing Lading into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@$(BIN)/python -m compileall -q cri runtime image  # a start without bytecode takes twice as long
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing the development tools into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(PAUSE): runtime/pause/pause.c runtime/pause/build.py $(VENV)/.installed
	@command -v gcc >/dev/null || $(SETUP)/debian_packages.sh demo
	@$(BIN)/python -m runtime.pause.build $@

check: $(VENV)/.installed-dev ## Formatting, lint, types, import directions, docstrings, house rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/interrogate cri runtime image
	@$(BIN)/pytest -q cri/tests/test_house_rules.py

format: $(VENV)/.installed-dev ## Format the code and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

unit: $(VENV)/.installed-dev ## Unit tests: no root, no network, seconds
	@$(BIN)/pytest -q --numprocesses 2 --dist worksteal

pure: $(VENV)/.installed-dev ## Pure folders: every line and branch covered by the file's own tests
	@$(SETUP)/pure_coverage.sh $(BIN)/python

e2e: setup ## End-to-end tests with the real programs; root
	@$(BIN)/pytest -q -c e2e/pytest.ini e2e --numprocesses 3 --dist worksteal

critest: setup ## Kubernetes' CRI conformance suite, one seed; no spec that passed may fail
	@$(BIN)/python -m e2e.conformance_critest --check

bench: setup ## Measure against containerd in one run and print the table; root
	@$(SETUP)/debian_packages.sh bench
	@$(SETUP)/go_tools.sh containerd
	@$(SETUP)/with_hugetlb.sh $(BIN)/python -m e2e.bench

api: $(VENV)/.installed-dev ## Generate the CRI stubs again from k8s.io/cri-api
	@$(BIN)/python -m cri.api.generate

clean: ## Remove what the other commands made in this tree
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
