"""Malformed calls of every command and wrong parameters of every chapter: one line, the right
status, nothing written; and interruptions.
"""

import functools
import os
import signal
import subprocess
import sys
import time

import jupytext
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthlearn.__main__ import main, parser
from synthlearn.book import parameters as strict
from synthlearn.core import distributed, files
from synthlearn.core.errors import SynthlearnError

LONG = "a" * 300
WORDS = ("", " ", "a\0b", LONG, "x/" + "y/" * 3000)
NUMBERS = ("", " ", "x", "nan", "inf", "1e999", "-1e999", "9" * 5000, "[]", "true", "1,5", "0x1p3")
WHOLE = (*NUMBERS, "1.5", "1e3", "1_0", "٣", str(2**63), str(-(2**63) - 1))
COUNTS = (*WHOLE, "-1", "-9")
DEVICES = (
    *WORDS,
    "meta",
    "cpu:5",
    "cuda:",
    "cuda:-1",
    "cuda:x",
    "cuda:99",
    "hpu",
    "privateuseone",
    "CUDA",
    "mps",
    "None",
    "cuda:" + "9" * 30,
)
OPTIONS = ("", "x", "=1", "x=", "x= ", 'x=""', "name=1", "self=1", "_=1", "__class__=1", "x y=1",
           "x=NaN", "x=-Infinity", "x=1e999", "x=" + "9" * 400, "x=" + "[" * 3000,
           'x={"a": 1, "a": 2}', "x=" + LONG, "nothing=1")  # fmt: skip
SETS = (*OPTIONS, "epochs=many", "epochs=0", "epochs=1.5", "epochs=true", "epochs=null",
        "epochs=[1]", "epochs={}", "n_images=-4", "batch_size=1", "lr=NaN", "lr=0", "lr=1e300",
        "lr=" + "9" * 400, "width=0", "width=100", "crop=100", "crop=1000000", "image_size=8",
        "hue=0.6", "method=learn", "encoder=alex", "schedule=", "precision=fp64", "optimiser=5",
        "data=nowhere", "device=meta", "device=cuda:99", "device=cpu:1", "name=smoke",
        "profile=cpu", "epoch=5", "refresh=2", "threads=0", "per_class=-1")  # fmt: skip
