"""The code hash: what of the library decides a record, as one number.

It is taken over the syntax trees of every module that a run executes, found by following imports.
It is blind to what moves no number: docstrings, comments, positions, annotations, and the names of
local variables. What is called by name (a generator, a measurement) counts where the spec names it;
what :data:`NEUTRAL` holds never does, nor that a module offers what is in :data:`OFFERED`.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from ..core import files
from ..data import source_class
from ..generators import generator_class
from ..learn import reference
from ..measure.base import MEASUREMENTS
from . import assembly
from .records import SourceSpec, Spec

LIBRARY = __package__.rpartition(".")[0]
FOLDER = Path(__file__).parents[1]
# Every module with its file: to import one would bring what it brings, as torchvision.
FILES = {
    ".".join((LIBRARY, *path.relative_to(FOLDER).with_suffix("").parts)): path
    for path in FOLDER.rglob("*.py")
}
FILES = {name.removesuffix(".__init__"): path for name, path in FILES.items()}
# These move bytes, messages and bars, or find things by their names: no number depends on them.
NEUTRAL = {
    f"{LIBRARY}.core.{name}"
    for name in ("checked", "errors", "files", "progress", "registry", "vision")
}
# These are for trainings of others, and no run of ours calls them: a module that only offers them
# under its own name is hashed as if it did not.
OFFERED = {f"{LIBRARY}.data.{name}" for name in ("mix_in", "torch_sets")}
# Of the study the assembly of a run is hashed; what the rest of it decides stands in the spec.
ASSEMBLY = assembly.__name__


def code_of(spec: Spec) -> str:
    """The code hash of a record's spec."""
    return files.digest({name: _digest(name) for name in modules(roots(spec))})


def roots(spec: Spec) -> list[str]:
    """Modules from which all that a job of this spec runs is reached: the assembly imports what
    trains and probes; the spec names the measurement, the source and what was trained elsewhere."""
    more = [MEASUREMENTS[spec.measurement].__module__] if spec.measurement else []
    if spec.kind == "reference":
        more.append(reference.__name__)
    return [ASSEMBLY, *more, *(_painters(spec.source) if spec.source else [])]


def _painters(source: SourceSpec) -> list[str]:
    """Modules that give a source's images, and those of its parts."""
    parts = [name for part in source.parts for name in _painters(part)]
    if source.generator:
        return [generator_class(source.generator).__module__, *parts]
    return [source_class(source.text2image or "real").__module__, *parts]


def modules(roots: Iterable[str]) -> set[str]:
    """Names of the hashed modules that ``roots`` and what they import consist of.

    Raises: ImportError for one that the library lacks: it would hash to nothing.
    """
    waiting, names = list(roots), set[str]()
    while waiting:
        name = waiting.pop()
        study = name.startswith(f"{LIBRARY}.study") and name != ASSEMBLY
        outside = name.split(".")[0] != LIBRARY
        if not (study or outside or name in NEUTRAL or name in names):
            names.add(name)
            waiting += _imports(name)
    return names


@cache
def tree(module: str) -> ast.Module:
    """The syntax tree of a module. Raises ImportError for one that the library lacks."""
    if module not in FILES:
        raise ImportError(f"the library has no module {module}")
    return _without_offers(ast.parse(FILES[module].read_text(encoding="utf-8")), module)


def _without_offers(whole: ast.Module, module: str) -> ast.Module:
    """A module's tree without the imports of :data:`OFFERED` whose names it only passes on, and
    without these names in its ``__all__``."""
    used = {node.id for node in ast.walk(whole) if isinstance(node, ast.Name)}
    offers = {
        node: {alias.asname or alias.name for alias in node.names}
        for node in whole.body
        if isinstance(node, ast.ImportFrom) and _origin(node, module) in OFFERED
    }
    offers = {node: names for node, names in offers.items() if not names & used}
    gone = set[str]().union(*offers.values())
    whole.body = [node for node in whole.body if node not in offers]
    for node in whole.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=listed)):
                kept = [e for e in listed if not (isinstance(e, ast.Constant) and e.value in gone)]
                listed[:] = kept
    return whole


