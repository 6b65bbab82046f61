"""The code hash: blind to what moves no number, and to nothing that a run executes."""

import ast
import copy
import dataclasses
import functools
import json
import sys
from textwrap import dedent

import pytest

from synthlearn.core import files
from synthlearn.generators import generator_class, names
from synthlearn.learn import reference
from synthlearn.learn.encoders import SmallAlexNet
from synthlearn.measure import private
from synthlearn.measure.base import MEASUREMENTS
from synthlearn.study import code, measuring, resolve
from synthlearn.study.experiment import Experiment
from synthlearn.study.measuring import Measuring
from synthlearn.study.records import Spec
from synthlearn.study.rows import get_row

TINY = {"n_images": 32, "epochs": 1, "batch_size": 16, "width": 1 / 16, "per_class": 20}
# a row whose pictures guidance has a part in, and one of few features
ROWS = {"guidance": "mosaic-named.w2", "transfer": "random", "neutral": "noise-white"}
FEWER = {
    "private": {"epsilons": [8.0]},
    "fine_tuning": {"epochs": [1]},
    "initialisation": {"per_class": [5], "updates": 1},
}


class Eye(SmallAlexNet):
    """Stands for the reference."""

    def __init__(self):
        super().__init__(1 / 16, 32)

    def features(self, x, taps=()):
        return {taps[0]: super().features(x, ("conv5",))["conv5"]}


def plain(text):
    return code.plain(ast.parse(dedent(text)))


