"""The command line: parse, call, print."""

import contextlib
import io
import json
import os
import signal
import sys
import threading
import traceback
from argparse import SUPPRESS, Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .commands import arguments
from .commands.arguments import (
    SEEDS,
    device,
    encoder_file,
    folder,
    image_file,
    number,
    option,
    target,
    whole,
    word,
)
from .core.errors import ParameterError, SynthlearnError, TrainingDiverged

MANY = 10**9
SIZES, INPUTS, WIDTHS = (8, 1024), (32, 512), (1 / 32, 4.0)  # of pictures; of the random encoder
STUDY = (
    "run",
    "measure",
    "status",
    "verify",
    "search",
)  # commands that need the project's checkout
GOES_ON = (
    "generate",
    "pretrain",
    "run",
    "measure",
    "search",
)  # whose next call goes on where one was cut off

EXAMPLES = """examples:
  python -m synthlearn list
  python -m synthlearn generate --generator dead_leaves-mixed --n 100 --out leaves
  python -m synthlearn pretrain --generator fractals-sigma --profile smoke --out encoder.safetensors
  python -m synthlearn probe --encoder encoder.safetensors --data digits
  python -m synthlearn properties --generator fractals-sigma --encoder encoder.safetensors
  python -m synthlearn profiles
  python -m synthlearn run --profile cpu --row real --seed 0
  python -m synthlearn run --profile gpu --minutes 9
  python -m synthlearn status --profile cpu

several processes (they share each batch; batch_size must be a multiple of their number):
  on GPUs  accelerate launch --num_processes 8 -m synthlearn pretrain …
  on CPUs  torchrun --nproc_per_node 2 -m synthlearn pretrain …
"""

PRETRAIN = "Fields of --set with their values in each profile, methods with their options, encoders: python -m synthlearn profiles"


VERIFY = """A record is of this kind of machine where processor, libraries and the bits of their arithmetic are the same: then every number must be equal.
Elsewhere a start must meet the first point of the loss up to rounding, and a whole run (--whole) or a further measurement must lie within what two runs
of a row differ by. What is equal to the bit or up to rounding confirms its record for the code at hand; the rest confirms none. The exit status is 1 when
a comparison to the bit or up to rounding fails, or more of the others do than chance explains."""


def _source(p: arguments.Parser) -> Any:
    """Arguments that name a source of pictures and the profile's settings; the group of alternatives, for more of them."""
    where = p.add_mutually_exclusive_group(required=True)
    where.add_argument("--generator", type=word, metavar="NAME", help="see `list`")
    where.add_argument("--folder", type=folder, metavar="DIR", help="any folder of pictures")
    where.add_argument(
        "--real",
        type=word,
        metavar="SET",
        help="the training images of a real set, labels hidden unless a method needs them",
    )
    p.add_argument(
        "--option",
        type=option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the generator, see `list`",
    )
    p.add_argument("--profile", type=word, default="smoke", help="smoke, cpu, gpu or paper")
    p.add_argument("--set", type=option, action="append", default=[], metavar="FIELD=VALUE",
                   help="replace a field of the profile, as in epochs=20 or method=simclr; see `profiles`")  # fmt: skip
    return where


