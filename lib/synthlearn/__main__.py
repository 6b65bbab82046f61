"""The command line: parse, call, print."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import ParameterError, SynthlearnError

EXAMPLES = """examples:
  python -m synthlearn list
  python -m synthlearn generate --generator dead_leaves-mixed --n 100 --out leaves
  python -m synthlearn pretrain --generator fractals-sigma --profile smoke --out encoder.safetensors
  accelerate launch --num_processes 8 -m synthlearn pretrain --row dead_leaves-mixed --profile gpu --out encoder.safetensors
  python -m synthlearn probe --encoder encoder.safetensors --data digits
  python -m synthlearn properties --generator fractals-sigma --encoder encoder.safetensors --n 500
  python -m synthlearn run --profile cpu --row real --seed 0
  python -m synthlearn status --profile cpu
"""


VERIFY = """A record is of this kind of machine where processor, libraries and the bits of their arithmetic are the same: then every number must be equal.
Elsewhere a start must meet the first point of the loss up to rounding, and a whole run (--whole) or a further measurement must lie within what two runs
of a row differ by. What is equal to the bit or up to rounding confirms its record for the code at hand; the rest confirms none. The exit status is 1 when
a comparison to the bit or up to rounding fails, or more of the others do than chance explains."""


def option(text: str) -> tuple[str, Any]:
    """NAME=VALUE with a JSON value, or a word."""
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r}: must be NAME=VALUE, as in points=50000")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _source(p: argparse.ArgumentParser) -> Any:
    """Arguments that name a source of pictures and the profile's settings; the group of alternatives, for more of them."""
    where = p.add_mutually_exclusive_group(required=True)
    where.add_argument("--generator", metavar="NAME", help="see `list`")
    where.add_argument("--folder", metavar="DIR", help="any folder of pictures")
    where.add_argument("--real", metavar="SET", help="the training images of a real set, labels hidden unless a method needs them")
    p.add_argument("--option", type=option, action="append", default=[], metavar="NAME=VALUE", help="an option of the generator")
    p.add_argument("--profile", default="smoke", help="smoke, cpu, gpu or paper")
    p.add_argument(
        "--set", type=option, action="append", default=[], metavar="FIELD=VALUE", help="replace a field of the profile, as in epochs=20 or method=simclr"
    )
    return where


