"""The data card of an exported set: what the images are, how to make them again, a licence."""

import contextlib
import dataclasses
import inspect
import json
import shlex
from collections.abc import Mapping
from typing import Any

import torch

from ..generators import Generator

LICENCE = "CC0-1.0"  # of the images
MARK = "<!-- data card by synthlearn: `generate` writes it anew where this line stands -->"


def markdown(generator: Generator, described: Mapping[str, Any], sums: str, file: str) -> str:
    """The card as Markdown.

    Args:
        described: the set's ``generator.json``: size, seed, n, format, device, synthlearn.
        sums: SHA-256 of ``file``, the list of all files' checksums.

    >>> import synthlearn as sl
    >>> about = {"size": 16, "seed": 0, "n": 3, "format": "imagefolder", "device": "cpu"}
    >>> text = markdown(sl.generator("noise-white"), {**about, "synthlearn": "1"}, "…", "x.sha256")
    >>> "# noise-white, 3 pictures of 16 × 16" in text
    True
    """
    seed, n, size, form = (described[key] for key in ("seed", "n", "size", "format"))
    device, version = described["device"], described["synthlearn"]
    options = dataclasses.asdict(generator.options)
    words = (shlex.quote(f"{name}={_word(value)}") for name, value in options.items())
    arguments = "".join(f" --option {word}" for word in words)
    arguments += "" if device == "cpu" else f" --device {device}"
    labels = described.get("labels", [])
    arguments += f" --labels {','.join(labels)}" if labels else ""
    place = "the folder" if form == "imagefolder" else "the .cls member"
    classes = f"| class of a picture | {place} of each |\n" if generator.labelled else ""
    files = "labels/NAME/" if form == "imagefolder" else "members .NAME.npy"
    maps = f"| maps of each picture | {', '.join(labels)}, in {files} |\n" if labels else ""
    return f"""---
license: {LICENCE.lower()}
---
{MARK}
# {generator.name}, {n:,} pictures of {size} × {size}

{inspect.cleandoc(type(generator).__doc__ or "")}

| | |
|---|---|
| generator | {generator.name}, revision {generator.revision} |
| seed, pictures, side, format | {seed}, {n}, {size}, {form} |
{classes}{maps}| made by | synthlearn {version}, torch {torch.__version__}, on a {device} |
| SHA-256 of `{file}`, the checksums of all files | `{sums}` |
| licence of the pictures | {LICENCE}: no rights reserved |

Options:

```json
{json.dumps(options, ensure_ascii=False)}
```

Picture i is a function of generator, options, seed, i and size alone. On one kind of processor
this gives the same bytes again, and `sha256sum -c {file}` compares them:

```bash
python -m synthlearn generate --generator {generator.name} --n {n} --size {size} \
--seed {seed} --format {form}{arguments} --out FOLDER
```

To cite it, name generator, revision, options, seed and version, and the paper that the generator
follows.
"""


def _word(value: Any) -> str:
    """An option's value in one line, as ``--option NAME=VALUE`` reads it: JSON, or a word."""
    if not isinstance(value, str) or not value.isprintable() or not value:
        return json.dumps(value)
    with contextlib.suppress(ValueError):
        json.loads(value)
        return json.dumps(value)  # "1" would be read as a number
    return value