def parser() -> arguments.Parser:
    """All commands with their help."""
    top = arguments.Parser(
        "python -m synthlearn",
        description="Learn to see from images that no camera took.",
        epilog=EXAMPLES,
    )
    top.add_argument("--debug", action="store_true", help="show the trace of an error")
    top.set_defaults(given=frozenset())
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> arguments.Parser:
        p = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        p.add_argument(
            "--debug", action="store_true", default=SUPPRESS, help="show the trace of an error"
        )
        return p

    command("list", "list the generators with their options: defaults, types and bounds")
    command(
        "profiles",
        "list the fields of the profiles with their values, the methods with their options, and the encoders",
    )

    p = command("generate", "write pictures of a generator to a folder or to webdataset shards")
    p.add_argument("--generator", type=word, required=True, metavar="NAME", help="see `list`")
    p.add_argument("--option", type=option, action="append", default=[], metavar="NAME=VALUE",
                   help="an option of the generator, see `list`; may be given several times")  # fmt: skip
    p.add_argument("--n", type=whole(1, MANY), default=1000, help="number of pictures")
    p.add_argument("--size", type=whole(*SIZES), default=128, help="side in pixels")
    p.add_argument("--seed", type=whole(*SEEDS), default=0, help="another seed is another set")
    p.add_argument(
        "--out",
        type=target,
        required=True,
        metavar="DIR",
        help="folder to write to; pictures that are there already are kept",
    )
    p.add_argument(
        "--format",
        choices=("imagefolder", "webdataset"),
        default="imagefolder",
        help="PNG files in class folders, or tar shards of 1,000 with .cls members",
    )
    _device(p)

    p = command(
        "pretrain", "pre-train an encoder on a generator, a folder or a real set, and save it"
    )
    p.epilog = PRETRAIN
    _source(p).add_argument(
        "--row", type=word, metavar="ROW", help="a row of the study, with all its settings"
    )
    p.add_argument("--method-option", type=option, action="append", default=[], metavar="NAME=VALUE",
                   help="an option of the method, as in temperature=0.2; see `profiles`")  # fmt: skip
    p.add_argument(
        "--seed",
        type=whole(*SEEDS),
        default=0,
        help="of the initial weights, the pictures and the views",
    )
    p.add_argument("--out", type=encoder_file, required=True, metavar="FILE.safetensors",
                   help="where the encoder goes; an interrupted run goes on from FILE.safetensors.checkpoint")  # fmt: skip
    p.add_argument("--force", action="store_true", help="replace an encoder that is there already")

    p = command(
        "probe", "measure a frozen encoder on labelled real images and print one JSON object"
    )
    p.add_argument("--encoder", type=word, required=True, metavar="FILE|random|timm:NAME",
                   help="a file of `pretrain`, an untrained encoder, or a timm model (timm:NAME@FILE for local weights)")  # fmt: skip
    p.add_argument(
        "--data",
        type=word,
        required=True,
        metavar="SET|DIR",
        help="a set's name, or an ImageFolder with train/ and test/ (or val/)",
    )
    p.add_argument(
        "--per-class", type=whole(0, MANY), default=0, help="training images per class; 0 is all"
    )
    p.add_argument("--width", type=number(*WIDTHS), default=0.25, help="of the random encoder")
    p.add_argument(
        "--size", type=whole(*INPUTS), default=32, help="input side of the random encoder"
    )
    p.add_argument(
        "--seed",
        type=whole(*SEEDS),
        default=0,
        help="of the random encoder and of the held-out fifth of train",
    )
    _device(p)

    p = command(
        "properties",
        "compare pictures with real ones in features of an encoder, and print one JSON object",
    )
    _source(p)
    p.add_argument("--encoder", type=word, required=True, metavar="FILE|random|timm:NAME|inception:FILE",
                   help="as for `probe`, or torchvision's Inception v3 from its file: only then may the Fréchet distance be called FID")  # fmt: skip
    p.add_argument(
        "--data",
        type=word,
        metavar="SET|DIR",
        help="the real images, as for `probe` (default: the profile's)",
    )
    p.add_argument("--n", type=whole(1, MANY), help="pictures, and as many real ones twice: all values depend on it "
                   "(default: 2000, or half of the test images)")  # fmt: skip
    p.add_argument("--seed", type=whole(*SEEDS), default=0, help="of the pictures and of the views")
    _device(p)

    p = command(
        "memory",
        "a visual memory: classify images by the nearest of those that it holds; classes and images come and go without training",
    )
    p.add_argument("action", choices=("build", "add", "remove", "query"), help="build: a new one from a folder; add: more images; remove: images or a class; "
                   "query: the class of images, and the entries that decide it")  # fmt: skip
    p.add_argument(
        "--memory", type=target, required=True, metavar="DIR", help="folder of the memory"
    )
    p.add_argument(
        "--encoder",
        type=word,
        metavar="FILE|random|timm:NAME",
        help="as for `probe`; the one that the memory was built with",
    )
    p.add_argument(
        "--images",
        type=folder,
        metavar="DIR",
        help="build, add: images in DIR/CLASS/FILE; query: every image below DIR",
    )
    p.add_argument(
        "--image",
        type=image_file,
        action="append",
        metavar="FILE",
        help="query: an image; may be given several times",
    )
    p.add_argument(
        "--class", type=word, dest="class_", metavar="NAME", help="remove: a whole class"
    )
    p.add_argument(
        "--name",
        type=word,
        action="append",
        metavar="CLASS/FILE",
        help="remove: one image; may be given several times",
    )
    p.add_argument(
        "--neighbours", type=whole(1, MANY), default=20, help="query: how many entries decide"
    )
    p.add_argument(
        "--force", action="store_true", help="build: replace a memory that is there already"
    )
    _device(p)

    for name, text in (
        ("run", "run rows of the study that have no fresh record"),
        (
            "measure",
            "make the further measurements of trained encoders that are not fresh: transfer, layers, few_shot, fine_tuning, properties",
        ),
        ("status", "show which records are fresh, stale or missing"),
        (
            "verify",
            "run recorded rows again and compare: to the bit on the record's kind of machine, elsewhere within what rounding and chance explain",
        ),
    ):
        p = command(name, text)
        p.add_argument("--profile", type=word, default="cpu", help="smoke, cpu, gpu or paper")
        p.add_argument(
            "--row", type=word, action="append", help="only this row; may be given several times"
        )
        p.add_argument(
            "--chapter", type=word, help="only the rows that this chapter tells, as in 04_fractals"
        )
        p.add_argument("--seed", type=whole(*SEEDS), help="only this seed")
        p.add_argument(
            "--device",
            type=device,
            help="auto, cpu, cuda or cuda:N, in place of the profile's; a record of either counts, and says which it was",
        )
        if name in ("run", "status"):
            p.add_argument("--set", type=option, action="append", default=[], metavar="FIELD=VALUE",
                           help="replace a field of the profile; such records are yours, below runs/, and none of the study's")  # fmt: skip
        if name == "run":
            p.add_argument("--minutes", type=number(0.01, 10_000), help="stop in time: rows by priority while one still fits, in one process that "
                           "keeps graphs and pictures from row to row; what is cut off goes on in the next call")  # fmt: skip
        if name != "run":
            p.add_argument(
                "--what",
                type=word,
                action="append",
                help="only this further measurement, and no rows; may be given several times",
            )
    p.epilog = VERIFY
    p.add_argument("--measure", action="store_true", help="measure kept encoders again too")
    p.add_argument("--whole", action="store_true", help="rows alone: train each to its end and probe it. Else the first steps are compared, which takes "
                   "seconds, and the first part of each further measurement, for which an encoder is trained where none is kept")  # fmt: skip
    p.add_argument("--against", type=word, metavar="COMMIT", help="instead: run short starts under this commit's library and under this one, on this "
                   "machine, and confirm the records of what gives the same bits; needs no pools and no encoders")  # fmt: skip

    p = command(
        "search",
        "search for a generator's options by successive halving; tries that have a record are not made again",
    )
    p.add_argument(
        "--search",
        type=word,
        default="collage",
        metavar="NAME",
        help="which of workflow/search.toml",
    )
    p.add_argument("--profile", type=word, default="cpu", help="smoke or cpu")
    p.add_argument("--jobs", type=whole(1, 1024), default=1, help="tries side by side, a core each")
    return top


