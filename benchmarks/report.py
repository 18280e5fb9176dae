"""How long does the report of a large run take, and in how much memory: 300 trials of 48,000 score rows each?

`python benchmarks/report.py RUN` keeps the run that it makes there, and uses it when it is asked a second time.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from report_run import Size, write_large_run

from search.records import RUN_FACTS

SIZE = Size(n_trials=300, n_images=1000)
MOST_S, MOST_GB, MOST_MB, MOST_FILES = 60.0, 3.0, 60.0, 600  # what is allowed, on two cores
ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "report.json"


def measure(run: Path, out: Path) -> dict[str, float]:
    """Write a run's report in a fresh process; returns its seconds, processor seconds and peak of resident memory."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "analysis", str(run), str(out)], cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    if status:
        raise RuntimeError(f"python -m analysis {run} must end well, its exit status was {status}")
    return {"wall_s": wall_s, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_gb": usage.ru_maxrss * 1024 / 1e9}


def main(run: Path) -> None:
    """Make the run unless it is there, measure, print and write benchmarks/results/report.json."""
    if not (run / RUN_FACTS).is_file():
        write_large_run(run, SIZE)
    load = os.getloadavg()[0]  # what else runs: the wall clock counts it, processor seconds hardly do
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "report")
        measured = measure(run, out)
        files = [path for path in out.rglob("*") if path.is_file()]
        page_mb, report_mb = ((path.stat().st_size for path in paths) for paths in ([out / "index.html"], files))
        sizes = {"page_mb": sum(page_mb) / 1e6, "report_mb": sum(report_mb) / 1e6, "n_files": len(files)}
    numbers = {
        **measured,
        **{f"{name}_of_allowed": measured[f"{name}_s"] / MOST_S for name in ("wall", "cpu")},
        "peak_of_allowed": measured["peak_gb"] / MOST_GB,
        **sizes,
    }
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()}
        | {"load_before": round(load, 1)},
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("pandas", "numpy", "pyarrow", "matplotlib", "seaborn")},
        "settings": {"n_trials": SIZE.n_trials, "n_rows_of_a_trial": SIZE.n_rows, "n_images": 2 * SIZE.n_images},
        "numbers": {name: round(number, 2) for name, number in numbers.items()},
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(
        f"the report of {SIZE.n_trials} trials takes {numbers['wall_of_allowed']:.2f} of {MOST_S:.0f} s at a load of "
        f"{load:.1f} (it used {numbers['cpu_s']:.0f} s of the processors) and {numbers['peak_of_allowed']:.2f} of "
        f"{MOST_GB:.0f} GB, and is "
        f"{numbers['report_mb']:.0f} of {MOST_MB:.0f} MB in {numbers['n_files']} of {MOST_FILES} files"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder, "run"))
