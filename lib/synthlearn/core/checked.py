"""Code that others add, checked where it is used: a source's spec, classes and images.

Whoever adds some meets these messages; each names what is wrong, what must be, and what to mend.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from .errors import ExtensionError, SynthlearnError, described, passes
from .options import shown
from .source import Source

IDENTITY = ("generator", "text2image", "folder", "real")  # names of a source in its spec, by kind
PAINTER = "generators/base.py"  # the library's file that calls a generator's own code
MANY = 10_000  # images whose classes are looked at, at most
FEW = 1 << 31  # classes, at most


@contextlib.contextmanager
def blamed(owner: str, does: str, module: str, caller: str = "") -> Iterator[None]:
    """Around a call: what it raises becomes an ExtensionError that names whose code it is.

    Not so our own errors, a file's or a lack of memory: these have messages of their own.
    ``caller``: only what comes from that module, called by this file of the library.
    """
    try:
        yield
    except (SynthlearnError, OSError, MemoryError):
        raise
    except Exception as error:
        if "memory" in str(error) or (caller and not passes(error, module, caller)):
            raise
        why = described(error, module)
        raise ExtensionError(f"{owner}: its {does} fails ({why}); mend {module}") from error


def spec_of(source: Source) -> dict[str, Any]:
    """A source's spec. Raises ExtensionError for one that no record can hold."""
    owner, module = _owner(source)
    with blamed(owner, "spec()", module):
        spec: Any = source.spec()
    named = isinstance(spec, dict) and any(name in spec for name in IDENTITY)
    if not named or (source.kind == "generator" and spec.get("generator") != source.name):
        must = f"must give a table that says {source.kind!r}, as {{**super().spec(), …}}"
        raise ExtensionError(f"{owner}: its spec() gives {shown(spec)}, {must}; mend {module}")
    in_json(owner, "spec()", spec, module)
    return dict(spec)


def painting(source: Source) -> contextlib.AbstractContextManager[None]:
    """Around a call that makes images: what the source's own code raises names it."""
    owner, module = _owner(source)
    return blamed(owner, "code", module, PAINTER)


def check_labels(source: Source, n: int) -> None:
    """Raise ExtensionError unless a source that has classes gives its first ``n`` images' as they
    must be."""
    owner, module = _owner(source)
    if not source.labelled:
        return
    n = min(n, MANY)
    with blamed(owner, "labels()", module):
        labels: Any = source.labels(torch.arange(n))
    wrong = f"a {type(labels).__name__}"
    if isinstance(labels, Tensor):
        wrong = f"{labels.dtype} {tuple(labels.shape)}"
        if labels.dtype == torch.int64 and labels.shape == (n,):
            least, most = int(labels.min()), int(labels.max())
            if least >= 0 and most < FEW:
                return
            wrong = f"numbers from {least} to {most}"
    must = f"for {n} pictures must give int64 ({n},), numbers from 0 to {FEW - 1:,}"
    raise ExtensionError(f"{owner}: its labels() gives {wrong}; {must}; mend {module}")


def _owner(source: Source) -> tuple[str, str]:
    return f"{source.kind} {source.name!r}", type(source).__module__


def in_json(owner: str, does: str, content: Mapping[str, Any], module: str) -> None:
    """Raise ExtensionError unless a record can hold a table."""
    for name, value in content.items():
        try:
            json.dumps({name: value}, allow_nan=False)
        except (TypeError, ValueError) as error:
            must = "must be of texts, finite numbers, truth values, lists and tables"
            wrong = f"gives {name} = {shown(value)}; {must}"
            raise ExtensionError(f"{owner}: its {does} {wrong}; mend {module}") from error
