"""One exception type per cause.

Every message names what is wrong, the value, what is allowed and what to do.
"""


class SynthlearnError(Exception):
    """Base of all errors that a user can cause and mend; the command line prints its message."""


class ParameterError(SynthlearnError, ValueError):
    """A parameter is unknown, of the wrong type, or outside what is allowed."""


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
