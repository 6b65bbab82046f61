"""Check that each notebook and its .py pair hold the same cells, and that notebooks hold no outputs: ``python -m synthlearn.site.pairs [--sync]``."""

import sys
from pathlib import Path

import jupytext

from ..core import files
from ..core.errors import DataError


def problems(folder: Path) -> list[str]:
    """What is wrong with the pairs of a folder, one line each; empty when all is well."""
    found = []
    stems = {path.stem for path in folder.glob("*.ipynb")} | {
        path.stem for path in folder.glob("*.py")
    }
    for stem in sorted(stems):
        notebook, script = folder / f"{stem}.ipynb", folder / f"{stem}.py"
        if not notebook.exists() or not script.exists():
            found.append(
                f"{stem}: has no {'.py' if notebook.exists() else '.ipynb'} pair; run python -m synthlearn.site.pairs --sync"
            )
            continue
        a, b = jupytext.read(notebook), jupytext.read(script)
        left, right = (
            [(c.cell_type, c.source.strip(), sorted(c.metadata.get("tags", []))) for c in n.cells]
            for n in (a, b)
        )
        if left != right:
            found.append(
                f"{stem}: .ipynb and .py differ in content; run python -m synthlearn.site.pairs --sync"
            )
        if any(c.get("outputs") or c.get("execution_count") for c in a.cells):
            found.append(f"{stem}: the committed notebook holds outputs; clear them")
    return found


def sync(folder: Path) -> None:
    """Make every notebook anew from its .py script, without outputs. Raises DataError when a script is missing."""
    for notebook in folder.glob("*.ipynb"):
        if not notebook.with_suffix(".py").exists():
            raise DataError(f"{notebook}: has no .py pair to make it from")
    for script in sorted(folder.glob("*.py")):
        content = jupytext.read(script)
        for number, cell in enumerate(content.cells):
            cell["id"] = f"cell-{number:02d}"
        content.metadata["kernelspec"] = {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        }
        files.write_text(script.with_suffix(".ipynb"), jupytext.writes(content, fmt="ipynb") + "\n")


def main() -> int:
    """Check, or with ``--sync`` write the notebooks from the scripts."""
    folder = files.root() / "notebooks"
    if "--sync" in sys.argv[1:]:
        sync(folder)
    found = problems(folder)
    print("\n".join(found) or f"{len(list(folder.glob('*.py')))} pairs in step")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
