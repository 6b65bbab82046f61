"""The house: who may import whom; short functions, plain names, an example per call."""

import ast
import csv
import graphlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from synthlearn.core import files

ROOT = files.root()
LIBRARY = ROOT / "lib" / "synthlearn"
TABLE = ROOT / "book" / "house.csv"
# Import by names that they read: the face wings, a registry its package, the code hash a record.
READS_NAMES = {"__init__.py", "core/registry.py", "study/code.py"}
LINES = 60  # of a function
# Where what `import synthlearn as sl` offers to call is defined.
FACE = (
    "core/augment",
    "data/",
    "generators/annotations",
    "generators/registry",
    "learn/encoders",
    "learn/losses",
    "learn/train",
    "measure/probe",
)
HOMEMADE = {"found", "said", "told", "mine"}  # names that do not say what a thing is
RECORDED = {"text2image/captions.py told"}  # an option that stands in records


def layers(text):
    """Floors by room, and the pairs that may look sideways, of the table that the book prints."""
    floors, beside = {}, set()
    for row in csv.DictReader(io.StringIO(text)):
        for name in row["room"].split():
            room = name.strip("`/").removesuffix(".py")
            floors[room] = int(row["floor"])
            others = row.get("may look sideways at", "").split()
            beside |= {(room, other.strip("`/")) for other in others}
    return floors, beside


def sources(folder):
    """Every file of the library, by its path below it."""
    return {str(p.relative_to(folder)): p.read_text("utf-8") for p in folder.rglob("*.py")}


def room(path):
    """The wing of a file, or the file itself on the top floor."""
    return path.partition("/")[0].removesuffix(".py")


def target(parts, paths):
    """The file that stands for a dotted name below the library; None when there is none."""
    for path in ("/".join(parts) + ".py", "/".join([*parts, "__init__.py"])):
        if path in paths:
            return path
    return None


def dotted(node, path) -> Iterator[tuple[list[str], list[str]]]:
    """What a statement or a call names below the library: parts of a module, names taken from it.

    Raises ValueError when it cannot be read.
    """
    above = list(Path(path).parent.parts)
    if isinstance(node, ast.Import):
        for alias in node.names:
            first, *rest = alias.name.split(".")
            if first == "synthlearn":
                yield rest, []
    elif isinstance(node, ast.ImportFrom):
        parts = node.module.split(".") if node.module else []
        names = [alias.name for alias in node.names]
        if node.level:
            if node.level > len(above) + 1:
                raise ValueError("no package above this one")
            yield above[: len(above) + 1 - node.level] + parts, names
        elif parts[0] == "synthlearn":
            yield parts[1:], names
        elif parts[0] == "importlib" and any(alias.asname for alias in node.names):
            raise ValueError("no name that can be read")
    elif isinstance(node, ast.Call):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called in ("import_module", "__import__"):
            yield from by_name(node, above, path)


def by_name(node, above, path):
    """What a call of ``import_module`` names."""
    name = node.args[0]
    if not isinstance(name, ast.Constant):
        if path not in READS_NAMES:
            raise ValueError("no name that can be read")
        return
    level = len(name.value) - len(name.value.lstrip("."))
    parts = name.value[level:].split(".")
    if level:
        yield above[: len(above) + 1 - level] + parts, []
    elif parts[0] == "synthlearn":
        yield parts[1:], []


def arrows(path, text, paths):
    """Lines and files that a file imports; instead of a file, a complaint where there is none."""
    for node in ast.walk(ast.parse(text)):
        try:
            for parts, names in dotted(node, path):
                inner = [target([*parts, name], paths) for name in names]
                if not inner or None in inner:  # the module itself, or names that it defines
                    inner.append(target(parts, paths) or f"no module {'.'.join(parts)}")
                yield from ((node.lineno, file) for file in inner if file)
        except ValueError as error:
            yield node.lineno, str(error)


def sideways(ours, theirs, floors, beside):
    """Whether two rooms are neighbours that may not look at each other."""
    return ours != theirs and floors[ours] == floors[theirs] and (ours, theirs) not in beside


def complaints(texts, floors, beside):
    """What is wrong with the imports of some files: by path and line, or a circle of paths."""
    wrong, graph = [], {}
    for path, text in texts.items():
        graph[path] = set()
        if room(path) not in floors:
            wrong.append(f"{path}: no room {room(path)} in the table")
            continue
        for line, file in arrows(path, text, texts):
            place = f"{path}:{line} -> {file}"
            if file.startswith("no"):
                wrong.append(place)
            elif floors.get(room(file), 99) > floors[room(path)]:
                wrong.append(f"{place}: up")
            elif sideways(room(path), room(file), floors, beside):
                wrong.append(f"{place}: sideways")
            else:
                graph[path].add(file)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        wrong.append("circle: " + " -> ".join(error.args[1]))
    return wrong


def test_imports_point_down_in_the_house_that_the_book_shows():
    assert complaints(sources(LIBRARY), *layers(TABLE.read_text("utf-8"))) == []


