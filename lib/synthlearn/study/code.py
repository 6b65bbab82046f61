"""The code hash: what of the library decides a record, as one number.

It is taken over the syntax trees of every module that a run executes, found from the functions that
run by following imports. It is blind to what moves no number: docstrings, comments, positions,
annotations, and the names of local variables. What is called by name (a generator, a method, a
measurement) counts where the spec names it; what :data:`NEUTRAL` holds never does.
"""

import ast
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from ..core import files
from ..core.augment import Augmentation
from ..data import source_class
from ..data.datasets import load
from ..generators import generator_class
from ..learn.methods import METHODS
from ..learn.train import Training
from ..measure import probe
from ..measure.base import MEASUREMENTS
from . import assembly
from .records import SourceSpec, Spec

LIBRARY = __package__.rpartition(".")[0]
FOLDER = Path(__file__).parents[1]
# These move bytes, messages and bars, or find things by their names: no number depends on them.
NEUTRAL = {
    f"{LIBRARY}.core.{name}" for name in ("errors", "files", "progress", "registry", "vision")
}
# Of the study the assembly of a run is hashed; what the rest of it decides stands in the spec.
ASSEMBLY = assembly.__name__
Thing = Callable[..., Any] | type


def code_of(spec: Spec) -> str:
    """The code hash of a record's spec: of training and probing, or of the measurement it names."""
    return _hash(frozenset(thing.__module__ for thing in things(spec)))


def things(spec: Spec) -> list[Thing]:
    """Functions and classes that a job of this spec runs, from which all others are reached."""
    if spec.measurement:
        every: list[Thing] = [MEASUREMENTS[spec.measurement]]
    else:
        every = [load, probe.measure]
        if spec.method:
            every += [Training, Augmentation, METHODS[spec.method]]
    if spec.source is not None:
        every += _sources(spec.source)
    return [*every, assembly.training]


def _sources(spec: SourceSpec) -> list[Thing]:
    """Classes that give a source's pictures, and those of its parts."""
    parts = [thing for part in spec.parts for thing in _sources(part)]
    if spec.generator:
        return [generator_class(spec.generator), *parts]
    return [source_class(spec.text2image or "real"), *parts]


def modules(roots: Iterable[str]) -> set[str]:
    """Names of the modules that ``roots`` and what they import consist of.

    Raises: ImportError for a module that does not exist: it would hash to nothing.
    """
    waiting, names = list(roots), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in names and not _neutral(name):
            names.add(name)
            waiting += _imports(name)
    return names


@cache
def _hash(roots: frozenset[str]) -> str:
    return files.digest({name: _digest(name) for name in modules(roots)})


@cache
def _digest(module: str) -> str:
    return files.digest(plain(tree(module)))


@cache
def tree(module: str) -> ast.Module:
    """The syntax tree of a module. Raises ImportError for one that does not exist."""
    return ast.parse(_file(module).read_text(encoding="utf-8"))


def _neutral(name: str) -> bool:
    outside = name != LIBRARY and not name.startswith(LIBRARY + ".")
    study = name.startswith(f"{LIBRARY}.study") and name != ASSEMBLY
    return outside or study or name in NEUTRAL


def _file(name: str) -> Path:
    """Where a module of the library lives; to import it would bring what it brings, as torchvision.

    Raises: ImportError for one that does not exist.
    """
    if (path := _place(name)) is None:
        raise ImportError(f"the library has no module {name}")
    return path


def _place(name: str) -> Path | None:
    base = FOLDER.joinpath(*name.split(".")[1:])
    candidates = (base / "__init__.py", base.with_name(f"{base.name}.py"))
    return next((path for path in candidates if path.is_file()), None)


@cache
def _imports(module: str) -> frozenset[str]:
    """Names of the library's modules that a module imports, in any form."""
    package = module if _file(module).name == "__init__.py" else module.rpartition(".")[0]
    names = set[str]()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if _ours(alias.name)}
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            if _ours(origin):
                inner = (f"{origin}.{alias.name}" for alias in node.names)
                names |= {origin, *filter(_place, inner)}
    return frozenset(names)