def _device(p: arguments.Parser) -> None:
    p.add_argument(
        "--device",
        type=device,
        default="auto",
        help="cpu, cuda or cuda:N; auto: a card where there is one",
    )


def _used(told: str) -> str:
    """The device that is meant, which is said on stderr."""
    from .core import machine
    from .core.options import the_device

    found = the_device(told)
    print(f"device: {found} ({machine.device_name(found)})", file=sys.stderr)
    return found


def _profile(args: Namespace) -> Any:
    from . import study

    told = dict(getattr(args, "set", ()))
    if args.device is not None and "device" in told:
        raise ParameterError("--device and --set device: give one of them")
    return study.with_data(
        args.profile, **told, **({} if args.device is None else {"device": args.device})
    )


def _asked(args: Namespace) -> list[str]:
    """Names of the rows that were asked for, one by one or by their chapter; none: all."""
    from . import study

    told = [row.name for row in study.wanted(_profile(args)) if row.chapter == args.chapter]
    if args.chapter is not None and not told:
        known = ", ".join(sorted({row.chapter for row in study.wanted(_profile(args))}))
        raise ParameterError(
            f"--chapter {args.chapter}: tells no row of this profile; chapters with rows: {known}"
        )
    return list(dict.fromkeys([study.row(name).name for name in args.row or ()] + told))