PROFILES = (*WORDS, "big", "SMOKE", "None", "0")
TARGETS = (*WORDS, ".", "/", "..", "x/..", "//", "./", "a" * 250)
GENERATOR = ("--generator", "noise-white")
# A command, the arguments that it needs, and for each argument what it cannot be. One is put in at
# a time.
COMMANDS = {
    ("generate", *GENERATOR, "--out", "o"): {
        "--option": OPTIONS,
        "--n": (*COUNTS, "0", str(10**10)),
        "--size": (*COUNTS, "0", "7", "1025"),
        "--seed": WHOLE,
        "--format": ("", "tar", "ImageFolder"),
        "--labels": ("", "depth", "edges,", "edges,edges", "edges instances", "order"),
        "--device": DEVICES,
    },
    ("generate", "--out", "o"): {"--generator": (*WORDS, "noise", "dead-leaves", "/")},
    ("generate", *GENERATOR): {"--out": TARGETS},
    ("pretrain", *GENERATOR, "--out", "o"): {
        "--option": OPTIONS,
        "--profile": PROFILES,
        "--set": SETS,
        "--method-option": (*OPTIONS, "t=-1", "t=true", "t=word"),
        "--seed": WHOLE,
        "--folder": ("x",),
        "--real": ("digits",),
        "--row": ("real",),
    },
    ("pretrain", *GENERATOR): {"--out": (*TARGETS, "e.pt", "e.PTH", "random", "timm:e")},
    ("pretrain", "--out", "o"): {
        "--folder": (*WORDS, "/", "nowhere"),
        "--real": (*WORDS, "nowhere"),
        "--row": (*WORDS, "leaves", "random", "raw_pixels"),
        "--option": ("x=1",),
    },
    ("pretrain", "--real", "digits", "--out", "o"): {"--option": ("x=1",)},
    ("pretrain", "--row", "noise-white", "--out", "o"): {
        "--option": ("x=1",),
        "--method-option": ("t=1",),
    },
    ("export-encoder", "--encoder", "e", "--to", "timm"): {
        "--out": (*TARGETS, "e.pt", "random", "timm:e")
    },
    ("export-encoder", "--encoder", "e", "--out", "o"): {"--to": (*WORDS, "keras")},
    ("export-encoder", "--to", "timm", "--out", "o"): {"--encoder": (*WORDS, "nowhere")},
    ("probe", "--encoder", "random", "--data", "digits"): {
        "--per-class": (*COUNTS, str(10**30)),
        "--width": (*NUMBERS, "0", "-1", "5"),
        "--size": (*COUNTS, "31", "1000000"),
        "--seed": WHOLE,
        "--device": DEVICES,
    },
    ("probe", "--encoder", "random"): {"--data": (*WORDS, "nowhere")},
    ("probe", "--data", "digits"): {
        "--encoder": (*WORDS, "nowhere.safetensors", "nowhere.pth", ".", "timm:", "timm:nothing")
    },
    ("probe", "--data", "digits", "--encoder", "e"): {"--width": ("0.25",), "--size": ("32",)},
    ("properties", *GENERATOR, "--encoder", "random"): {
        "--n": (*COUNTS, "0", "3", str(10**9)),
        "--seed": WHOLE,
        "--set": SETS,
        "--profile": PROFILES,
        "--data": (*WORDS, "nowhere"),
        "--option": OPTIONS,
        "--device": DEVICES,
    },
    ("properties", "--encoder", "random"): {
        "--folder": (*WORDS, "/", "nowhere"),
        "--real": (*WORDS, "nowhere"),
    },
    ("properties", *GENERATOR): {
        "--encoder": (*WORDS, "nowhere", "inception:", "inception:nowhere.pth")
    },
    ("compare", "--sources", "noise-white", "--data", "digits", "--out", "o"): {
        "--profile": PROFILES,
        "--runs": (*COUNTS, "0", "51"),
        "--encoder": (*WORDS, "alex"),
        "--set": (*SETS, "data=digits", "seeds=2"),
    },
    ("compare", "--data", "digits", "--out", "o"): {
        "--sources": (
            *WORDS,
            "noise",
            "untrained",
            "noise-white:",
            "noise-white:x=1",
            ":",
            "folder",
            "folder:path=nowhere",
            "real:data=nowhere",
            "noise-white:path=1:path=2",
        )
    },
    ("compare", "--sources", "noise-white", "--out", "o"): {"--data": (*WORDS, "nowhere")},
    ("compare", "--sources", "noise-white", "--data", "digits"): {"--out": TARGETS},
    ("memory", "build", "--memory", "m", "--encoder", "random", "--images", "nowhere"): {
        "--neighbours": ("20",),
        "--class": ("c",),
        "--name": ("n",),
        "--image": ("i",),
    },
    ("memory", "query", "--memory", "nowhere", "--encoder", "random", "--image", "i"): {
        "--neighbours": (*COUNTS, "0"),
        "--class": ("c",),
        "--name": ("n",),
        "--force": (),
        "--device": DEVICES,
    },
    ("memory", "remove", "--memory", "nowhere", "--class", "c"): {
        "--encoder": ("random",),
        "--images": ("d",),
        "--image": ("i",),
        "--neighbours": ("20",),
        "--force": (),
    },
    ("memory", "forget", "--memory", "m"): {},
    ("memory", "build", "--encoder", "random", "--images", "nowhere"): {"--memory": TARGETS},
    ("search",): {
        "--search": (*WORDS, "nothing"),
        "--profile": (*WORDS, "gpu", "big"),
        "--jobs": (*COUNTS, "0", "2000"),
    },
    ("verify",): {"--against": (*WORDS, "no-such", "--output=o", "-x", "HEAD:lib", "HEAD^{tree}")},
    ("verify", "--whole"): {"--what": ("layers",), "--against": ("HEAD",)},
    ("verify", "--against", "HEAD"): {"--seed": ("0",)},
    ("measure", "--profile", "smoke"): {"--row": ("mean_colours",), "--seed": ("77",)},
    ("status", "--what", "layers"): {"--row": ("mean_colours",)},
    **{
        (name,): {
            "--profile": PROFILES,
            "--row": (*WORDS, "leaves"),
            "--chapter": (*WORDS, "99_none"),
            "--seed": (*WHOLE, "-1", "1000"),
            "--device": DEVICES,
            **(
                {"--minutes": (*NUMBERS, "0", "-1", "100000")}
                if name == "run"
                else {"--what": (*WORDS, "nothing")}
            ),
            **({} if name == "measure" else {"--set": SETS}),
        }
        for name in ("run", "measure", "status")
    },
    ("fly",): {},
    ("list", "all"): {},
    ("profiles", "cpu"): {},
}


