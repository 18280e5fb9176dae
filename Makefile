# Each target first makes .venv and installs lowq in it, when that is missing or older than what it is made from.
PYTHON ?= python3
BIN := .venv/bin

BIN_JAX := .venv-jax/bin
# The tests of models/ that need neither TensorFlow nor Ray; they take both backends.
JAX_TESTS := $(addprefix tests/test_,$(addsuffix .py,backends batches colour evaluation losses metrics networks training))

.PHONY: search test test-jax lint

search: .venv/installed
	$(BIN)/python search/run.py --space full

test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-jax: .venv-jax/installed
	! $(BIN_JAX)/python -c 'import tensorflow' 2>/dev/null
	KERAS_BACKEND=jax $(BIN_JAX)/python -m pytest --numprocesses auto --dist loadfile $(JAX_TESTS)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

.venv-jax/installed: pyproject.toml constraints-jax.txt
	$(PYTHON) -m venv .venv-jax
	$(BIN_JAX)/python -m pip install --quiet --requirement constraints-jax.txt
	$(BIN_JAX)/python -m pip install --quiet --no-deps --editable .
	touch $@