SOURCE = """
    from . import rng

    def f(x, *, scale=2):
        '''Old words.'''
        total = 0
        for each in x:
            total = total + scale * each.size
        return rng.draw(total, x, key=3)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Old words.", "New words."),
        ("'''Old words.'''", "# no docstring"),
        ("\n\n", "\n\n\n    # why\n"),
        ("def f(x, *, scale=2):", "def f(x: list[int], *, scale: float = 2) -> int:"),
        (
            "rng.draw(total, x, key=3)",
            "rng.draw(\n            total,\n            x,\n            key=3)",
        ),
        ("total", "t"),
        ("each", "one"),
    ],
)
def test_what_moves_no_number_is_not_seen(old, new):
    assert old in SOURCE
    assert plain(SOURCE) == plain(SOURCE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("total = 0", "total = 1"),
        ("scale=2", "scale=3"),
        ("key=3", "key=3.0"),
        ("total + scale", "total - scale"),
        ("rng.draw", "rng.choose"),
        ("from . import rng", "from . import other as rng"),
        ("x, *, scale", "y, *, scale"),
        ("key=3", "seed=3"),
        (".size", ".length"),
        ("*, scale", "scale"),
        ("return", "yield"),
        ("(total, x", "(x, total"),
        ("scale * each", "each * scale"),
        ("def f", "def g"),
        ("for each in x", "for each in total"),
    ],
)
def test_the_rest_is_seen(old, new):
    assert old in SOURCE
    assert plain(SOURCE) != plain(SOURCE.replace(old, new))


RENAMED = {
    "nested function": """
        def f(x):
            OLD = x + 1
            def inner(y):
                z = OLD + y
                return z
            return inner(OLD)
        """,
    "local of a nested function": """
        def f(x):
            a = x + 1
            def inner(y):
                OLD = a + y
                return OLD - a
            return inner(a)
        """,
    "lambda": "def f(x):\n    OLD = x + 1\n    return lambda y: y + OLD",
    "default of a lambda": "def f(x):\n    OLD = x + 1\n    return lambda x=OLD: x",
    "default of a function": """
        def f(x):
            OLD = x + 1
            def inner(x=OLD):
                return x
            return inner
        """,
    "list": "def f(x):\n    return [OLD + 1 for OLD in x if OLD]",
    "outside of a function": "A = [OLD + 1 for OLD in range(3)]",
    "set of pairs": "def f(x):\n    return {OLD - b for OLD, b in x}",
    "table": "def f(x):\n    return {OLD: v for OLD, v in x.items()}",
    "generator of pairs": "def f(x):\n    return sum(OLD * a for a in x for OLD in a)",
    "exception": """
        def f(x):
            try:
                return x()
            except ValueError as OLD:
                raise KeyError(str(OLD)) from OLD
        """,
    "walrus": "def f(x):\n    if (OLD := x()) > 1:\n        return OLD\n    return x",
    "walrus in a list": "def f(x):\n    a = [OLD for y in x if (OLD := y())]\n    return a, OLD",
    "nonlocal": """
        def f(x):
            OLD = 0
            def inner():
                nonlocal OLD
                OLD += 1
                return OLD
            return inner
        """,
    "with, for, del": """
        def f(x):
            with x as OLD:
                for a in OLD:
                    del a
            return OLD
        """,
    "annotated": "def f(x):\n    OLD: int = 0\n    return OLD",
    "method": "class A:\n    def f(self, x):\n        OLD = x\n        return OLD + self.x",
}


@pytest.mark.parametrize("source", RENAMED.values(), ids=RENAMED)
def test_names_of_local_variables_are_not_seen(source):
    expected = plain(source.replace("OLD", "fresh"))
    assert plain(source.replace("OLD", "other")) == expected
    assert plain(source.replace("OLD", "aaa")) == expected


def test_annotations_of_local_variables_are_not_seen():
    one, other = (f"def f(x):\n    a: {kind} = x\n    return a" for kind in ("int", "float"))
    assert plain(one) == plain(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x): return x", "def f(y): return y"),  # callers may give it by name
        ("def f(): return a", "def f(): return b"),
        ("a = 1", "b = 1"),
        ("def f():\n    a = 1\n    return g(a=a)", "def f():\n    a = 1\n    return g(b=a)"),
        (
            "def f():\n    global a\n    a = 1\n    return a",
            "def f():\n    global b\n    b = 1\n    return b",
        ),
        ("class A:\n    a = 1", "class A:\n    b = 1"),
        ("class A:\n    a: int", "class A:\n    a: float"),  # of a dataclass it may decide
        (
            "def f():\n    a = 1\n    b = 2\n    return a - b",
            "def f():\n    a = 1\n    b = 2\n    return b - a",
        ),
        # what a comprehension goes over is not its own variable
        ("def f(x, y): return [x for x in x]", "def f(x, y): return [y for y in y]"),
        # one lambda's default is a local, the other's is not
        (
            "def f():\n    x = 1\n    return lambda x=x: x",
            "def f():\n    y = 1\n    return lambda x=x: x",
        ),
        # two variables never have one name, hidden ones or not
        (
            "def f(b, c):\n    x = 0\n    return x, [[a - x for a in b] for x in c]",
            "def f(b, c):\n    x = 0\n    return x, [[x - a for a in b] for x in c]",
        ),
    ],
)
def test_names_that_others_see_and_which_variable_is_meant_are_seen(one, other):
    assert plain(one) != plain(other)


def test_no_field_of_a_newer_python_is_in_it():
    (function,) = ast.parse("def f(): return 1").body
    assert code.plain(function)[1:3] == [["name", "'f'"], ["args", ["arguments"]]]


def test_an_unknown_module_raises():
    """It would hash to nothing."""
    with pytest.raises(ImportError, match=r"synthlearn\.nowhere"):
        code.modules(["synthlearn.nowhere"])


def test_the_hash_follows_the_rows_own_generator_alone():
    def of(generator, *parts):
        source = {"generator": generator, "parts": [{"generator": name} for name in parts]}
        return code.code_of(Spec({"source": source}))

    leaves = of("dead_leaves-mixed")
    assert len(leaves) == 64
    assert leaves == of("dead_leaves-squares") != of("noise-white")
    assert of("mixture", "noise-white") != of("mixture", "dead_leaves-mixed")
    # of another family, which this one is made of
    assert of("dead_leaves-textures", "stat-wmm") == of("dead_leaves-textures")


# --- what runs is hashed ---


def executed(job):
    """Modules of the library of which a call runs a function."""
    names = set()

    def see(frame, event, argument):
        names.add(frame.f_globals.get("__name__", ""))

    before = sys.gettrace()
    sys.settrace(see)
    try:
        job()
    finally:
        sys.settrace(before)
    return {name for name in names if name.split(".")[0] == code.LIBRARY}


def hashed(spec):
    return code.modules(code.roots(spec))


def not_hashed(names, spec):
    """Those whose change would go unseen. What the study itself decides stands in the spec."""
    study = {name for name in names if name.startswith(f"{code.LIBRARY}.study")}
    return names - (study - {code.ASSEMBLY}) - code.NEUTRAL - hashed(spec)


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    """Tiny, over encoders that all tests of this file share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTHLEARN_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield resolve("smoke", device="cpu", **TINY)


@pytest.mark.parametrize("name", list(MEASUREMENTS))
def test_all_that_a_measurement_executes_is_hashed(name, profile, monkeypatch):
    few = functools.partial(private.choose, settings=private.SETTINGS[:1])
    monkeypatch.setattr(private, "choose", few)
    monkeypatch.setattr(private, "NOISES", 2)
    monkeypatch.setattr(private, "noise_multiplier", lambda epsilon, steps: 1.0)  # imports opacus
    if name == "neutral":  # whose network is large, and need not be here
        monkeypatch.setattr(reference, "Reference", Eye)
    row = get_row(ROWS.get(name) or measuring.plans()[name].smoke[0])
    experiment = Experiment(row, profile, 0)
    job = Measuring(name, experiment)
    fewer = FEWER.get(name, {})
    job.measurement.options = dataclasses.replace(job.measurement.options, **fewer)
    if row.trained:
        experiment.trained_encoder()
    if job.measurement.of_pictures:
        experiment.reference()
    names = executed(lambda: list(job.parts()))
    assert MEASUREMENTS[name].__module__ in names
    assert not not_hashed(names, job.spec)


