"""An encoder for strangers: its weights as their library names them, and a model card beside them
that says what it was trained on, how to load it, and under which licence it is."""

import hashlib
import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from ..core import files
from ..core.errors import DataError, ParameterError
from ..data.card import LICENCE
from ..learn import encoders
from ..learn.foreign import foreign, same_features
from .records import Run, read

ENDING = ".safetensors"
ELSEWHERE = "that of the images it was trained on, which are not ours"


def share(path: Path, to: str, out: Path) -> str:
    """Write the encoder of a file for another library, and a model card ``.md`` beside it.

    Args:
        path: a file of ``pretrain`` or of the study.
        to: "timm" or "torchvision" for a ResNet or ViT, "torch" for a SmallAlexNet.
        out: of the weights, ``NAME.safetensors``; it and the card must not be there.

    Returns: lines that say what was written, and how to load it.
    Raises: ParameterError for a library that has no such network, another ending of ``out``, and
    where files are there already; CheckpointError for a file that is damaged or not ours; DataError
    where ``out`` cannot be written.
    """
    if out.suffix != ENDING:  # by which timm knows that it is no pickle
        raise ParameterError(
            f"out = {str(out)!r}: must end with {ENDING}, as in {out.stem}{ENDING}"
        )
    card = out.with_suffix(".md")
    for target in (out, card):
        if target.exists():
            raise ParameterError(f"out = {str(out)!r}: {target} is there; choose another name")
    about = _training(files.read_header(path))
    encoder = encoders.load(str(path.absolute()))  # a file, though its name be "random"
    theirs = foreign(encoder, to)
    for target in (out, card):
        files.check_target(target)
    lines = theirs.lines.replace('"{file}"', json.dumps(out.name, ensure_ascii=False))
    tensors = {name: tensor.contiguous() for name, tensor in theirs.tensors.items()}
    content = safetensors.torch.save(tensors, {"format": "pt"})
    checksum = hashlib.sha256(content).hexdigest()
    files.write_text(card, _markdown(encoder, to, out.name, checksum, lines, about))
    try:
        with files.atomic(out) as temporary:
            temporary.write_bytes(content)
    except BaseException:  # a card of nothing would be in the way of the next call
        card.unlink(missing_ok=True)
        raise
    note = f"{same_features(encoder)}; input normalisation and licence are in {card}"
    return f"{out}: {len(tensors)} tensors for {to}; {note}\n\n{lines}"


def _training(header: Mapping[str, Any]) -> dict[str, Any]:
    """What trained an encoder, from its header: row, record, source, options."""
    if isinstance(header.get("training"), dict):
        training = header["training"]
        method = {"name": training["profile"].get("method"), **training["method_options"]}
        names = ("epochs", "batch_size", "n_images", "image_size", "lr")
        options = {name: training["profile"].get(name) for name in names}
        return {
            "record": "none: trained by `pretrain`",
            "source": training["source"],
            "method": method,
            "optimisation": options,
            "seed": training["seed"],
        }
    number = str(header.get("record"))
    record = _record(number)
    if record is None:
        return {"record": f"{number[:16]}… (not among the records here)"}
    spec = record.spec.content
    top1 = f"{100 * record.main.top1:.1f} % on {record.spec.data}"
    kept = {name: spec.get(name) for name in ("source", "method", "optimisation", "seed")}
    return {
        "row": f"{record.row}, profile {record.profile}",
        "record": number,
        "linear probe, top-1": top1,
        **kept,
    }


def records_of(profile: str) -> Iterator[Path]:
    """Files of the committed runs of a profile, "*" for all.

    >>> next(records_of("cpu")).suffix
    '.json'
    """
    yield from sorted((files.root() / "results" / "records").glob(f"{profile}/*.json"))


def _record(number: str) -> Run | None:
    """The committed record with an id."""
    for path in records_of("*"):
        if number in path.read_text(encoding="utf-8"):
            try:
                record = read(path, Run)
            except DataError:  # damaged: the card does without
                continue
            if record.id == number:
                return record
    return None


def _markdown(
    encoder: encoders.Encoder,
    to: str,
    name: str,
    checksum: str,
    lines: str,
    about: Mapping[str, Any],
) -> str:
    """The card of the weights in a file."""
    source = about.get("source")
    own = isinstance(source, dict) and "generator" in source
    licence = f"{LICENCE}: no rights reserved, as for its images" if own else ELSEWHERE
    kind, options = type(encoder).__name__, encoder.options
    kind = str(options.get("name", kind))
    mean, std = (json.dumps([round(v, 6) for v in part]) for part in encoder.normalisation)
    side, width = options["input_size"], encoder.embedding_size
    version = importlib.metadata.version("synthlearn")
    rows = {
        "encoder": f"{kind}, {json.dumps(options)}, {encoders.parameters(encoder):,} parameters "
        "with the head of its pre-training, which is left out here",
        "features": f"{width} numbers of an image of {side} × {side} px; {same_features(encoder)}",
        **{what: _cell(value) for what, value in about.items()},
        "made by": f"synthlearn {version}, torch {torch.__version__}",
        f"SHA-256 of `{name}`": f"`{checksum}`",
        "licence": licence,
    }
    table = "\n".join(f"| {what} | {value} |" for what, value in rows.items())
    library = "pytorch" if to == "torch" else to
    return f"""---
license: {LICENCE.lower() if own else "other"}
library_name: {library}
tags: [image-feature-extraction, synthetic-images]
---
# {kind}, trained on {_name(source)}

| | |
|---|---|
{table}

## Load it

```python
{lines}```

```python
import torch

mean, std = (torch.tensor(v)[:, None, None] for v in ({mean}, {std}))
features = network((images / 255 - mean) / std)  # uint8 (n, 3, {side}, {side}) → (n, {width})
```

To cite it, name source, options, method, seed and version, and the paper that the source follows.
"""


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else f"`{json.dumps(value, ensure_ascii=False)}`"


def _name(source: Any) -> str:
    """A source of a spec in a heading."""
    if not isinstance(source, dict):
        return "images that its record names"
    kinds = ("generator", "text2image", "folder", "real")
    return next((str(source[kind]) for kind in kinds if kind in source), "images")