def parser() -> argparse.ArgumentParser:
    """All commands with their help."""
    top = argparse.ArgumentParser("python -m synthlearn", description="Learn to see from images that no camera took.",
                                  epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    top.add_argument("--debug", action="store_true", help="show the trace of an error")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", formatter_class=argparse.ArgumentDefaultsHelpFormatter)

    command("list", "list the generators with their options and defaults")

    p = command("generate", "write pictures of a generator to a folder or to webdataset shards")
    p.add_argument("--generator", required=True, metavar="NAME", help="see `list`")
    p.add_argument("--option", type=option, action="append", default=[], metavar="NAME=VALUE", help="an option of the generator; may be given several times")
    p.add_argument("--n", type=int, default=1000, help="number of pictures")
    p.add_argument("--size", type=int, default=128, help="side in pixels")
    p.add_argument("--seed", type=int, default=0, help="another seed is another set")
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to; pictures that are there already are kept")
    p.add_argument("--format", choices=("imagefolder", "webdataset"), default="imagefolder", help="PNG files in one class folder, or tar shards of 1,000")
    p.add_argument("--device", default="cpu", help="cpu, cuda …")

    p = command("pretrain", "pre-train an encoder on a generator, a folder or a real set, and save it")
    _source(p).add_argument("--row", metavar="ROW", help="a row of the study, with all its settings")
    p.add_argument("--method-option", type=option, action="append", default=[], metavar="NAME=VALUE", help="an option of the method, as in temperature=0.2")
    p.add_argument("--seed", type=int, default=0, help="of the initial weights, the pictures and the views")
    p.add_argument(
        "--out", type=Path, required=True, metavar="FILE.safetensors", help="where the encoder goes; an interrupted run goes on from FILE.checkpoint"
    )

    p = command("probe", "measure a frozen encoder on labelled real images and print one JSON object")
    p.add_argument(
        "--encoder",
        required=True,
        metavar="FILE|random|timm:NAME",
        help="a file of `pretrain`, an untrained encoder, or a timm model (timm:NAME@FILE for local weights)",
    )
    p.add_argument("--data", required=True, metavar="SET|DIR", help="a set's name, or an ImageFolder with train/ and test/ (or val/)")
    p.add_argument("--per-class", type=int, default=0, help="training images per class; 0 is all")
    p.add_argument("--width", type=float, default=0.25, help="of the random encoder")
    p.add_argument("--size", type=int, default=32, help="input side of the random encoder")
    p.add_argument("--seed", type=int, default=0, help="of the random encoder and of the held-out fifth of train")

    p = command("properties", "compare pictures with real ones in features of an encoder, and print one JSON object")
    _source(p)
    p.add_argument("--encoder", required=True, metavar="FILE|random|timm:NAME|inception:FILE",
                   help="as for `probe`, or torchvision's Inception v3 from its file: only then may the Fréchet distance be called FID")  # fmt: skip
    p.add_argument("--n", type=int, default=2000, help="pictures, and as many real ones twice: all values depend on it")
    p.add_argument("--seed", type=int, default=0, help="of the pictures and of the views")

    p = command("memory", "a visual memory: classify images by the nearest of those that it holds; classes and images come and go without training")
    p.add_argument("action", choices=("build", "add", "remove", "query"), help="build: a new one from a folder; add: more images; remove: images or a class; "
                   "query: the class of images, and the entries that decide it")  # fmt: skip
    p.add_argument("--memory", type=Path, required=True, metavar="DIR", help="folder of the memory")
    p.add_argument("--encoder", metavar="FILE|random|timm:NAME", help="as for `probe`; the one that the memory was built with")
    p.add_argument("--images", type=Path, metavar="DIR", help="build, add: images in DIR/CLASS/FILE")
    p.add_argument("--image", type=Path, action="append", metavar="FILE", help="query: an image; may be given several times")
    p.add_argument("--class", dest="class_", metavar="NAME", help="remove: a whole class")
    p.add_argument("--name", action="append", metavar="CLASS/FILE", help="remove: one image; may be given several times")
    p.add_argument("--neighbours", type=int, default=20, help="query: how many entries decide")

    for name, text in (
        ("run", "run rows of the study that have no fresh record"),
        ("measure", "make the further measurements of trained encoders that are not fresh: transfer, layers, few_shot, fine_tuning, properties"),
        ("status", "show which records are fresh, stale or missing"),
        ("verify", "run recorded rows again and compare: to the bit on the record's kind of machine, elsewhere within what rounding and chance explain"),
    ):
        p = command(name, text)
        p.add_argument("--profile", default="cpu", help="smoke, cpu, gpu or paper")
        p.add_argument("--row", action="append", help="only this row; may be given several times")
        p.add_argument("--chapter", help="only the rows that this chapter tells, as in 04_fractals")
        p.add_argument("--seed", type=int, help="only this seed")
        p.add_argument("--device", help="cpu, cuda …: in place of the profile's; a record of either counts, and says which it was")
        if name != "run":
            p.add_argument("--what", action="append", help="only this further measurement, and no rows; may be given several times")
    p.epilog = VERIFY
    p.add_argument("--measure", action="store_true", help="measure kept encoders again too")
    p.add_argument("--whole", action="store_true", help="rows alone: train each to its end and probe it. Else the first steps are compared, which takes "
                   "seconds, and the first part of each further measurement, for which an encoder is trained where none is kept")  # fmt: skip
    p.add_argument("--against", metavar="COMMIT", help="instead: run short starts under this commit's library and under this one, on this machine, and "
                   "confirm the records of what gives the same bits; needs no pools and no encoders")  # fmt: skip

    p = command("search", "search for a generator's options by successive halving; tries that have a record are not made again")
    p.add_argument("--search", default="collage", metavar="NAME", help="which of workflow/search.toml")
    p.add_argument("--profile", default="cpu", help="smoke or cpu")
    p.add_argument("--jobs", type=int, default=1, help="tries side by side, a core each")
    return top


def _profile(args: argparse.Namespace) -> Any:
    from . import study

    return study.resolve(args.profile, **({"device": args.device} if args.device else {}))


def _asked(args: argparse.Namespace) -> list[str]:
    """Names of the rows that were asked for, one by one or by their chapter; none: all."""
    from . import study

    told = [row.name for row in study.wanted(_profile(args)) if row.chapter == args.chapter]
    if args.chapter and not told:
        known = ", ".join(sorted({row.chapter for row in study.wanted(_profile(args))}))
        raise ParameterError(f"--chapter {args.chapter}: tells no row of this profile; chapters with rows: {known}")
    return [study.row(name).name for name in args.row or ()] + told


def _selected(args: argparse.Namespace) -> list[tuple[Any, Any, int]]:
    from . import study

    profile, named = _profile(args), _asked(args)
    chosen = [study.row(name) for name in named] if named else study.wanted(profile)
    found = [(row, profile, seed) for row in chosen for seed in range(row.profile(profile).seeds) if args.seed in (None, seed)]
    if not found:
        most = max(row.profile(profile).seeds for row in chosen)
        raise ParameterError(f"--seed {args.seed}: these rows have seeds 0 to {most - 1} in the profile {profile.name}")
    return found


def _searched(args: argparse.Namespace) -> Any:
    """The search of the profile, unless the arguments select rows or measurements, or the profile has none."""
    from .study import search

    return search.search("collage", args.profile) if args.profile in search.STUDIED and not (_asked(args) or args.what) else None


def _measurements(args: argparse.Namespace) -> list[tuple[str, Any, Any, int]]:
    """The planned further measurements that the arguments select."""
    from .study import measurements

    profile, named = _profile(args), _asked(args)
    for name in args.what or ():
        if name not in measurements.plans():
            raise ParameterError(f"--what {name}: must be one of {', '.join(measurements.plans())}")
    return [(what, row, profile, seed) for what in args.what or measurements.plans() for row, seed in measurements.planned(what, profile)
            if args.seed in (None, seed) and (not named or row.name in named)]  # fmt: skip


def _list() -> int:
    from .generators import default_options, generator_class, names

    for name in names():
        cls = generator_class(name)
        print(f"{name}\n    {str(cls.__doc__).strip().splitlines()[0]}")
        for field, value in default_options(name).items():
            allowed = cls.Options.allowed.get(field)
            print(f"      {field} = {value!r}" + (f"   ({' | '.join(map(str, allowed))})" if allowed else ""))
    return 0


def _generate(args: argparse.Namespace) -> int:
    from . import export
    from .generators import generator

    source = generator(args.generator, **dict(args.option))
    print(export.write(source, args.n, args.size, args.seed, args.out, args.format, args.device))
    return 0


def _named(args: argparse.Namespace) -> tuple[str, str]:
    """Kind and name of the source that the arguments name."""
    return next((kind, getattr(args, kind)) for kind in ("generator", "folder", "real") if getattr(args, kind))


def _pretrain(args: argparse.Namespace) -> int:
    from . import distributed, encoders, files, stream, study, train

    profile = study.resolve(args.profile, **dict(args.set))
    if args.row:
        row = study.row(args.row)
        if not row.trained or args.option or args.method_option:
            what = "--option and --method-option cannot change it" if row.trained else f"it trains nothing (kind {row.kind})"
            raise ParameterError(f"--row {row.name}: {what}; name a source with --generator, --folder or --real")
    else:
        kind, name = _named(args)
        row = study.Row(name, kind, name, "", "", origin=name, own_options=dict(args.option), method_options=dict(args.method_option))
    p = row.profile(profile)
    study.prepare(p)
    distributed.start()
    if distributed.first():  # makes what the others then find
        source = study.source_of(row, profile, args.seed)
        stream.feed(source, p.n_images, p.image_size, args.seed, p.device, p.refresh)
    distributed.wait()
    source = study.source_of(row, profile, args.seed)
    images = stream.feed(source, p.n_images, p.image_size, args.seed, p.device, p.refresh)
    method, labels = study.method_of(row, p, args.seed, source)
    described = {"source": source.spec(), "profile": {**p.__dict__}, "method_options": row.method_options, "seed": args.seed}
    trained = train.pretrain(images, method, p.augmenter(), p.optimisation(), args.seed, args.out.with_suffix(".checkpoint"), files.digest(described),
                             labels=labels)  # fmt: skip
    if distributed.first():
        encoders.save(args.out, method.encoder, {"training": described})
        print(f"{args.out}: {trained.seconds:.1f} s, loss {trained.curves['loss'][-1]:.3f}")
    return 0


def _probe(args: argparse.Namespace) -> int:
    from . import datasets, encoders, intervals, probe

    encoder = encoders.load(args.encoder, args.width, args.size, args.seed)
    size = encoder.options["input_size"]
    train, test = (datasets.load(args.data, split, round(size * probe.RESIZE)) for split in datasets.SPLITS)
    measured = probe.measure(encoder, train.first(args.per_class), test, args.seed)
    every = {}
    for name, m in measured.items():
        low, high = intervals.wilson(int(m.correct.sum()), len(test))
        every[name] = {"top1": m.top1, "low": low, "high": high}
    first = next(iter(every))
    print(json.dumps({"encoder": args.encoder, "data": test.name, "n": len(test), "metric": first, **every[first], "all": every}))
    return 0


def _memory(args: argparse.Namespace) -> int:
    from . import datasets, encoders, files, memory

    needed = {"build": ("encoder", "images"), "add": ("encoder", "images"), "query": ("encoder",), "remove": ()}[args.action]
    for what in needed:
        if getattr(args, what) is None:
            raise ParameterError(f"memory {args.action}: needs --{what}")
    if args.action == "query" and not (args.image or args.images):
        raise ParameterError("memory query: needs --image or --images")
    if args.action == "remove" and not (args.class_ or args.name):
        raise ParameterError("memory remove: needs --class or --name")
    if args.neighbours < 1:
        raise ParameterError(f"--neighbours {args.neighbours}: must be at least 1")
    if args.action == "remove":
        with memory.changing(args.memory) as kept:
            kept.remove(args.name or ())
            if args.class_:
                kept.remove_class(args.class_)
        return _told(args.memory, kept)
    if args.action == "build" and not args.force:
        memory.refuse_existing(args.memory)
    held = None if args.action == "build" else memory.Memory.load(args.memory)
    if args.action != "query":
        files.check_target(args.memory / memory.INDEX if args.memory.exists() else args.memory)
    encoder = encoders.load(args.encoder)
    made_by = memory.maker(encoder, args.encoder)

    def belongs(held: Any) -> None:
        if held.made_by != made_by:
            raise ParameterError(f"--encoder {args.encoder}: not the one that {args.memory} was built with; embeddings of two encoders cannot be compared")

    if held is not None:
        belongs(held)
    if args.action == "query":
        assert held is not None
        paths = [*(args.image or ()), *(datasets.Folder(args.images).files if args.images else ())]
        embedded = memory.read(paths, encoder, made_by["layer"])
        for path, c, near in zip(paths, held.classify(embedded, args.neighbours), held.query(embedded, args.neighbours), strict=True):
            print(json.dumps({"image": str(path), "class": c, "neighbours": [[name, round(cosine, 4)] for name, _, cosine in near]}, ensure_ascii=False))
        return 0
    names, classes, embedded = memory.read_folder(args.images, encoder, made_by)
    if args.action == "build":
        held = memory.Memory(made_by, embedded.shape[1])
        held.add(names, classes, embedded)
        held.save(args.memory, replace=args.force)
    else:
        with memory.changing(args.memory) as held:  # as it is now, not as it was before the images were read
            belongs(held)
            held.add(names, classes, embedded)
    return _told(args.memory, held)


def _told(folder: Path, held: Any) -> int:
    print(f"{folder}: {len(held):,} images of {len(set(held.classes))} classes")
    return 0


def _properties(args: argparse.Namespace) -> int:
    from . import datasets, encoders, inception, stream, study
    from .errors import DataError
    from .study import measurements

    told = dict(args.set)
    if args.data is not None and "data" in told:
        raise ParameterError("--data and --set data: give one of them")
    p = study.resolve(args.profile, **(told if args.data is None else {**told, "data": args.data}))
    test = datasets.load(p.data, "test", p.crop)
    source = stream.source(*_named(args), dict(args.option))
    limits = [(len(test) // 2, f"half of the test images of {p.data}")]
    if isinstance(source, (datasets.Folder, datasets.RealImages)):
        limits.append((source.number(), f"the pictures of {source.name}"))
    most, why = min(limits)
    if most < measurements.LEAST:
        raise DataError(f"{why}: {most}; at least {measurements.LEAST} are needed")
    n = min(measurements.IMAGES, most) if args.n is None else args.n
    if not measurements.LEAST <= n <= most:
        raise ParameterError(f"--n {n}: must lie between {measurements.LEAST} and {most}, {why}")
    file = args.encoder.removeprefix("inception:")
    encoder = encoders.load(args.encoder, p.width, p.crop, args.seed) if file == args.encoder else inception.Inception(Path(file))
    chosen = source.spread(n) if isinstance(source, datasets.Folder) else range(n)
    pictures = source.sample(chosen, p.image_size, args.seed, "cpu")
    tap = "conv5" if "conv5" in encoder.taps else encoder.taps[-1]
    real = measurements.large_enough(datasets.sample(test, 2 * n).images, p.crop)
    found = dict(measurements.compared(encoder, tap, pictures, real, p.augmenter(), args.seed))
    print(json.dumps({"source": source.name, "data": p.data, "encoder": args.encoder, "tap": tap, "n": n, "properties": found}))
    return 0


def _run(args: argparse.Namespace) -> int:
    from .study import run

    for row, profile, seed in _selected(args):
        found = run.record(row, profile, seed)
        print(
            f"{row.name} seed {seed}: "
            + ", ".join(f"{k} {100 * v['top1']:.1f} % [{100 * v['low']:.1f}, {100 * v['high']:.1f}]" for k, v in found["results"].items()),
            flush=True,
        )
    return 0


def _measure(args: argparse.Namespace) -> int:
    from .study import measurements

    for what, row, profile, seed in _measurements(args):
        found = measurements.measurement(what, row, profile, seed)["results"]
        print(
            f"{what} of {row.name} seed {seed}: " + ", ".join(f"{name} {part.get('top1', part.get('value')):.3f}" for name, part in found.items()), flush=True
        )
    return 0


def _search(args: argparse.Namespace) -> int:
    from . import study
    from .study import search

    found = search.search(args.search, args.profile)
    rungs = search.search_all(found, study.resolve(args.profile), args.jobs)
    for number, rung in enumerate(rungs):
        for point, right in rung:
            said = ", ".join(f"{option} {value}" for option, value in found.options(point).items())
            print(f"rung {number + 1}, point {point}: {100 * right.mean():.1f} %  ({said})")
    for point, share in search.choices(rungs[-1]).items():
        print(f"point {point} is chosen in {100 * share:.0f} % of draws of seeds and images")
    return 0


def _status(args: argparse.Namespace) -> int:
    from . import files
    from .study import measurements, run, search

    counts = {"fresh": 0, "stale": 0, "missing": 0}
    seconds = 0.0
    for what, row, profile, seed in _measurements(args):
        state = measurements.state(what, row, profile, seed)
        counts[state] += 1
        seconds += measurements.estimate(what, profile) * (state != "fresh")
        print(f"{state:8s} {what} of {row.name} seed {seed}")
    for row, profile, seed in [] if args.what else _selected(args):
        state = run.state(row, profile, seed)
        counts[state] += 1
        seconds += run.estimate(row, profile) * (state != "fresh")
        print(f"{state:8s} {row.name} seed {seed}")
    if searched := _searched(args):
        for _, record, state in search.made(searched, _profile(args)):
            counts[state] += 1
            print(f"{state:8s} {record['row']} of the search, {record['spec']['source']['n_images']:,} images, seed {record['spec']['seed']}")
    print(", ".join(f"{n} {state}" for state, n in counts.items()) + f"; about {seconds / 60:.0f} core-minutes to run")
    used = ", ".join(f"{folder} {size / 1e6:,.0f} MB" for folder, size in sorted(files.disk_use().items()))
    print(f"{files.runs()}: {used or 'empty'}; can be made again, make clean removes it")
    return 0


def _verify(args: argparse.Namespace) -> int:
    from .study import comparison, measurements, run, versions

    if args.against:
        failed = 0
        chosen = {row.name: row for row, _, _ in ([] if args.what else _selected(args))}
        whats = args.what or ([] if _asked(args) else list(measurements.plans()))
        for name, same, number in versions.confirm(_profile(args), args.against, list(chosen.values()), whats, _searched(args)):
            failed += not same
            print(f"{'same' if same else 'DIFFERS'}  {name.removeprefix('what:')}: {number} records confirmed", flush=True)
        return int(failed > 0)
    found: list[comparison.Comparison] = []

    def show(what: str, compared: Sequence[comparison.Comparison]) -> None:
        found.extend(compared)
        for c in compared:
            print(f"{c.word:7s}  {what}, asked {c.asked}: {c.said}", flush=True)

    for name, row, profile, seed in [] if args.whole else _measurements(args):
        if measurements.path(name, row, profile, seed).exists():
            show(f"{name} of {row.name} seed {seed}", [measurements.replay(name, row, profile, seed)])
    for row, profile, seed in [] if args.what else _selected(args):
        if run.path(row, profile, seed).exists():
            show(f"{row.name} seed {seed}", run.rerun(row, profile, seed) if args.whole else run.replay(row, profile, seed, args.measure))
    print(comparison.summary(found))
    return int(comparison.failed(found))


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit status: 0, 1 for a failure, 2 for wrong use."""
    args = parser().parse_args(argv)
    handlers = {
        "generate": _generate,
        "pretrain": _pretrain,
        "probe": _probe,
        "properties": _properties,
        "memory": _memory,
        "run": _run,
        "measure": _measure,
        "search": _search,
        "status": _status,
        "verify": _verify,
    }
    try:
        return _list() if args.command == "list" else handlers[args.command](args)
    except SynthlearnError as error:
        if args.debug:
            raise
        print(f"synthlearn: {error}", file=sys.stderr)
        return 2 if isinstance(error, ParameterError) else 1


if __name__ == "__main__":
    sys.exit(main())
