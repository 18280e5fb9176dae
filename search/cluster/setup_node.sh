#!/bin/sh
# Installs lowq into ~/lowq/.venv on this node, unless what it is made from is what it was made from; cluster.yaml calls
# it. PYTHON: which Python. A node with a card gets CUDA too, and any node what shows a study, since any may be the head.
set -eu
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-python3}
extra="[watch]"
if nvidia-smi -L >/dev/null 2>&1; then extra="[watch,gpu]"; fi
wanted="$(cat pyproject.toml constraints.txt | sha256sum | cut -c-64) $("$PYTHON" --version) $extra"
if [ "$(cat .venv/installed 2>/dev/null)" != "$wanted" ]; then
    "$PYTHON" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --constraint constraints.txt --editable ".$extra"
    echo "$wanted" >.venv/installed
fi
# `ray down` asks the head for `ray` by its name alone.
mkdir -p ~/.local/bin
ln -sf "$PWD/search/cluster/ray.sh" ~/.local/bin/ray
if ! bash --login -ic 'command -v ray' >/dev/null 2>&1; then
    echo "lowq: put ~/.local/bin on the PATH of login shells, in ~/.profile" >&2
    exit 1
fi