def calls():
    """Each command with each wrong value; with a needed argument missing, one without its value,
    one that there is not, one given twice.
    """
    for needed, wrong in COMMANDS.items():
        for argument, values in wrong.items():
            yield from ([*needed, f"{argument}={value}"] for value in values)
            if not values:
                yield [*needed, argument]
            if values and argument not in ("--force",):
                yield [*needed, argument]
        if not wrong:
            yield list(needed)
        yield [*needed, "--nothing"]
        yield [*needed, "too", "much"]
        for place, word in enumerate(needed[1:], 1):
            if word.startswith("--"):
                yield (
                    [*needed, word, needed[place + 1]]
                    if place + 1 < len(needed)
                    else [*needed, word, word]
                )


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """An empty working directory, with runs beside it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("SYNTHLEARN_RUNS", str(tmp_path / "runs"))
    return tmp_path / "here"


@pytest.fixture
def one_parser(monkeypatch):
    """It is made once: to make it takes four fifths of the time of a call that is refused."""
    monkeypatch.setattr("synthlearn.__main__.parser", functools.cache(parser))


def refused(capsys, arguments):
    """Status and message of a call that must be refused in one line."""
    shown = [a if len(a) < 60 else f"{a[:50]}…" for a in arguments]
    code = main(list(arguments))
    out, err = capsys.readouterr()
    assert code in (1, 2), (shown, out, err)
    lines = [line for line in err.splitlines() if line.startswith("synthlearn: ")]
    assert len(lines) == 1 and out == "", (shown, out, err)
    assert "Traceback" not in err and "internal error" not in err, (shown, err)
    return code, lines[0]


def test_malformed_calls_are_refused_in_one_line_and_write_nothing(
    capsys, scratch, no_data, one_parser
):
    number = 0
    for arguments in calls():
        refused(capsys, arguments)
        assert not list(scratch.iterdir()), arguments
        number += 1
    assert number > 500


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(
    argument=st.sampled_from(("--option", "--n", "--size", "--seed", "--format", "--device")),
    text=st.text(max_size=30),
)
def test_no_text_makes_a_trace(capsys, scratch, one_parser, argument, text):
    if argument in ("--n", "--size", "--seed"):
        text += "."
    if text not in ("cpu", "imagefolder", "webdataset"):
        code, _ = refused(capsys, ["generate", *GENERATOR, "--out", "o", f"{argument}={text}"])
        assert code == 2 and not list(scratch.iterdir())


def chapters():
    """The parameters cell of every chapter that has one."""
    for path in sorted((files.root() / "notebooks").glob("*.py")):
        for cell in jupytext.read(path).cells:
            if "parameters" in cell.metadata.get("tags", ()):
                yield path.name, cell.source


WRONG = ("profile = 3", "profile = 'big'", "profile = None", "epoch = 5", "epochs = 'many'",
         "epochs = 1.5", "epochs = True", "epochs = [1]", "epochs = 0", "n_images = 10**30",
         "lr = 10**400", "lr = float('nan')", "lr = float('inf')", "width = -1", "crop = 100",
         "data = ''", "data = ' '", "data = 'a' * 5000", "data = 'a\\0b'", "data = 'cifar11'",
         "device = 'meta'", "device = ''", "device = 'cuda:99'", "name = 'x'", "_epochs = 3",
         "__x = 1", "_ = 1", "p = 3", "sl = 5", "In = 3", "Out = 3", "__name__ = 'x'",
         "epochs = print", "epochs = int", "seeds = {}", "self = 1", "namespace = 1")  # fmt: skip


def test_wrong_parameters_of_every_chapter_are_named_in_one_line(scratch, no_data):
    cells = list(chapters())
    assert len(cells) > 20
    for place, (chapter, cell) in enumerate(cells):
        # all of them in the first chapter, a sixth in each of the others
        for line in WRONG if place == 0 else WRONG[place % 6 :: 6]:
            found = {}
            exec(f"{cell}\n{line}", found)
            with pytest.raises(SynthlearnError) as caught:
                strict(found)
            assert "\n" not in str(caught.value), (chapter, line)


def commands():
    """Names of all commands with their parsers."""
    return next(a.choices for a in parser()._actions if a.dest == "command")


def test_every_command_and_argument_is_tried():
    tried = {(needed[0], word) for needed, wrong in COMMANDS.items() for word in (*needed, *wrong)}
    shared = {
        "--profile",
        "--row",
        "--chapter",
        "--seed",
        "--device",
        "--what",
    }  # of run, measure, status and verify
    for name, p in commands().items():
        for action in p._actions:
            for flag in {*action.option_strings} - {"-h", "--help", "--debug"}:
                assert (
                    (name, flag) in tried
                    or (flag in shared and ("status", flag) in tried)
                    or (name, flag) == ("pretrain", "--force")
                )


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on"),
        (MemoryError(), 1, "not enough memory"),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            ),
            1,
            "not enough memory",
        ),
        (RecursionError(), 1, "nested too deeply"),
        (OSError(28, "No space left on device", "a/b"), 1, "a/b: No space left on device"),
        (
            ZeroDivisionError("a\nb\n  c"),
            1,
            "internal error: ZeroDivisionError: a b c; --debug shows the trace",
        ),
    ],
)
def test_whatever_breaks_is_one_line(capsys, scratch, monkeypatch, raised, code, line):
    def break_down(*_):
        raise raised

    monkeypatch.setattr("synthlearn.data.export.write", break_down)
    arguments = ["generate", *GENERATOR, "--out", "o"]
    got, (first, *rest) = main(arguments), capsys.readouterr().err.splitlines()
    assert got == code and first.startswith("device: cpu (") and len(rest) == 1 and line in rest[0]
    assert main([*arguments, "--debug"]) == code and "Traceback" in capsys.readouterr().err


def test_sigterm_interrupts_and_is_as_it_was_afterwards(capsys, scratch, monkeypatch):
    def wait(*_):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr("synthlearn.data.export.write", wait)
    before = signal.getsignal(signal.SIGTERM)
    assert main(["generate", *GENERATOR, "--out", "o"]) == 130
    assert "interrupted" in capsys.readouterr().err and signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_generate_leaves_whole_files_alone(scratch, tmp_path, sent, fork):
    words = ["generate", *GENERATOR, "--size", "32", "--n", "1000000", "--out", "o"]
    errors = tmp_path / "errors"

    def call():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stderr = errors.open("w")
        sys.exit(main(words))

    process = fork(call)
    while not list(scratch.rglob("*.png")):
        assert process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid, sent)
    process.join(60)
    err = errors.read_text()
    assert process.exitcode == 130 and err.rstrip().endswith(
        "synthlearn: interrupted; the same command goes on"
    )
    assert "Traceback" not in err
    for folder in [path for path in scratch.rglob("*") if path.is_dir()]:
        files.sweep(
            folder
        )  # a signal can fall into the making of a temporary file: the next process sweeps
    assert not [path for path in scratch.rglob(".*") if path.is_file()]


def test_a_closed_pipe_ends_quietly():
    command = f"{sys.executable} -m synthlearn list | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout == "collage\n" and done.stderr == ""


@pytest.mark.parametrize(
    "argument", ["--option", "--n", "--size", "--seed", "--format", "--device"]
)
def test_dashes_are_no_value(capsys, scratch, argument):
    assert refused(capsys, ["generate", *GENERATOR, "--out", "o", f"{argument}=--"])[0] == 2
    assert refused(capsys, ["verify", "--against=--"])[0] == 2


def test_messages_go_nowhere_else_where_standard_error_is_closed():
    done = subprocess.run(
        f"{sys.executable} -m synthlearn generate 2>&-",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stdout == ""


def test_a_rank_that_is_some_other_programs_silences_nothing(capsys, scratch, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert "--out" in refused(capsys, ["generate", *GENERATOR])[1]


@pytest.mark.parametrize("told", ["x", "-1", "1.5", "٣", "9" * 30, "2"])
def test_processes_that_nobody_started_are_named(scratch, monkeypatch, told):
    monkeypatch.setenv("WORLD_SIZE", told)  # and neither RANK nor MASTER_ADDR
    with pytest.raises(SynthlearnError, match=r"WORLD_SIZE = .*torchrun"):
        distributed.start()


def test_a_working_directory_that_is_gone_is_one_line(capsys, scratch):
    (scratch / "gone").mkdir()
    os.chdir(scratch / "gone")
    (scratch / "gone").rmdir()
    line = refused(
        capsys, ["memory", "build", "--encoder", "random", "--images", "x", "--memory", "m"]
    )[1]
    assert line == "synthlearn: the working directory: No such file or directory"


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("list",), ("generate", *GENERATOR, "--size", "16", "--n", "1", "--out", "o")],
)
def test_a_terminal_that_knows_ascii_alone_is_enough(scratch, arguments):
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "synthlearn", *arguments],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
