"""From executed chapters to HTML, and from a finished study to committed pages.

python -m synthlearn.site.build --chapters _build/chapters/smoke --out _build
python -m synthlearn.site.build --publish cpu
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ..book import jupyter
from ..core import files
from ..core.errors import DataError, SynthlearnError
from ..study import jobs, resolve, store
from . import takeaway

PAGE_LIMIT = 800_000  # bytes of a committed page
STAGED = ("_config.yml", "_toc.yml", "book")
LINKED = ("records", "twins", "measurements", "search")  # the files that numbers link to
PROMPTS = {"parameters": "Settings", "solution": "Solution"}  # of folded cells, by tag; else:
CODE = "Code"
PER_CENT = re.compile(r"(?<=\d) (?=%)")  # the space before the sign, in prose
COLAB = ("colab-install", "colab-link")  # ids of the cells that a published page has for Colab


def chapters() -> list[str]:
    """Chapter names in the order of the table of contents."""
    text = (files.root() / "_toc.yml").read_text(encoding="utf-8")
    return [Path(entry).name for entry in re.findall(r"(?:file|root):\s*(notebooks/\S+)", text)]


def read_notebook(path: Path) -> dict[str, Any]:
    """An executed notebook.

    Raises: DataError when it is missing, unreadable, failed, or was not run to its end.
    """
    if not path.is_file():
        raise DataError(
            f"{path} is missing: run the chapters first (make book, or make study PROFILE=cpu)"
        )
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: not a notebook ({error}); run its chapter again") from error
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                raise DataError(
                    f"{path}: cell {number} failed with {output['ename']}: {output['evalue']}; "
                    "a failed chapter does not enter the book"
                )
        if cell["execution_count"] is None:
            raise DataError(f"{path}: cell {number} was not run; run its chapter again")
    return notebook


def repository() -> tuple[str, str]:
    """The project's address and the release tag that pages fetch from there, of ``_config.yml``.

    Both are empty where no address is set.

    Raises: DataError for an address that is not one of GitHub, or a tag that is none: a branch's
        code may change after the pages are read.
    """
    config = yaml.safe_load((files.root() / "_config.yml").read_text(encoding="utf-8"))
    entry = config.get("repository") or {}
    address, tag = str(entry.get("url") or "").rstrip("/"), str(entry.get("branch") or "")
    if not address:
        return "", ""
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address):
        raise DataError(
            f"_config.yml: repository url: {address!r}: must be https://github.com/OWNER/NAME, "
            "or empty for pages without links to Colab"
        )
    if not re.fullmatch(r"v?\d[\w.-]*", tag):
        raise DataError(
            f"_config.yml: repository branch: {tag!r}: must be a release tag, as in v0.1.0: "
            "what pages fetch must not change afterwards"
        )
    return address, tag


def for_colab(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    """With a link that opens the published page in Colab, and a hidden first cell that fetches the
    project there, both of the release that ``_config.yml`` names.

    Without either where it names no address. A published page may be published again.
    """
    title, *rest = (cell for cell in notebook["cells"] if cell.get("id") not in COLAB)
    address, tag = repository()
    if not address:
        return {**notebook, "cells": [title, *rest]}
    repository_name = address.removeprefix("https://github.com/")
    page = f"{repository_name}/blob/{tag}/results/pages/{name}.ipynb"
    install = {
        "cell_type": "code",
        "id": COLAB[0],
        "metadata": {"tags": ["remove-cell"]},
        "source": _install(address, tag),
        "outputs": [],
        "execution_count": 0,
    }
    link = {
        "cell_type": "markdown",
        "id": COLAB[1],
        "metadata": {},
        "source": [f"[Run this page in Colab](https://colab.research.google.com/github/{page})"],
    }
    return {**notebook, "cells": [title, install, link, *rest]}


def _install(address: str, tag: str) -> list[str]:
    """Lines of the cell that fetches the project in Colab."""
    return [
        "import pathlib, sys\n",
        'if "google.colab" in sys.modules:\n',
        '    project = pathlib.Path("/content/project")\n',
        "    if not project.exists():  # a second run finds it\n",
        f"        !git clone --quiet --depth 1 --branch {tag} {address} {{project}}\n",
        '    sys.path.insert(0, f"{project}/lib")\n',
        "    %cd {project}/notebooks",
    ]


def clean(notebook: dict[str, Any]) -> dict[str, Any]:
    """Without what belongs to the run and not to the page: stderr, papermill's paths and times, the
    kernel's own lines, the styles for Jupyter."""
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        if "injected-parameters" in tags and "remove-input" not in tags:
            tags = [*tags, "remove-input"]
        cell["metadata"] = {"tags": tags} if tags else {}
        if cell["cell_type"] == "code":
            dropped = (_is_stderr, _is_style)
            cell["outputs"] = [
                each for each in cell["outputs"] if not any(drop(each) for drop in dropped)
            ]
            for output in cell["outputs"]:
                if "metadata" in output:
                    output["metadata"] = {}
    kept = ("kernelspec", "language_info", "jupytext")
    notebook["metadata"] = {k: v for k, v in notebook["metadata"].items() if k in kept}
    return notebook


