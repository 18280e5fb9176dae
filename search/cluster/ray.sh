#!/bin/sh
# The `ray` of a node's login shells. `ray down` says `ray stop` to the head alone: here the head tells the others first.
if [ "${1:-}" = stop ]; then ~/lowq/.venv/bin/python -m search.cluster.stop_nodes; fi
exec ~/lowq/.venv/bin/ray "$@"
