# `make` lists the commands. They all run in .venv, which is made by the first one that needs it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# One thread a process: trials and tests run beside each other, and each sets what it needs.
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Processes that the quick tests are shared among, a file at a time.
JOBS ?= 2

# Those of benchmarks/ that need no data of yours, each with its arguments.
BENCHMARKS := cache.py code_distillation.py controller.py 'distillation_gains.py digits' \
	'distillation_gains.py digits --only fcfd' 'distillation_gains.py attention' \
	'distillation_gains.py classes --seeds 10' distillation_step.py footprint.py language_modelling.py method_costs.py \
	'own_jobs.py examples/digits.yaml' proxies.py 'proxies.py --space mlp' specialists.py token_step.py

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check fix docs bench

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# As an entry of the path. The finder that setuptools makes otherwise is asked after the whole path, so that any folder of
# a user's named `teachers` would hide the package.
INSTALL := --constraint constraints.txt --config-settings editable_mode=compat --editable

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is $$($(PYTHON) --version); Python 3.11 or later is needed: make PYTHON=python3.11 ..."; exit 1; }
	@echo "installing into $(VENV); this takes some minutes, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq $(INSTALL) '.[dev,docs,huggingface,transformers]'
	@touch $@

demo: $(STAMP) ## search students for handwritten digits into runs/demo, afresh
	@rm -rf runs/demo
	@$(BIN)/automl search examples/digits.yaml

test: $(STAMP) ## run the tests that take seconds
	@$(BIN)/python -m pytest --quiet --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder -m 'not slow'

test-slow: $(STAMP) ## run the tests that take minutes
	@$(BIN)/python -m pytest --quiet -m slow

check: $(STAMP) ## lint, format, types, and whether generated files are up to date
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "run: make fix"; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python -m automl.config.schema | diff -q - docs/config.schema.json >/dev/null || \
		{ echo "docs/config.schema.json is out of date; run: make fix"; exit 1; }
	@$(BIN)/python docs/config_reference.py | diff -q - docs/config.md >/dev/null || \
		{ echo "docs/config.md is out of date; run: make fix"; exit 1; }
	@echo "all checks passed"

fix: $(STAMP) ## format, mend what can be mended, write generated files anew
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format --quiet
	@$(BIN)/python -m automl.config.schema > $(VENV)/generated && mv $(VENV)/generated docs/config.schema.json
	@$(BIN)/python docs/config_reference.py > $(VENV)/generated && mv $(VENV)/generated docs/config.md

docs: $(STAMP) ## build the site into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "site/index.html"

bench: $(STAMP) ## measure what docs/results.md quotes
	@failed=; for run in $(BENCHMARKS); do \
		echo "== $$run"; $(BIN)/python benchmarks/$$run || failed="$${failed:+$$failed, }$$run"; \
	done; [ -z "$$failed" ] || { echo "failed: $$failed"; exit 1; }
