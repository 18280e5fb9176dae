# Each target first makes .venv and installs lowq in it, when that is missing or older than what it is made from.
PYTHON ?= python3
BIN := .venv/bin

BIN_JAX := .venv-jax/bin
# The tests of models/ that need neither TensorFlow nor Ray; they take both backends.
JAX_TESTS := $(addprefix tests/test_,$(addsuffix .py,augmentation backends batches colour consistency course evaluation losses metrics \
	native networks qualities ridge sizes training weighted_losses))

.PHONY: search test test-jax test-cluster lint

search: .venv/installed
	$(BIN)/python search/run.py --space full --scale demo

test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --durations 20

test-jax: .venv-jax/installed
	! $(BIN_JAX)/python -c 'import tensorflow' 2>/dev/null
	KERAS_BACKEND=jax $(BIN_JAX)/python -m pytest --numprocesses auto --dist loadfile $(JAX_TESTS)

# For root on Linux; apt-get brings what is missing, and the tests name what still is.
test-cluster: .venv/installed
	if [ "$$(id -u)" = 0 ] && ! { command -v sshd && command -v ip && command -v rsync && command -v tmux; } >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq iproute2 openssh-server rsync tmux || true; fi
	$(BIN)/python -m pytest --exitfirst tests/cluster

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
