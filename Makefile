# Everything happens in .venv in this checkout; each target may be run again and again.
.DEFAULT_GOAL := help
PYTHON ?= python3
PIP = .venv/bin/pip install --disable-pip-version-check --quiet

.PHONY: help demo test test-all lint setup-demo setup-test

help:
	@echo "make demo   start a real deployment, judge it, leave evidence/report.html (no root needed)"
	@echo "make test   install what the tests need (root: Debian packages) and run them"
	@echo "make test-all   the slow tests too: faults, hostile targets, the demo, the page in a browser"
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

# The quick tests: everything but the slow folders below.
QUICK = tests/core tests/docs tests/plugin tests/probes tests/suites tests/reports/test_html.py \
	tests/faults/test_matrix.py tests/faults/test_worlds.py

test: setup-test
	@CI=$${CI:-true} .venv/bin/python -m pytest -n 2 --dist loadfile $(QUICK)

# Every fault of every item, hostile targets, the demo's own tests and the page in a browser as well.
test-all: setup-test
	@CI=$${CI:-true} .venv/bin/python -m pytest -n 2 --dist loadfile tests

lint: .venv/.test
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