def _selected(args: Namespace) -> list[tuple[Any, Any, int]]:
    from . import study

    profile, named = _profile(args), _asked(args)
    chosen = [study.row(name) for name in named] if named else study.wanted(profile)
    found = [
        (row, profile, seed)
        for row in chosen
        for seed in range(row.profile(profile).seeds)
        if args.seed in (None, seed)
    ]
    if not found:
        most = max(row.profile(profile).seeds for row in chosen)
        raise ParameterError(
            f"--seed {args.seed}: these rows have seeds 0 to {most - 1} in the profile {profile.name}"
        )
    return found


def _searched(args: Namespace) -> Any:
    """The search of the profile, unless the arguments select rows or measurements, or the profile has none."""
    from .study import search

    return (
        search.search("collage", args.profile)
        if args.profile in search.STUDIED and not (_asked(args) or args.what)
        else None
    )


def _measurements(args: Namespace) -> list[tuple[str, Any, Any, int]]:
    """The planned further measurements that the arguments select."""
    from .study import measurements

    profile, named = _profile(args), _asked(args)
    for name in args.what or ():
        if name not in measurements.plans():
            raise ParameterError(f"--what {name}: must be one of {', '.join(measurements.plans())}")
    found = [(what, row, profile, seed) for what in args.what or measurements.plans() for row, seed in measurements.planned(what, profile)
             if args.seed in (None, seed) and (not named or row.name in named)]  # fmt: skip
    if not found and (args.what or args.command == "measure"):
        raise ParameterError(
            f"no further measurement of these rows and seeds is planned in the profile {profile.name}: see workflow/measurements.toml"
        )
    return found


def _list(args: Namespace) -> int:
    from .commands import catalogue

    print("\n".join(catalogue.generators()))
    return 0


def _profiles(args: Namespace) -> int:
    from .commands import catalogue

    print("\n".join(catalogue.settings()))
    return 0


def _generate(args: Namespace) -> int:
    from .data import export
    from .generators import generator

    source = generator(args.generator, **dict(args.option))
    print(
        export.write(
            source, args.n, args.size, args.seed, args.out, args.format, _used(args.device)
        )
    )
    return 0


def _named(args: Namespace) -> str:
    """Name of the source that the arguments name."""
    if args.generator is not None:
        return str(args.generator)
    return "folder" if args.folder is not None else "real"


def _options(args: Namespace) -> dict[str, Any]:
    """Options of the source that the arguments name."""
    if args.generator is not None:
        return dict(args.option)
    named = {"path": str(args.folder)} if args.folder is not None else {"data": args.real}
    return {**named, **dict(args.option)}


