# Every target creates .venv itself: python3 >= 3.11 and make are all that a clone needs.
PYTHON ?= python3
BIN := .venv/bin

WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install test test-slow demo lint format benchmark docs docs-check lock clean
.PRECIOUS: .venv/.with-%

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.with-dev ## Create .venv with all that the other targets need, pinned (redone only when versions change)

.venv/.with-%: pyproject.toml setup.py constraints.txt
	@echo "Installing into .venv what sdgnn[$*] needs (one to three minutes; redone only when versions change)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@

test test-slow: export OMP_NUM_THREADS = 1  # one thread for each of the workers

test: lint ## Lint, then the whole suite but its slow tests (at most 15 minutes on 2 cores, install included)
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS)

test-slow: .venv/.with-dev ## The slow tests
	$(BIN)/python -m pytest -m slow -n $(WORKERS)

lint: .venv/.with-dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.with-dev ## Rewrite the code as ruff formats it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: .venv/.with-train ## From a Hamiltonian to a quench: without labels, calibrated, trained (at most 10 minutes on 2 cores)
	$(BIN)/sdgnn demo

benchmark: .venv/.with-train ## Time per site: exact and network field
	$(BIN)/python benchmarks/fields.py

docs: .venv/.with-docs ## Run the notebooks and build the site in docs/_build/html (notebooks run once for each version)
	$(BIN)/python -m sphinx --builder html --quiet --fail-on-warning --keep-going docs docs/_build/html
	@echo "docs/_build/html/index.html"

dist: .venv/.with-dev ## Build the sdist, and from it the wheel, in dist/
	@rm -rf dist build
	@$(BIN)/python -c "from setuptools import build_meta; build_meta.build_sdist('dist')" > /dev/null
	@$(BIN)/python -m pip wheel -qq --no-deps --no-build-isolation -w dist dist/*.tar.gz
	@ls dist/*

lock: .venv/.with-dev ## Pin in constraints.txt what .venv holds, once newer versions are installed there and tested
	@echo "# Versions tested together: all that the base, the extras and the tools bring (make lock writes, make install takes them)." > constraints.new
	@$(BIN)/python -m pip list --format=freeze --exclude-editable --exclude pip --exclude sdgnn | sed 's/+.*//' >> constraints.new
	@mv constraints.new constraints.txt

docs-check: docs ## Read the site as a visitor would: links, figures, equations, 20 questions to the search (with Chromium)
	$(BIN)/python docs/check.py

clean: ## Remove caches (results/ and .venv stay)
	rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist
