"""``compare``: which of several sources teaches most about one's own images."""

import argparse
from argparse import Namespace
from pathlib import Path
from typing import Any

from ..core.errors import DataError, ParameterError
from . import arguments
from .arguments import folder, option, target, whole, word
from .command import Command, add_option, use_device

MOST_RUNS = 50  # study/own_images.py
EPILOG = """a source is
  a generator           stat-spectrum           see `list`
  with its options      stat-spectrum:color=true
  any folder of images  folder:path=my/leaves
  real images           real (the training images of --data, labels hidden), real:data=cifar10

examples:
  a minute, to see how it works
      python -m synthlearn compare --sources noise-white fractals-sigma --data digits \\
          --profile smoke --out trial
  an hour or two of two cores, to know
      python -m synthlearn compare --sources dead_leaves-mixed fractals-sigma stat-spectrum real \\
          --data my_images --out mine

Each source pre-trains one encoder a run, from the same settings; each is frozen, and a linear probe
on it learns the classes of --data. Untrained encoders are measured beside them: what a source is
worth is its lead over these. Intervals are of 95 %, over runs and test images.

--out holds compare.json (all numbers), compare.png, encoders/ (each can be given to `probe`),
records/ and plan.json. When it is interrupted, the same command goes on; with a larger --runs it
adds runs. Settings of the profiles: python -m synthlearn profiles
"""
WIDTHS = (22, 26, 4)  # of the table's columns after the first: top-1, lead, runs


def _add_arguments(parser: arguments.Parser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "--sources",
        type=_source,
        nargs="+",
        required=True,
        metavar="SOURCE",
        help="what to pre-train on: generators, folders, real images; see below",
    )
    parser.add_argument(
        "--data",
        type=word,
        required=True,
        metavar="SET|DIR",
        help="your labelled images: an ImageFolder with train/ and test/ (or val/), or a set's "
        "name",
    )
    parser.add_argument(
        "--out", type=target, required=True, metavar="DIR", help="where all results go"
    )
    parser.add_argument(
        "--profile",
        type=word,
        default="cpu",
        help="smoke (seconds), cpu (minutes of a core for each run), gpu or paper",
    )
    parser.add_argument(
        "--runs", type=whole(1, MOST_RUNS), default=3, help="of each source, seeds 0, 1, …"
    )
    parser.add_argument(
        "--encoder",
        type=word,
        metavar="NAME",
        help="what to train: SmallAlexNet, resnet18, resnet50, vit (default: the profile's)",
    )
    add_option(
        parser,
        "--set",
        "FIELD=VALUE",
        "replace a field of the profile, as in epochs=20 or method=simclr; see `profiles`",
    )


def _source(text: str) -> tuple[str, tuple[tuple[str, Any], ...]]:
    """NAME:OPTION=VALUE:… as the name and its options."""
    name, *rest = word(text).split(":")
    try:
        options = tuple(option(each) for each in rest)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: after a colon, {error}") from error
    if len(dict(options)) < len(options):
        raise argparse.ArgumentTypeError(f"{text!r}: an option is given twice")
    if name == "folder" and isinstance(path := dict(options).get("path"), str):
        folder(path)
    return word(name), options


def _profile(args: Namespace) -> Any:
    """The profile with the images, the encoder and the settings of the arguments."""
    from .. import study

    settings = dict(args.set)
    for name, flag in (("data", "--data"), ("encoder", "--encoder"), ("seeds", "--runs")):
        if name in settings:
            raise ParameterError(f"--set {name}: is what {flag} says; leave it out")
    settings["data"] = args.data
    if args.encoder is not None:
        settings["encoder"] = args.encoder
    return study.with_data(args.profile, **settings)