def _row(args: Namespace, profile: Any) -> Any:
    """The row of the study that the arguments name, or one made of them. Raises ParameterError for settings that would not reach it."""
    from . import study

    if args.row is None:
        kind = "generator" if args.generator is not None else _named(args)
        name = str(getattr(args, kind))
        return study.Row(
            name,
            kind,
            name,
            "",
            "",
            origin=name,
            own_options=dict(args.option),
            method_options=dict(args.method_option),
        )
    row = study.row(args.row)
    if not row.trained:
        raise ParameterError(
            f"--row {row.name}: it trains nothing (kind {row.kind}); name a source with --generator, --folder or --real"
        )
    for field, value in args.set:
        if (own := getattr(row.profile(profile), field)) != value:
            raise ParameterError(
                f"--set {field}={value}: the row {row.name} has {field} = {own} of its own; name its source with --generator instead"
            )
    return row


def _pretrain(args: Namespace) -> int:
    from . import study
    from .core import distributed, files
    from .data import datasets, stream
    from .learn import encoders, train

    profile = study.resolve(args.profile, **dict(args.set))
    if "data" in dict(
        args.set
    ):  # the profile's own images are the probe's: training does not need them
        datasets.locate(profile.data)
    row = _row(args, profile)
    if args.out.is_file() and not args.force:
        raise ParameterError(
            f"--out {args.out}: is there already; choose another name, or replace it with --force"
        )
    checkpoint = args.out.with_name(args.out.name + ".checkpoint")
    for written in (args.out, checkpoint):
        files.check_target(written)
    p = row.profile(profile)
    study.prepare(p)
    _used(p.device)
    distributed.start()
    if distributed.first():  # makes what the others then find
        source = study.source_of(row, profile, args.seed)
        stream.batches(source, p.n_images, p.image_size, args.seed, p.device, p.refresh)
    distributed.wait()
    source = study.source_of(row, profile, args.seed)
    images = stream.batches(source, p.n_images, p.image_size, args.seed, p.device, p.refresh)
    method, labels = study.method_of(row, p, args.seed, source)
    described = {
        "source": source.spec(),
        "profile": {**p.__dict__},
        "method_options": row.method_options,
        "seed": args.seed,
    }
    training = train.Training(images, method, p.augmenter(), p.optimisation(), args.seed, labels)
    trained = training.run(checkpoint, files.digest(described))
    if distributed.first():
        encoders.save(args.out, method.encoder, {"training": described})
        checkpoint.unlink(missing_ok=True)  # not before: nothing is lost when the disk is full
        print(f"{args.out}: {trained.seconds:.1f} s, loss {trained.curves['loss'][-1]:.3f}")
    return 0


def _probe(args: Namespace) -> int:
    from .core import intervals
    from .data import datasets
    from .learn import encoders
    from .measure import probe

    datasets.locate(args.data)
    encoder = encoders.load(args.encoder, args.width, args.size, args.seed).to(_used(args.device))
    size = encoder.options["input_size"]
    train, test = datasets.both(args.data, round(size * probe.RESIZE))
    measured = probe.measure(encoder, train.first(args.per_class), test, args.seed)
    every = {}
    for name, m in measured.items():
        low, high = intervals.wilson(int(m.correct.sum()), len(test))
        every[name] = {"top1": m.top1, "low": low, "high": high} | (
            {"note": m.note} if m.note else {}
        )
    first = next(iter(every))
    print(
        json.dumps(
            {
                "encoder": args.encoder,
                "data": test.name,
                "n": len(test),
                "metric": first,
                **every[first],
                "all": every,
            }
        )
    )
    return 0


