"""One exception type per cause.

Every message names what is wrong, the value, what is allowed and what to do.
"""

import itertools
import traceback


class SynthlearnError(Exception):
    """Base of all errors that a user can cause and mend; the command line prints its message."""


class ParameterError(SynthlearnError, ValueError):
    """A parameter is unknown, of the wrong type, or outside what is allowed."""


class ExtensionError(SynthlearnError):
    """A generator, method, measurement or rule does not keep what its kind has to keep."""


class DataError(SynthlearnError):
    """An image set or archive is missing, damaged or of the wrong form."""


class CheckpointError(SynthlearnError):
    """A file of weights is damaged, foreign, or does not fit what it is loaded into."""


class TrainingDiverged(SynthlearnError):  # noqa: N818  (the name the design gives it)
    """The loss is no longer a finite number."""


class OutOfTime(SynthlearnError):  # noqa: N818
    """The time that was given is over; what was reached is kept."""


def reason(error: Exception) -> str:
    """What an error of others says, in one line of at most 300 characters.

    >>> reason(KeyError("width"))
    "KeyError 'width'"
    """
    text = " ".join(str(error).split())[:300]
    return text if " " in text else f"{type(error).__name__} {text}".strip()


def described(error: Exception, module: str) -> str:
    """What went wrong in a module's code, in one line, with the line of its file where it did.

    >>> described(ValueError("two\\nlines"), "stripes")
    'ValueError: two lines'
    """
    text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    if isinstance(error, SyntaxError):  # says where itself
        return text
    lines = [frame.lineno for frame in _frames(error) if _is_of(frame, module)]
    return f"{text}, line {lines[-1]}" if lines else text


def passes(error: Exception, module: str, caller: str) -> bool:
    """Whether an error came through a module's file, called by a file of the library."""
    inside = itertools.dropwhile(lambda frame: caller not in _file(frame), _frames(error))
    return any(_is_of(frame, module) for frame in inside)


def innermost(error: Exception) -> str:
    """The library's file in which an error arose, or called what raised it; "" for none."""
    ours = [_file(frame) for frame in _frames(error) if "/synthlearn/" in _file(frame)]
    return ours[-1] if ours else ""


def _frames(error: Exception) -> list[traceback.FrameSummary]:
    return list(traceback.extract_tb(error.__traceback__))


def _file(frame: traceback.FrameSummary) -> str:
    return frame.filename.replace("\\", "/")


def _is_of(frame: traceback.FrameSummary, module: str) -> bool:
    return _file(frame).endswith(module.replace(".", "/") + ".py")
