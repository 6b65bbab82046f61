"""Check that each notebook and its .py pair hold the same cells, and that none holds outputs.

python -m synthlearn.site.pairs [--sync] [--links]
"""

import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import jupytext

from ..core import files
from ..core.errors import DataError

SYNC = "run python -m synthlearn.site.pairs --sync"
# what Jupyter folds of a cell that the site folds, by its tag
FOLDS = {"hide-input": ("source_hidden",), "hide-cell": ("source_hidden", "outputs_hidden")}


def problems(folder: Path) -> list[str]:
    """What is wrong with the pairs of a folder, one line each; empty when all is well."""
    paths = [*folder.glob("*.ipynb"), *folder.glob("*.py")]
    return [
        f"{stem}: {problem}"
        for stem in sorted({path.stem for path in paths})
        for problem in _problems(folder / f"{stem}.ipynb", folder / f"{stem}.py")
    ]


def _problems(notebook: Path, script: Path) -> Iterator[str]:
    """What is wrong with one pair."""
    if not notebook.exists() or not script.exists():
        yield f"has no {'.py' if notebook.exists() else '.ipynb'} pair; {SYNC}"
        return
    content = jupytext.read(notebook)
    if _cells(content) != _cells(jupytext.read(script)):
        yield f".ipynb and .py differ in content; {SYNC}"
    if any(cell.get("outputs") or cell.get("execution_count") for cell in content.cells):
        yield "the committed notebook holds outputs; clear them"


def _cells(content: Any) -> list[tuple[str, str, list[str]]]:
    """What a pair must agree in: kind, text and tags of each cell."""
    return [
        (cell.cell_type, cell.source.strip(), sorted(cell.metadata.get("tags", [])))
        for cell in content.cells
    ]


def _folds(tags: Collection[str]) -> dict[str, bool]:
    """Jupyter's own words for the folds of a cell; parameters are there to be changed.

    >>> _folds(["hide-input"]), _folds(["hide-input", "parameters"])
    ({'source_hidden': True}, {})
    """
    if "parameters" in tags:
        return {}
    return {part: True for tag in tags for part in FOLDS.get(tag, ())}


def sync(folder: Path) -> None:
    """Make every notebook anew from its .py script, without outputs and with its folds.

    Raises: DataError when a script is missing.
    """
    for notebook in folder.glob("*.ipynb"):
        if not notebook.with_suffix(".py").exists():
            raise DataError(f"{notebook}: has no .py pair to make it from")
    for script in sorted(folder.glob("*.py")):
        content = jupytext.read(script)
        for number, cell in enumerate(content.cells):
            cell["id"] = f"cell-{number:02d}"
            if folds := _folds(cell.metadata.get("tags", ())):
                cell.metadata["jupyter"] = folds
        content.metadata["kernelspec"] = {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        }
        files.write_text(script.with_suffix(".ipynb"), jupytext.writes(content, fmt="ipynb") + "\n")


def with_files(text: str) -> str:
    """A script whose links name files, so that they work in Jupyter as on the site.

    >>> with_files("[how long](24_length), [how](../book/method), [here](#x)")
    '[how long](24_length.ipynb), [how](../book/method.md), [here](#x)'
    """
    text = re.sub(r"\]\((\d\d_\w+)(#[\w.-]+)?\)", r"](\1.ipynb\2)", text)
    return re.sub(r"\]\((\.\./book/[\w/]+)(#[\w.-]+)?\)", r"](\1.md\2)", text)


def main() -> int:
    """Check, or with ``--sync`` write the notebooks from the scripts, with ``--links`` after their
    links have been made to name files."""
    folder = files.root() / "notebooks"
    if "--links" in sys.argv[1:]:
        for script in folder.glob("*.py"):
            files.write_text(script, with_files(script.read_text(encoding="utf-8")))
    if {"--sync", "--links"} & {*sys.argv[1:]}:
        sync(folder)
    lines = problems(folder)
    print("\n".join(lines) or f"{len(list(folder.glob('*.py')))} pairs in step")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
