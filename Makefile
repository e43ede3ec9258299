# Everything happens in .venv in this checkout; each target may be run again and again.
.DEFAULT_GOAL := help
PYTHON ?= python3
PIP = .venv/bin/pip install --disable-pip-version-check --quiet

.PHONY: help demo test test-quick lint setup-demo setup-test

help:
	@echo "make demo   start a real deployment, judge it, leave evidence/report.html (no root needed)"
	@echo "make test   install what the tests need (root: Debian packages) and run them"
	@echo "make test-quick   without the faults, hostile targets, the demo's own tests and the page"
	@echo "make lint   ruff and mypy"

.venv/bin/pip:
	@echo "Making .venv …"
	@$(PYTHON) -m venv .venv

.venv/.demo: .venv/bin/pip pyproject.toml constraints.txt
	@echo "Installing pytest-deploycheck and the demo's servers into .venv …"
	@$(PIP) --constraint constraints.txt --editable '.[demo]'
	@touch $@

demo: .venv/.demo
	@.venv/bin/deploycheck demo run .demo --evidence evidence

.venv/.test: .venv/bin/pip pyproject.toml constraints.txt
	@echo "Installing what the tests need into .venv …"
	@$(PIP) --constraint constraints.txt --editable '.[test]'
	@touch $@

setup-test: .venv/.test
	@tests/setup.sh

# Faults are injected into one deployment a worker, side by side; the other tests share a deployment by file.
TESTS = CI=$${CI:-true} PATH="$(CURDIR)/tests/demo/node/node_modules/.bin:$$PATH" tests/run.sh

test: setup-test
	@$(TESTS) --dist loadfile tests --ignore tests/faults --ignore tests/hostile
	@$(TESTS) --dist load tests/faults tests/hostile

# All but the slow folders, for a first answer in two minutes.
test-quick: setup-test
	@$(TESTS) --dist loadfile tests --ignore tests/faults --ignore tests/hostile --ignore tests/demo --ignore tests/reports

lint: .venv/.test
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