HOUSE = """floor,room,may look sideways at,what lives there
3,`__main__.py` `__init__.py`,,
2,`book/`,,
2,`site/`,`book/`,
1,`study/`,,
0,`core/`,,
"""
GOOD = {
    "__init__.py": "",
    "__main__.py": "from .book import pages",
    "book/__init__.py": "from .pages import page",
    "book/pages.py": "from ..core.rng import key\nfrom ..study import run",
    "core/__init__.py": "",
    "core/files.py": "import torch",
    "core/rng.py": "from . import files\nfrom torch import Tensor",
    "site/build.py": "from ..book import pages",
    "study/__init__.py": "",
    "study/run.py": "import importlib, synthlearn.core.rng\nimportlib.import_module('torch')",
}
# file | what it says, with lines apart by \n | line of the complaint, and the complaint
BAD = r"""
core/rng.py   | from ..study import run                             | 1 -> study/run.py: up
core/rng.py   | from ..study.run import go                          | 1 -> study/run.py: up
core/rng.py   | from .. import study as _                           | 1 -> study/__init__.py: up
core/files.py | from ..book import pages                            | 1 -> book/pages.py: up
core/files.py | from .. import __main__                             | 1 -> __main__.py: up
core/files.py | import synthlearn.study                             | 1 -> study/__init__.py: up
core/rng.py   | import synthlearn.study.run as run                  | 1 -> study/run.py: up
core/rng.py   | import torch, synthlearn as sl                      | 1 -> __init__.py: up
core/rng.py   | from synthlearn import book                         | 1 -> book/__init__.py: up
study/run.py  | from synthlearn.book import (\n pages)              | 1 -> book/pages.py: up
core/rng.py   | def f():\n    from ..study import run               | 2 -> study/run.py: up
core/rng.py   | if TYPE_CHECKING:\n    from ..study import run      | 2 -> study/run.py: up
core/rng.py   | try:\n    import synthlearn.book\nfinally:\n    f() | 2 -> book/__init__.py: up
core/files.py | importlib.import_module('synthlearn.study')         | 1 -> study/__init__.py: up
core/files.py | x = import_module('..study.run', __package__)       | 1 -> study/run.py: up
core/files.py | __import__('synthlearn.study.run')                  | 1 -> study/run.py: up
core/files.py | importlib.import_module(name)                       | 1 -> no name that can be read
core/files.py | from importlib import import_module as f            | 1 -> no name that can be read
core/files.py | from ... import lightning                           | 1 -> no package above this one
core/files.py | from ..cellar import wine                           | 1 -> no module cellar
book/pages.py | from ..site.build import site                       | 1 -> site/build.py: sideways
"""


def test_good_imports_pass():
    assert complaints(GOOD, *layers(HOUSE)) == []


@pytest.mark.parametrize("line", BAD.strip().splitlines())
def test_bad_imports_do_not(line):
    path, text, complaint = (field.strip() for field in line.split("|"))
    texts = GOOD | {path: text.replace(r"\n", "\n")}
    assert complaints(texts, *layers(HOUSE)) == [f"{path}:{complaint}"]


def test_a_room_that_is_not_in_the_table_is_named():
    texts = GOOD | {"attic/old.py": ""}
    assert complaints(texts, *layers(HOUSE)) == ["attic/old.py: no room attic in the table"]


def test_a_circle_is_named():
    texts = GOOD | {"core/files.py": "def f():\n    from .rng import key"}
    (circle,) = complaints(texts, *layers(HOUSE))
    assert circle in (
        "circle: core/rng.py -> core/files.py -> core/rng.py",
        "circle: core/files.py -> core/rng.py -> core/files.py",
    )


def definitions(text):
    """Functions and classes of a file."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]


def bound(text):
    """Every name that a file gives: to variables, arguments, attributes, functions, classes."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield getattr(node, "id", getattr(node, "attr", None)), node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node.lineno


def too_long(texts):
    """Functions of more lines than a screen shows."""
    for path, text in texts.items():
        for node in definitions(text):
            lines = node.end_lineno - node.lineno + 1
            if lines > LINES and not isinstance(node, ast.ClassDef):
                yield f"{path}:{node.lineno} {node.name} ({lines} lines)"


def homemade(texts):
    """Names that do not say what a thing is."""
    for path, text in texts.items():
        for name, line in bound(text):
            if name in HOMEMADE and f"{path} {name}" not in RECORDED:
                yield f"{path}:{line} {name}"


def test_no_function_is_longer_than_a_screen():
    assert list(too_long(sources(LIBRARY))) == []


def test_names_say_what_a_thing_is():
    assert list(homemade(sources(LIBRARY))) == []


def test_a_long_function_and_a_homemade_name_are_seen():
    long = "def f(a):\n" + "    a()\n" * LINES
    assert list(too_long({"core/a.py": long})) == ["core/a.py:1 f (61 lines)"]
    named = "found = 1\ndef said(told): pass\nself.mine, x = y\nfor found in x: f(found)"
    seen = list(homemade({"core/a.py": named}))
    assert [s.split()[1] for s in sorted(seen)] == ["found", "said", "told", "mine", "found"]


def public_functions():
    """Functions of the library's face, as (place, docstring)."""
    for path, text in sources(LIBRARY).items():
        for node in ast.parse(text).body if path.startswith(FACE) else ():
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield f"{path}:{node.lineno} {node.name}", ast.get_docstring(node) or ""


def test_every_function_of_the_face_has_an_example():
    assert [place for place, text in public_functions() if ">>> " not in text] == []