@pytest.mark.parametrize("row", ["noise-white", "mosaic-named.supcon", "raw_pixels"])
def test_all_that_a_run_executes_is_hashed(row, profile, monkeypatch):
    experiment = Experiment(get_row(row), profile, 1)
    # where it is made stands in the record and decides nothing
    monkeypatch.setattr("synthlearn.study.experiment.provenance", lambda spec, device: None)
    names = executed(experiment.make)
    assert code.ASSEMBLY in names
    assert not not_hashed(names, experiment.spec)


def test_only_what_looks_with_the_reference_is_hashed_with_it():
    """So that its row and its measurement have left every older record as it was."""
    module = reference.__name__
    for looking in ({"kind": "reference"}, {"what": "neutral"}):
        assert module in hashed(Spec(looking))
    for record in (files.root() / "results").rglob("*-s0.json"):
        spec = Spec(json.loads(record.read_text())["spec"])
        looks = reference.spec() in spec.content.values()
        assert (module in hashed(spec)) == looks


# --- what is hashed is seen ---


def library():
    """Names of all modules that a hash may be over."""
    roots = [kind.__module__ for _, kind in MEASUREMENTS.items()]
    roots += [generator_class(name).__module__ for name in names()]
    return sorted(code.modules([*roots, code.ASSEMBLY]))


def functions(module):
    """A module's functions and methods, not those inside them: what is plain of these is part of
    what is plain of the module."""
    tree = copy.deepcopy(code.tree(module))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    bodies = [tree.body, *(node.body for node in classes)]
    return [node for body in bodies for node in body if isinstance(node, ast.FunctionDef)]


def constants(function):
    """Constants of a function's body, but for docstrings, annotations and what stands alone."""
    idle = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Expr)}
    notes = [node for each in ast.walk(function) for node in annotations(each)]
    idle |= {id(node) for note in notes for node in ast.walk(note)}
    return [n for n in ast.walk(function) if isinstance(n, ast.Constant) and id(n) not in idle]


def annotations(node):
    each = (getattr(node, "annotation", None), getattr(node, "returns", None))
    return [note for note in each if note is not None]


def changed(function):
    """Another constant in the function, or a further statement where there is none."""
    every = constants(function)
    if every:
        every[-1].value = ("changed", every[-1].value)
    else:
        function.body.append(ast.Break())


def test_no_function_that_a_hash_is_over_can_be_altered_unseen():
    count = 0
    for module in library():
        for function in functions(module):
            before = code.plain(function)
            changed(function)
            assert code.plain(function) != before, f"{function.name} of {module}"
            count += 1
    assert count > 500


def test_a_modules_digest_is_over_all_of_its_functions():
    for module in (code.ASSEMBLY, "synthlearn.learn.losses", "synthlearn.measure.probe"):
        whole = repr(code.plain(code.tree(module)))
        every = functions(module)
        assert every and all(repr(code.plain(function)) in whole for function in every)


def test_two_local_variables_are_never_taken_for_one_another():
    """In every function of the library a variable is read in place of another."""
    count = 0
    for module in library():
        for function in functions(module):
            reads = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
            stored = {node.id for node in reads if isinstance(node.ctx, ast.Store)}
            reads = [n for n in reads if n.id in stored and isinstance(n.ctx, ast.Load)]
            for read in reads[:: max(1, len(reads) // 3)]:
                others = sorted(stored - {read.id})
                if not others:
                    continue
                before, name = code.plain(function), read.id
                read.id = others[count % len(others)]
                assert code.plain(function) != before, f"{name}, {read.id} of {function.name}"
                read.id = name
                count += 1
    assert count > 500


def test_data_sets_for_others_may_be_offered_and_what_is_used_of_them_is_seen():
    plain_face = ast.parse("from .real import R\n__all__ = ['R']")
    offering = "from .real import R\nfrom .torch_sets import Images, Stream\n"
    offering += "__all__ = ['Images', 'R', 'Stream']"
    with_offers = code._without_offers(ast.parse(offering), "synthlearn.data")
    assert code.plain(with_offers) == code.plain(plain_face)
    used = ast.parse(offering + "\nmade = Images(1)")
    assert code.plain(code._without_offers(used, "synthlearn.data")) == plain(
        offering + "\nmade = Images(1)"
    )
    assert code.OFFERED and code.FILES.keys() >= code.OFFERED
    assert not code.OFFERED & {*code.modules([code.ASSEMBLY])}