def _memory(args: Namespace) -> int:
    from .core import files
    from .data import folders
    from .learn import encoders
    from .measure import memory

    needed = {
        "build": ("encoder", "images"),
        "add": ("encoder", "images"),
        "query": ("encoder",),
        "remove": (),
    }[args.action]
    for what in needed:
        if getattr(args, what) is None:
            raise ParameterError(f"memory {args.action}: needs --{what}")
    if args.action == "query" and not (args.image or args.images):
        raise ParameterError("memory query: needs --image or --images")
    if args.action == "remove" and not (args.class_ or args.name):
        raise ParameterError("memory remove: needs --class or --name")
    if args.action == "remove":
        with memory.changing(args.memory) as kept:
            kept.remove(args.name or ())
            if args.class_:
                kept.remove_class(args.class_)
        return _say_what_it_holds(args.memory, kept)
    if args.action == "build" and not args.force:
        memory.refuse_existing(args.memory)
    held = None if args.action == "build" else memory.Memory.load(args.memory)
    if args.action != "query":
        files.check_target(args.memory / memory.INDEX if args.memory.exists() else args.memory)
    encoder = encoders.load(args.encoder).to(_used(args.device))
    made_by = memory.maker(encoder, args.encoder)

    def belongs(held: Any) -> None:
        if held.made_by != made_by:
            raise ParameterError(
                f"--encoder {args.encoder}: not the one that {args.memory} was built with; embeddings of two encoders cannot be compared"
            )

    if held is not None:
        belongs(held)
    if args.action == "query":
        assert held is not None
        paths = [*(args.image or ()), *(folders.Folder(args.images).files if args.images else ())]
        embedded = memory.read(paths, encoder, made_by["layer"])
        for path, c, near in zip(
            paths,
            held.classify(embedded, args.neighbours),
            held.query(embedded, args.neighbours),
            strict=True,
        ):
            print(
                json.dumps(
                    {
                        "image": str(path),
                        "class": c,
                        "neighbours": [[name, round(cosine, 4)] for name, _, cosine in near],
                    },
                    ensure_ascii=False,
                )
            )
        return 0
    names, classes, embedded = memory.read_folder(args.images, encoder, made_by)
    if args.action == "build":
        new = not os.path.lexists(args.memory)
        held = memory.Memory(made_by, embedded.shape[1])
        held.add(names, classes, embedded)
        try:
            held.save(args.memory, replace=args.force)
        except BaseException:
            if new:
                with contextlib.suppress(OSError):
                    args.memory.rmdir()  # nothing was written: leave no empty folder behind
            raise
    else:
        with memory.changing(
            args.memory
        ) as held:  # as it is now, not as it was before the images were read
            belongs(held)
            held.add(names, classes, embedded)
    return _say_what_it_holds(args.memory, held)


def _say_what_it_holds(folder: Path, held: Any) -> int:
    print(f"{folder}: {len(held):,} images of {len(set(held.classes))} classes")
    return 0


