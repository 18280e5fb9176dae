"""The commands of docs/cluster.md, so that the page and its test cannot drift apart."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "cluster.md"


def read_commands(page: Path = PAGE) -> dict[str, list[str]]:
    """Return the lines of a page's sh blocks by the heading that they stand under."""
    commands: dict[str, list[str]] = {}
    for part in re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        if blocks := re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
            commands[heading] = "".join(blocks).splitlines()
    return commands