def _origin(node: ast.ImportFrom, module: str) -> str:
    """The module that an import is from."""
    package = module if FILES[module].stem == "__init__" else module.rpartition(".")[0]
    return resolve_name("." * node.level + (node.module or ""), package)


@cache
def _imports(module: str) -> set[str]:
    """Names of the modules that a module imports, in any form."""
    names = set[str]()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, module)
            names |= {origin} | FILES.keys() & {f"{origin}.{alias.name}" for alias in node.names}
    return names


@cache
def _digest(module: str) -> str:
    return files.digest(plain(tree(module)))


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
LOOPS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
Names = dict[str, str]  # of the local variables in sight, with what stands for them


def plain(node: Any, names: Names | None = None) -> Any:
    """A syntax tree as nested lists that every Python gives alike, without what moves no number."""
    names = names or {}
    match node:
        case list():
            return [plain(each, names) for each in node]
        case ast.Name(id=name, ctx=context):
            return ["Name", names.get(name, name), type(context).__name__]
        case ast.Nonlocal(names=others):
            return ["Nonlocal", sorted(names.get(name, name) for name in others)]
        case ast.ExceptHandler(type=kind, name=str(name), body=body):
            return ["ExceptHandler", names.get(name, name), plain(kind, names), plain(body, names)]
        case ast.AST():
            return [type(node).__name__, *_fields(node, names)]
    return repr(node)


def _fields(node: ast.AST, names: Names) -> Iterator[list[Any]]:
    inner = _inside(node, names) if isinstance(node, FUNCTIONS + LOOPS) else names
    for name, value in ast.iter_fields(node):
        if value in (None, []) or name in ("kind", "type_comment", "returns"):
            continue  # newer Pythons have fields that older ones lack, empty where not used
        if name == "annotation" and (isinstance(node, ast.arg) or names):
            continue
        match name, value:
            case "body", [ast.Expr(ast.Constant(str())), *rest]:  # but for the docstring
                value = rest
        # decorators, defaults and what a comprehension goes over first belong to what is around
        content = plain(value, names if name in ("decorator_list", "args") else inner)
        if name == "generators":
            content[0][2] = ["iter", plain(value[0].iter, names)]
        yield [name, content]


def _inside(node: Any, names: Names) -> Names:
    """Names inside a function or comprehension. Its arguments keep theirs, for callers may give
    them by name; variables get numbers by their first binding, which none around them has."""
    arguments, outer, local = set[str](), set[str](), list[str]()
    if isinstance(node, LOOPS):
        targets = [n for each in node.generators for n in ast.walk(each.target)]
        local = [n.id for n in targets if isinstance(n, ast.Name)]
    else:
        arguments = {n.arg for n in ast.walk(node.args) if isinstance(n, ast.arg)}
        for each in _own_nodes(node.body if isinstance(node.body, list) else [node.body]):
            match each:
                case ast.Global(names=others) | ast.Nonlocal(names=others):
                    outer |= set(others)
                case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                    local.append(name)
                case ast.ExceptHandler(name=str(name)):
                    local.append(name)
    start = 1 + max((int(number[1:]) for number in names.values()), default=-1)
    own = dict.fromkeys(name for name in local if name not in arguments | outer)
    numbers = {name: f"·{start + i}" for i, name in enumerate(own)}
    return {name: names[name] for name in names if name not in arguments} | numbers


def _own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Nodes of a function's body in order, not those of functions and comprehensions in it."""
    for node in body:
        yield node
        if isinstance(node, LOOPS):  # what := binds in it is the function's
            yield from (n.target for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
        elif not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield from _own_nodes(ast.iter_child_nodes(node))