def _properties(args: Namespace) -> int:
    from . import data, study
    from .core.errors import DataError
    from .data import datasets, image_set
    from .learn import encoders
    from .measure import inception, probe, properties

    told = dict(args.set)
    if args.data is not None and "data" in told:
        raise ParameterError("--data and --set data: give one of them")
    p = study.resolve(args.profile, **(told if args.data is None else {**told, "data": args.data}))
    test = datasets.load(p.data, "test", p.crop)
    source = data.source(_named(args), **_options(args))
    limits = [(len(test) // 2, f"half of the test images of {p.data}")]
    if isinstance(source, (data.Folder, data.RealImages)):
        limits.append((source.number(), f"the pictures of {source.name}"))
    most, why = min(limits)
    if most < properties.LEAST:
        raise DataError(f"{why}: {most}; at least {properties.LEAST} are needed")
    n = min(properties.IMAGES, most) if args.n is None else args.n
    if not properties.LEAST <= n <= most:
        raise ParameterError(f"--n {n}: must lie between {properties.LEAST} and {most}, {why}")
    file = args.encoder.removeprefix("inception:")
    encoder = (
        encoders.load(args.encoder, p.width, p.crop, args.seed)
        if file == args.encoder
        else inception.Inception(Path(file))
    )
    encoder = encoder.to(_used(args.device))
    chosen = source.spread(n) if isinstance(source, data.Folder) else range(n)
    pictures = source.sample(chosen, p.image_size, args.seed, "cpu")
    tap = encoder.last_convolution
    real = probe.large_enough(image_set.sample(test, 2 * n).images, p.crop)
    parts = properties.compare(encoder, tap, pictures, real, p.augmenter(), args.seed)
    print(
        json.dumps(
            {
                "source": source.name,
                "data": p.data,
                "encoder": args.encoder,
                "tap": tap,
                "n": n,
                "properties": {name: part.to_json() for name, part in parts},
            }
        )
    )
    return 0


def _run(args: Namespace) -> int:
    from .core import progress
    from .study import run, schedule

    def told(job: tuple[Any, Any, int], found: dict[str, Any]) -> None:
        progress.say(
            f"{job[0].name} seed {job[2]}: "
            + ", ".join(
                f"{k} {100 * v['top1']:.1f} % [{100 * v['low']:.1f}, {100 * v['high']:.1f}]"
                for k, v in found["results"].items()
            )
        )
        sys.stdout.flush()

    jobs = _selected(args)
    _used(jobs[0][1].device)
    if args.minutes is None:
        for job in jobs:
            told(job, run.record(*job))
        return 0
    order = schedule.by_priority(jobs)
    print(
        f"to make, of {len(jobs)}: {len(order)}"
        + (f", in this order: {schedule.listed(order)}" if order else ""),
        flush=True,
    )
    print(schedule.stretch(order, 60 * args.minutes, told))
    return 0


def _measure(args: Namespace) -> int:
    from .study import measurements

    for what, row, profile, seed in _measurements(args):
        found = measurements.measurement(what, row, profile, seed)["results"]
        print(
            f"{what} of {row.name} seed {seed}: "
            + ", ".join(
                f"{name} {part.get('top1', part.get('value')):.3f}" for name, part in found.items()
            ),
            flush=True,
        )
    return 0


def _search(args: Namespace) -> int:
    from . import study
    from .study import search

    found = search.search(args.search, args.profile)
    rungs = search.search_all(found, study.with_data(args.profile), args.jobs)
    for place, rung in enumerate(rungs, 1):
        for point, right in rung:
            said = ", ".join(f"{option} {value}" for option, value in found.options(point).items())
            print(f"rung {place}, point {point}: {100 * right.mean():.1f} %  ({said})")
    for point, share in search.choices(rungs[-1]).items():
        print(f"point {point} is chosen in {100 * share:.0f} % of draws of seeds and images")
    return 0


def _status(args: Namespace) -> int:
    from .core import files
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
            print(
                f"{state:8s} {record['row']} of the search, {record['spec']['source']['n_images']:,} images, seed {record['spec']['seed']}"
            )
    print(
        ", ".join(f"{n} {state}" for state, n in counts.items())
        + f"; about {seconds / 60:.0f} core-minutes to run"
    )
    used = ", ".join(
        f"{folder} {size / 1e6:,.0f} MB" for folder, size in sorted(files.disk_use().items())
    )
    print(f"{files.runs()}: {used or 'empty'}; can be made again, make clean removes it")
    return 0


def _verify(args: Namespace) -> int:
    from .study import comparison, measurements, run, versions

    if args.against:
        failed = 0
        chosen = {row.name: row for row, _, _ in ([] if args.what else _selected(args))}
        whats = args.what or ([] if _asked(args) else list(measurements.plans()))
        for name, same, number in versions.confirm(
            _profile(args), args.against, list(chosen.values()), whats, _searched(args)
        ):
            failed += not same
            print(
                f"{'same' if same else 'DIFFERS'}  {name.removeprefix('what:')}: {number} records confirmed",
                flush=True,
            )
        return int(failed > 0)
    found: list[comparison.Comparison] = []

    def show(what: str, compared: Sequence[comparison.Comparison]) -> None:
        found.extend(compared)
        for c in compared:
            print(f"{c.word:7s}  {what}, asked {c.asked}: {c.said}", flush=True)

    for name, row, profile, seed in [] if args.whole else _measurements(args):
        if measurements.path(name, row, profile, seed).exists():
            show(
                f"{name} of {row.name} seed {seed}", [measurements.replay(name, row, profile, seed)]
            )
    for row, profile, seed in [] if args.what else _selected(args):
        if run.path(row, profile, seed).exists():
            show(
                f"{row.name} seed {seed}",
                run.rerun(row, profile, seed)
                if args.whole
                else run.replay(row, profile, seed, args.measure),
            )
    print(comparison.summary(found))
    return int(comparison.failed(found))


HANDLERS: dict[str, Callable[[Namespace], int]] = {
    "list": _list,
    "profiles": _profiles,
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


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit status: 0, 1 for a failure, 2 for wrong use, 130 for an interruption.

    Whatever goes wrong is told in one line on stderr; ``--debug`` shows the trace instead.
    """
    told = sys.argv[1:] if argv is None else argv
    command = ""
    if sys.stderr is None:  # closed: print would take standard output for it
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (as long as the process lives)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows ASCII alone
    try:
        with _stoppable():
            args = parser().parse_args(told)
            command = args.command
            arguments.check(args)
            _check_places(command)
            code = HANDLERS[command](args)
            if sys.stdout is not None:
                sys.stdout.flush()
            return code
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in told:
            traceback.print_exc()
        code, line = _verdict(error, command)
        if line:
            print(f"synthlearn: {' '.join(line.split())}", file=sys.stderr)
        return code
    finally:
        _settle()


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Inside, SIGTERM interrupts as Ctrl-C does, so that nothing half-written stays; only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _check_places(command: str) -> None:
    """Raise ParameterError where the environment names places that cannot be those of the project."""
    from .core import files

    runs, study = files.runs(), files.root() / "workflow" / "study.toml"
    if os.path.lexists(runs) and not runs.is_dir():
        raise ParameterError(f"SYNTHLEARN_RUNS: {runs} is no folder; name another, or unset it")
    if command in STUDY and not study.is_file():
        raise ParameterError(
            f"{study}: no such file; call this in a checkout of the project, or name one by SYNTHLEARN_ROOT"
        )


def _verdict(error: BaseException, command: str) -> tuple[int, str]:
    """Exit status and message of an error; nothing to say where nobody listens any more, or another process says it."""
    several = os.environ.get("WORLD_SIZE", "1") not in (
        "0",
        "1",
    )  # without, RANK is some other program's
    rank = os.environ.get("RANK", "0") if several else "0"
    if isinstance(error, ParameterError | TrainingDiverged) and rank != "0":
        return 1, ""  # the same in all processes
    code, line = _message(error, command)
    return code, line if rank == "0" or not line else f"process {rank}: {line}"


def _message(error: BaseException, command: str) -> tuple[int, str]:
    if isinstance(error, KeyboardInterrupt):
        return 130, "interrupted; the same command goes on" if command in GOES_ON else "interrupted"
    if isinstance(error, BrokenPipeError):
        return 1, ""
    if isinstance(error, SynthlearnError):
        return 2 if isinstance(error, ParameterError) else 1, str(error)
    if (
        isinstance(error, MemoryError)
        or "out of memory" in str(error).lower()
        or "allocate memory" in str(error)
    ):
        return (
            1,
            f"not enough memory ({str(error)[:200] or 'none left'}); ask for fewer or smaller pictures, or smaller batches",
        )
    if isinstance(error, RecursionError):
        return 1, "something is nested too deeply; --debug shows where"
    if isinstance(error, OSError):
        return (
            1,
            f"{error.filename or command or 'the working directory'}: {error.strerror or error}",
        )
    return 1, f"internal error: {type(error).__name__}: {error}; --debug shows the trace"


def _settle() -> None:
    """Empty the buffers; what nobody takes any more goes nowhere, so that Python does not complain of it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
