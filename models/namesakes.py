"""Other packages of the names of lowq's folders, such as Hugging Face's `datasets`, beside which it cannot run."""

import sys
from importlib.util import find_spec
from pathlib import Path

FOLDERS = ("datasets", "models", "search", "analysis")
ROOT = Path(__file__).resolve().parent.parent


def require_own_packages() -> None:
    """Exit with 2 and one line where Python would import another package of a name of FOLDERS."""
    for name in FOLDERS:
        spec = find_spec(name)
        places = list(spec.submodule_search_locations or ()) if spec else []
        if not any(Path(place).resolve() == ROOT / name for place in places):
            where = places[0] if places else "nowhere"
            advice = "install lowq in an environment of its own, or start this in its folder"
            print(f"lowq: Python's package {name} is not lowq's but {where}: {advice}", file=sys.stderr)
            sys.exit(2)
