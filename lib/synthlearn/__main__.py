"""The command line: parse, call, print."""

import contextlib
import io
import os
import signal
import sys
import threading
import traceback
from argparse import SUPPRESS
from collections.abc import Iterator
from typing import Any

from .commands import arguments
from .commands.table import COMMANDS
from .core.errors import ParameterError, SynthlearnError, TrainingDiverged

EXAMPLES = """examples:
  python -m synthlearn list
  python -m synthlearn generate --generator dead_leaves-mixed --n 100 --out leaves
  python -m synthlearn pretrain --generator fractals-sigma --profile smoke --out encoder.safetensors
  python -m synthlearn probe --encoder encoder.safetensors --data digits
  python -m synthlearn compare --sources noise-white fractals-sigma --data digits --out compared
  python -m synthlearn properties --generator fractals-sigma --encoder encoder.safetensors
  python -m synthlearn profiles
  python -m synthlearn run --profile cpu --row real --seed 0
  python -m synthlearn run --profile gpu --minutes 9
  python -m synthlearn status --profile cpu

several processes (they share each batch; batch_size must be a multiple of their number):
  on GPUs  accelerate launch --num_processes 8 -m synthlearn pretrain …
  on CPUs  torchrun --nproc_per_node 2 -m synthlearn pretrain …
"""


def parser() -> arguments.Parser:
    """All commands with their help."""
    top = arguments.Parser(
        "python -m synthlearn",
        description="Learn to see from images that no camera took.",
        epilog=EXAMPLES,
    )
    top.add_argument("--debug", action="store_true", help="show the trace of an error")
    top.set_defaults(given=frozenset())
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        description = command.help[0].upper() + command.help[1:] + "."
        sub = subparsers.add_parser(name, help=command.help, description=description)
        sub.add_argument(
            "--debug", action="store_true", default=SUPPRESS, help="show the trace of an error"
        )
        sub.set_defaults(meanings=command.meanings)
        command.add_arguments(sub)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Whatever goes wrong is one line on stderr; ``--debug`` shows the trace as well.

    Returns: the exit status: 0, 1 for a failure, 2 for wrong use, 130 for an interruption.
    """
    words = sys.argv[1:] if argv is None else argv
    command = ""
    if sys.stderr is None:  # closed: print would take standard output for it
        # as long as the process lives
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows ASCII alone
    try:
        with _stoppable():
            args = parser().parse_args(words)
            command = args.command
            arguments.check(args)
            _check_places(command)
            code = COMMANDS[command].handle(args)
            if sys.stdout is not None:
                sys.stdout.flush()
            return code
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in words:
            traceback.print_exc()
        code, line = _verdict(error, command)
        if line:
            print(f"synthlearn: {' '.join(line.split())}", file=sys.stderr)
        return code
    finally:
        _settle()


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Inside, SIGTERM interrupts as Ctrl-C does, so that nothing half-written stays.

    Only the main thread may set what a signal does; elsewhere nothing changes.
    """
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
    """Raise ParameterError where the environment names places that cannot be the project's."""
    from .core import files

    runs, study = files.runs(), files.root() / "workflow" / "study.toml"
    if os.path.lexists(runs) and not runs.is_dir():
        raise ParameterError(f"SYNTHLEARN_RUNS: {runs} is no folder; name another, or unset it")
    if COMMANDS[command].needs_checkout and not study.is_file():
        raise ParameterError(
            f"{study}: no such file; call this in a checkout of the project, "
            "or name one by SYNTHLEARN_ROOT"
        )


def _verdict(error: BaseException, command: str) -> tuple[int, str]:
    """Exit status and message of an error.

    The message is empty where nobody listens any more, and where another process says it.
    """
    # without several processes RANK is some other program's
    several = os.environ.get("WORLD_SIZE", "1") not in ("0", "1")
    rank = os.environ.get("RANK", "0") if several else "0"
    if isinstance(error, ParameterError | TrainingDiverged) and rank != "0":
        return 1, ""  # the same in all processes
    code, line = _message(error, command)
    return code, line if rank == "0" or not line else f"process {rank}: {line}"


def _message(error: BaseException, command: str) -> tuple[int, str]:
    """Exit status and message of an error, as if there were one process."""
    if isinstance(error, KeyboardInterrupt):
        resumes = command in COMMANDS and COMMANDS[command].resumes
        return 130, "interrupted; the same command goes on" if resumes else "interrupted"
    if isinstance(error, BrokenPipeError):
        return 1, ""
    if isinstance(error, SynthlearnError):
        return 2 if isinstance(error, ParameterError) else 1, str(error)
    if _lacks_memory(error):
        reason = str(error)[:200] or "none left"
        advice = "ask for fewer or smaller images, or smaller batches"
        return 1, f"not enough memory ({reason}); {advice}"
    if isinstance(error, RecursionError):
        return 1, "something is nested too deeply; --debug shows where"
    if isinstance(error, OSError):
        place = error.filename or command or "the working directory"
        return 1, f"{place}: {error.strerror or error}"
    return 1, f"internal error: {type(error).__name__}: {error}; --debug shows the trace"


def _lacks_memory(error: BaseException) -> bool:
    """Whether an error says that memory is used up; torch has several ways to say so."""
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or "out of memory" in text.lower()
        or "allocate memory" in text
    )


def _settle() -> None:
    """Empty the buffers.

    What nobody takes any more goes nowhere, so that Python does not complain of it at its end.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