def _prompts(tags: Sequence[str]) -> dict[str, Any]:
    """What a folded cell's line says, as the builder reads it; empty for an open one."""
    if not {"hide-input", "hide-cell"} & set(tags):
        return {}
    word = next((word for tag, word in PROMPTS.items() if tag in tags), CODE)
    return {"mystnb": {"code_prompt_show": word, "code_prompt_hide": word}}


def _is_stderr(output: dict[str, Any]) -> bool:
    return output["output_type"] == "stream" and output["name"] == "stderr"


def _is_style(output: dict[str, Any]) -> bool:
    return "".join(output.get("data", {}).get("text/html", "")).startswith(jupyter.STYLE)


def build(source: Path, out: Path) -> Path:
    """Stage the prose and the executed chapters of ``source``, and render them with warnings as
    errors.

    Returns: the index page.

    Raises: DataError when a chapter is missing or failed, or the builder does not write its pages.
    """
    shutil.rmtree(out / "html", ignore_errors=True)
    _stage(source, out / "stage")
    builder = Path(sys.executable).with_name("jupyter-book")
    done = subprocess.run(
        [
            *(builder, "build", out / "stage", "--path-output", out / "work"),
            *("-W", "-n", "--keep-going"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    html = out / "work" / "_build" / "html"
    absent = [name for name in chapters() if not (html / "notebooks" / f"{name}.html").is_file()]
    if done.returncode or absent:
        pages = f": no page for {', '.join(absent)}" if absent else ""
        raise DataError(f"jupyter-book failed{pages}\n{_complaints(done.stdout + done.stderr)}")
    shutil.move(html, out / "html")
    shutil.rmtree(out / "work")
    return out / "html" / "index.html"


def _stage(source: Path, stage: Path) -> None:
    """A folder anew with all that the builder reads."""
    shutil.rmtree(stage, ignore_errors=True)
    for name in STAGED:
        origin = files.root() / name
        (shutil.copytree if origin.is_dir() else shutil.copy)(origin, _parent(stage / name))
    for name in LINKED:
        origin = files.root() / "results" / name
        if origin.is_dir():
            shutil.copytree(origin, stage / "book" / "_static" / name)
    takeaway.write(stage / "book" / "_static")
    for name in chapters():
        notebook = for_site(clean(read_notebook(source / f"{name}.ipynb")))
        text = json.dumps(notebook, ensure_ascii=False)
        files.write_text(stage / "notebooks" / f"{name}.ipynb", text)


def for_site(notebook: dict[str, Any]) -> dict[str, Any]:
    """A chapter as the builder reads it: lines of folded cells say what they hold, links of outputs
    lead to pages of the site, and per cent signs stay on their number's line.
    """
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = PER_CENT.sub("\N{NO-BREAK SPACE}", "".join(cell["source"]))
        cell["metadata"] |= _prompts(cell["metadata"].get("tags", []))
        for output in cell.get("outputs", ()):
            if html := output.get("data", {}).get("text/html"):
                output["data"]["text/html"] = jupyter.for_site("".join(html))
    return notebook


def _parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _complaints(log: str) -> str:
    """The builder's complaints, or the end of its log."""
    lines = [line for line in log.splitlines() if re.search(r"WARNING|ERROR|\w*Error:", line)]
    return "\n".join((lines or log.splitlines())[-30:])


def publish(profile_name: str) -> list[Path]:
    """Copy the executed chapters of a profile to ``results/pages``.

    Jobs without a record are named, and do not stand in the way.

    Raises: DataError when a chapter failed, a record is stale, a page is too large, or the pages
        are not all of one clean commit; nothing is copied then.
    """
    missing = _missing(profile_name)
    pages, commits = {}, {}
    for name in chapters():
        executed = files.root() / "_build" / "chapters" / profile_name / f"{name}.ipynb"
        notebook = clean(read_notebook(executed))
        commits[name] = made_at(notebook)
        pages[files.root() / "results" / "pages" / f"{name}.ipynb"] = _page(notebook, name)
    check_commits(commits, profile_name)
    if missing:
        print(
            f"{len(missing)} planned runs have no record yet; "
            f"the pages show those that are there: {_list_titles(missing)}"
        )
    for path, text in pages.items():
        files.write_text(path, text)
    return list(pages)


def _missing(profile_name: str) -> list[str]:
    """Titles of the jobs that have no record. Raises DataError when a record is stale."""
    states: dict[str, list[str]] = {"fresh": [], "stale": [], "missing": []}
    for job in jobs.all_jobs(resolve(profile_name)):
        states[store.state(job)].append(job.title)
    if stale := states["stale"]:
        raise DataError(
            f"cannot publish: {len(stale)} records are stale ({_list_titles(stale)}); "
            f"run make study PROFILE={profile_name}, or make verify"
        )
    return states["missing"]


def _page(notebook: dict[str, Any], name: str) -> str:
    """The text of a published page. Raises DataError for one that is too large."""
    text = json.dumps(for_colab(notebook, name), ensure_ascii=False, indent=1) + "\n"
    size = len(text.encode())
    if size > PAGE_LIMIT:
        raise DataError(
            f"chapter {name}: its page has {size:,} bytes, allowed are {PAGE_LIMIT:,}; "
            "show fewer or smaller images"
        )
    return text


def _list_titles(titles: Sequence[str]) -> str:
    """Titles with the seeds of one row together: "real (0, 1), random (3)"."""
    seeds: dict[str, list[str]] = {}
    for title in titles:
        name, _, seed = title.rpartition(" seed ")
        seeds.setdefault(name, []).append(seed)
    return ", ".join(f"{name} ({', '.join(each)})" for name, each in seeds.items())


def made_at(notebook: dict[str, Any]) -> str:
    """The commit that an executed page says it was made at.

    With a plus sign where files had changed; "unknown" where the page does not say.
    """
    outputs = json.dumps([cell.get("outputs", []) for cell in notebook["cells"]])
    match = re.search(r"page made at commit ([0-9a-f]+\+?)", outputs)
    return match.group(1) if match else "unknown"


def check_commits(commits: dict[str, str], profile_name: str) -> None:
    """Raise DataError unless all pages (name → commit) are of one commit, nothing changed since."""
    pages: dict[str, list[str]] = {}
    for name, commit in commits.items():
        pages.setdefault(commit, []).append(name)
    if len(pages) > 1 or "unknown" in pages or any(commit.endswith("+") for commit in pages):
        listed = "; ".join(f"{commit}: {', '.join(names)}" for commit, names in pages.items())
        raise DataError(
            "cannot publish: all pages must be made at one commit with nothing changed (+) since, "
            f"but they are of {listed}; "
            f"commit, run make pages PROFILE={profile_name}, publish again"
        )


def main() -> int:
    """Build or publish; exit status 1 with one message on failure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chapters", type=Path, help="folder of executed notebooks")
    parser.add_argument("--out", type=Path, default=Path("_build"), help="folder for html/")
    parser.add_argument(
        "--publish",
        metavar="PROFILE",
        help="copy this profile's executed chapters to results/pages",
    )
    args = parser.parse_args()
    try:
        if args.publish:
            for path in publish(args.publish):
                print(path)
        else:
            print(f"The book: {build(args.chapters, args.out)}")
    except SynthlearnError as error:
        print(f"book: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
