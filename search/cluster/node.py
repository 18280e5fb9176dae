"""`python -m search.cluster.node`: prints what this node alone knows of how Ray starts on it; cluster.yaml calls it."""

import json
import os
from collections.abc import Mapping

from search.cluster.cards import Card, offered_memory_mb, read_cards
from search.cluster.placement import GPU_MEMORY


def start_options(environment: Mapping[str, str], cards: tuple[Card, ...]) -> list[str]:
    """Return options of `ray start`: the node's address, as ssh was asked for it, its cards and their memory.

    Cards of a node share one number: so many times the smallest, MB of 10^6 bytes. Where TensorFlow cannot use one of
    them the node offers none, and the preflight says why.
    """
    usable = cards if all(card.is_usable for card in cards) else ()
    offered = {GPU_MEMORY: offered_memory_mb(usable)} if usable else {}
    options = [f"--num-gpus={len(usable)}", f"--resources={json.dumps(offered, separators=(',', ':'))}"]
    connection = environment.get("SSH_CONNECTION", "").split()  # client, its port, this node, its port
    return [f"--node-ip-address={connection[2]}", *options] if len(connection) == 4 else options


if __name__ == "__main__":
    print(*start_options(os.environ, read_cards()[0]))
