"""Write a generator's pictures to disk: an ImageFolder of PNG files, or webdataset shards."""

import dataclasses
import hashlib
import importlib.metadata
import io
import json
import shlex
import tarfile
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from . import files, progress
from .errors import ParameterError
from .generators import Generator

SHARD = 1000
LICENCE = "CC0-1.0"  # of the pictures


def _png(picture: Tensor) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()).save(stream, "PNG")
    return stream.getvalue()


def write(generator: Generator, n: int, size: int, seed: int, out: Path, form: str = "imagefolder", device: str = "cpu") -> str:
    """Write pictures 0 … n − 1.

    Args:
        out: folder; what a call before this one has finished stays and is not made again. ``generator.json`` and a data card, ``README.md``,
            say what it holds.
        form: "imagefolder" → ``out/train/NAME/00000000.png``; "webdataset" → ``out/shard-00000.tar`` of 1,000 PNG files each.

    Returns: one line that says what is there. Raises: ParameterError for n < 1 or when ``out`` holds another set; DataError when the disk refuses.
    """
    if n < 1:
        raise ParameterError(f"n = {n}: must be 1 or more")
    described = {**generator.spec(), "size": size, "seed": seed, "format": form, "synthlearn": importlib.metadata.version("synthlearn"), "license": LICENCE}
    label = out / "generator.json"
    if label.exists() and json.loads(label.read_text()) != described:
        raise ParameterError(f"out = {str(out)!r}: holds another set ({label} says which); choose another folder")
    step = SHARD if form == "webdataset" else 64
    with progress.bar(n, generator.name, "image") as shown:
        for start in range(0, n, step):
            index = range(start, min(start + step, n))
            if form == "webdataset":
                _shard(generator, index, size, seed, device, out / f"shard-{start // SHARD:05d}.tar")
            else:
                _folder(generator, index, size, seed, device, out / "train" / generator.name)
            shown.update(len(index))
    files.write_json(label, described)
    files.write_text(out / "README.md", card(generator, n, size, seed, form, out))
    return f"{out}: {n} pictures of {generator.name}, {size}×{size}, seed {seed}"


def card(generator: Generator, n: int, size: int, seed: int, form: str, out: Path) -> str:
    """A data card in Markdown: what the pictures are, how to make them again to the bit, their checksum and licence."""
    options = dataclasses.asdict(generator.options)
    words = {name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}  # as the command line reads them
    told = "".join(f" --option {shlex.quote(f'{name}={word}')}" for name, word in words.items())
    sums = hashlib.sha256()
    for path in sorted(path for pattern in ("train/**/*.png", "shard-*.tar") for path in out.glob(pattern)):
        sums.update(path.name.encode() + files.sha256(path).encode())
    version = importlib.metadata.version("synthlearn")
    return f"""---
license: {LICENCE.lower()}
---
# {generator.name}, {n:,} pictures of {size} × {size}

{(type(generator).__doc__ or "").strip()}

| | |
|---|---|
| generator | {generator.name}, revision {generator.revision} |
| options | `{json.dumps(options)}` |
| seed, pictures, side, format | {seed}, {n}, {size}, {form} |
| made by | synthlearn {version}, torch {torch.__version__} |
| SHA-256 over the files' names and checksums, in order | `{sums.hexdigest()}` |
| licence of the pictures | {LICENCE}: no rights reserved |

Picture i is a function of generator, options, seed, i and size alone. On one kind of processor this gives the same bytes again:

```bash
python -m synthlearn generate --generator {generator.name} --n {n} --size {size} --seed {seed} --format {form}{told} --out FOLDER
```

To cite it, name generator, revision, options, seed and version, and the paper that the generator follows.
"""


def _folder(generator: Generator, index: range, size: int, seed: int, device: str, where: Path) -> None:
    missing = [i for i in index if not (where / f"{i:08d}.png").exists()]
    for i, picture in zip(missing, generator.sample(missing, size, seed, device), strict=True):
        with files.atomic(where / f"{i:08d}.png") as temporary:
            temporary.write_bytes(_png(picture))


def _shard(generator: Generator, index: range, size: int, seed: int, device: str, path: Path) -> None:
    if path.exists():
        with tarfile.open(path) as archive:
            if len(archive.getnames()) == len(index):
                return
    with files.atomic(path) as temporary, tarfile.open(temporary, "w") as archive:
        for i, picture in zip(index, generator.sample(torch.tensor(index), size, seed, device), strict=True):
            content = _png(picture)
            entry = tarfile.TarInfo(f"{i:08d}.png")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