def _ours(name: str) -> bool:
    return name == LIBRARY or name.startswith(LIBRARY + ".")


def plain(node: Any, names: dict[str, str] | None = None) -> Any:
    """A syntax tree as nested lists that every Python gives alike, without what moves no number.

    ``names``: of the local variables in sight, with what stands for them.
    """
    names = names or {}
    if isinstance(node, list):
        return [plain(each, names) for each in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Name):
        return ["Name", names.get(node.id, node.id), type(node.ctx).__name__]
    if isinstance(node, ast.Nonlocal):
        return ["Nonlocal", sorted(names.get(name, name) for name in node.names)]
    if isinstance(node, ast.ExceptHandler) and node.name:
        caught = names.get(node.name, node.name)
        return ["ExceptHandler", caught, plain(node.type, names), plain(node.body, names)]
    inner = names
    scope = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    if scope:
        inner = _in_scope(node, names)
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        targets = [t for each in node.generators for t in _stored(each.target)]
        inner = {**names, **_numbered(targets, names)}
    function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    fields = []
    for name, value in ast.iter_fields(node):
        if value is None or value == [] or name in ("kind", "type_comment"):
            continue  # newer Pythons have fields that older ones lack, empty where not used
        if name == "annotation" and (isinstance(node, ast.arg) or names):
            continue
        if function and name == "returns":
            continue
        if name == "body" and isinstance(value, list):
            value = _without_docstring(value)
        # decorators and defaults belong to what is around
        outside = scope and name in ("decorator_list", "args")
        content = plain(value, names if outside else inner)
        if name == "generators":  # so does what a comprehension goes over first
            around = ["iter", plain(value[0].iter, names)]
            content[0] = [around if each[0] == "iter" else each for each in content[0]]
        fields.append([name, content])
    return [type(node).__name__, *fields]


def _without_docstring(body: list[Any]) -> list[Any]:
    match body:
        case [ast.Expr(ast.Constant(str())), *rest]:
            return rest
    return body


def _in_scope(node: ast.AST, names: dict[str, str]) -> dict[str, str]:
    """Names that stand for local variables inside a function: arguments keep theirs, for callers
    may give them by name.
    """
    signature: ast.arguments = node.args  # type: ignore[attr-defined]
    arguments = {arg.arg for arg in ast.walk(signature) if isinstance(arg, ast.arg)}
    kept, local = set(arguments), list[str]()
    body = node.body if isinstance(node.body, list) else [node.body]  # type: ignore[attr-defined]
    for each in _own_nodes(body):
        if isinstance(each, ast.Global | ast.Nonlocal):
            kept |= set(each.names)
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store | ast.Del):
            local.append(each.id)
        elif isinstance(each, ast.ExceptHandler) and each.name:
            local.append(each.name)
    outer = {name: value for name, value in names.items() if name not in arguments}
    return {**outer, **_numbered([n for n in local if n not in kept], names)}


def _own_nodes(body: list[Any]) -> Iterable[ast.AST]:
    """Nodes of a function's body in order, not those of functions and comprehensions in it."""
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    loops = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    for node in body:
        yield node
        if not isinstance(node, scopes + loops):
            yield from _own_nodes(list(ast.iter_child_nodes(node)))
        elif isinstance(node, loops):  # what := binds in it is the function's
            walrus = (n for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
            yield from (n.target for n in walrus)


def _stored(target: ast.AST) -> list[str]:
    return [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]


def _numbered(local: Iterable[str], outer: dict[str, str]) -> dict[str, str]:
    """Each name in the order of its first binding, with a number that none around it has."""
    start = 1 + max((int(number[1:]) for number in outer.values()), default=-1)
    return {name: f"·{start + i}" for i, name in enumerate(dict.fromkeys(local))}
