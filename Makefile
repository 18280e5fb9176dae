# Each target first makes .venv and installs lowq in it, when that is missing or older than what it is made from.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: search test lint

search: .venv/installed
	$(BIN)/python search/run.py --space full

test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
