"""Measure pairs of ours and a reference loop in turns, and the engine against the hardware:
``python -m benchmarks``, on a GPU ``--card``."""

import argparse
import datetime
import os
import platform
import sys
from pathlib import Path
from typing import Any

import torch

from synthlearn.core import files
from synthlearn.core.errors import ParameterError
from synthlearn.core.machine import device_name
from synthlearn.study.provenance import commit

from . import engine

ALL_DAY = 3600.0  # seconds of the engine's part where nobody waits


def where(device: str, threads: int) -> dict[str, Any]:
    """Machine, versions and day of what is measured now."""
    return {
        "device": device_name(device),
        "kind": device.split(":")[0],
        "threads": threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "commit": commit(),
        "date": datetime.date.today().isoformat(),
    }


def target(device: str, tiny: bool) -> Path:
    """The file of this machine; what was measured at tiny sizes is no result."""
    slug = "".join(c if c.isalnum() else "-" for c in device_name(device).lower()).strip("-")
    return (files.runs() if tiny else files.root() / "results") / "benchmarks" / f"{slug}.json"


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="turns of ours and theirs per case")
    parser.add_argument(
        "--only", metavar="NAME", help="only the pairs whose names begin so, without writing a file"
    )
    parser.add_argument(
        "--card",
        action="store_true",
        help="only the engine and the generators, in --seconds; with --device cpu at tiny sizes, "
        "to try it",
    )
    parser.add_argument(
        "--seconds", type=float, default=80, help="of --card, without the start of Python"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--threads",
        type=int,
        default=os.cpu_count(),
        help="of ours on a CPU; the reference loops use one",
    )
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write ``results/benchmarks/<device>.json``."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.allow_tf32 = False  # as in the study
    torch.backends.cudnn.benchmark = True
    on_cpu = args.device == "cpu"
    path = target(args.device, args.card and on_cpu)
    here = where(args.device, args.threads)
    machine = files.read_with_digest(path) if path.exists() else here
    if not args.card:
        from . import pairs  # only now: the reference loops need OpenCV and Numba

        try:
            rows = pairs.measure(args.device, args.repeats, args.only or "")
        except ParameterError as error:
            print(error, file=sys.stderr)
            sys.exit(2)
        if args.only:
            return
        machine = {**here, "rows": rows}

    def keep(entries: list[engine.Entry]) -> None:
        files.write_with_digest(path, {**machine, "engine": entries, "engine_from": here})

    sizes = engine.CARD
    if on_cpu:
        sizes = engine.TINY if args.card else engine.ON_CPU
    parts = engine.parts(sizes, args.card or not on_cpu)
    seconds = args.seconds if args.card else ALL_DAY
    engine.measure(engine.Bench(args.device, sizes), parts, seconds, keep)
    print(path)


if __name__ == "__main__":
    main()