def _compare(args: Namespace) -> int:
    from ..core import files, progress
    from ..study import assembly, own_images

    profile = _profile(args)
    rows = [own_images.row(name, dict(options)) for name, options in args.sources]
    own_images.check_number(rows)
    assembly.prepare(profile.threads)
    wanted = own_images.plan(rows, profile, args.runs)
    files.check_target(args.out / "plan.json")
    with files.locked(args.out / "compare", wait=False):
        own_images.keep_plan(args.out, wanted)
        use_device(profile.device)
        entries = own_images.entries(rows, profile, args.runs, args.out)
        records: dict[str, list[Any]] = {}
        with progress.overall(len(entries), "all runs") as whole_:
            for entry in entries:
                record = _made(entry)
                records.setdefault(entry.row.name, []).append(record)
                whole_.update()
        result = own_images.outcome(rows, records)
        answer = own_images.to_json(result, profile, entries)
        files.write_with_digest(args.out / "compare.json", answer)
        _draw(args.out / "compare.png", result)
    print(_table(result, answer))
    print(f"\n{args.out}: compare.json, compare.png, encoders/")
    return 0


def _made(entry: Any) -> Any:
    """The run of an entry: read where it is kept, else made; a line says so."""
    from ..core import files, progress
    from ..study import records, store

    if entry.path.exists():
        try:
            records.read(entry.path, records.Run)
        except DataError as error:
            what = str(error).partition(";")[0]
            raise DataError(f"{what}; delete it, and the same command makes it again") from error
    kept = store.state(entry) == "fresh"
    record = store.get(entry)
    if entry.row.trained:  # trained again where only its file is gone; a damaged one is named
        files.read_header(entry.trained_encoder())
    word_ = "kept" if kept else f"{record.cost.wall_seconds:.0f} s"
    progress.say(f"{entry.title}: top-1 {_percent(record.main.top1)} ({word_})", error=True)
    return record


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _interval(e: Any, sign: str = "") -> str:
    """A mean or a difference with its interval, in percent or points."""
    low, mean, high = (f"{100 * value:{sign}.1f}" for value in (e.low, e.mean, e.high))
    return f"{mean} [{low}, {high}]"


def _table(result: Any, answer: dict[str, Any]) -> str:
    """The standings as plain text, and what they do not decide."""
    names = [s.row.title for s in result.standings]
    first = max(len(name) for name in (*names, "source"))
    heads = ("top-1, %", "over untrained, points", "runs")

    def line(name: str, *cells: str) -> str:
        return "  ".join(
            [name.ljust(first), *(c.ljust(w) for c, w in zip(cells, WIDTHS, strict=True))]
        ).rstrip()

    lines = ["", line("source", *heads)]
    for s in result.standings:
        lead = _interval(s.lead, "+") if s.lead else "–"
        lines.append(line(s.row.title, _interval(s.top1), lead, str(len(s.runs))))
    chance = _percent(answer["chance"])
    lines += [
        "",
        f"{answer['probe']} on {answer['n_test']:,} test images of {answer['data']}; "
        f"chance is {chance} %. Intervals: {answer['intervals']}.",
        _verdict(result),
    ]
    return "\n".join(lines)


def _verdict(result: Any) -> str:
    """Which source is best, and which cannot be told apart from it."""
    best = result.best.row.title
    if not result.alike:
        return f"{best} is best; every other is told apart from it (Holm, 5 %)."
    return f"{best} has the highest mean; not told apart from it: {', '.join(result.alike)}."


def _draw(path: Path, result: Any) -> None:
    """The figure: a line for each source, and one across for the untrained encoders."""
    from ..book import figures, plots

    bars = [plots.Bar(s.row.title, s.row.family, s.top1) for s in result.standings if s.lead]
    floor = next(s.top1.mean for s in result.standings if not s.lead)
    figures.save(plots.accuracy_panel(bars, {"untrained": floor}, "top-1, %"), path)


COMPARE = Command(
    "compare",
    "pre-train on several sources and rank them by a probe on your own images",
    _add_arguments,
    _compare,
    resumes=True,
)
