"""Options and other values from outside: types, bounds and messages of the one validator."""

import math
from dataclasses import dataclass, fields
from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from synthlearn import generators
from synthlearn.core import options
from synthlearn.core.errors import ParameterError


@dataclass(frozen=True)
class Base(options.Options):
    """Of every type."""

    name: str
    whole: int = 1
    part: float = 0.5
    on: bool = False
    colour: str = "red"
    free: int = 0
    allowed: ClassVar = {"colour": ("red", "green")}
    at_least: ClassVar = {"whole": 1, "part": 0.0}
    at_most: ClassVar = {"whole": 1000, "part": 1.0}


@dataclass(frozen=True)
class More(Base):
    """Bounds of its own field alone."""

    names: "list[str] | None" = None
    weights: "dict[str, float] | None" = None
    numbers: "list[int] | None" = None
    depth: int = 2
    at_least: ClassVar = {"depth": 2}


def built(**given):
    return options.build(More, "a thing", {"name": "x", **given})


def test_generators_methods_and_captions_share_one_base():
    from synthlearn.data.sources import SOURCES
    from synthlearn.learn.methods.base import METHODS

    captions = [kind for _, kind in SOURCES.items() if kind.kind == "text2image"]
    assert len(captions) == 4
    kinds = [generators.generator_class(name).Options for name in generators.names()]
    kinds += [kind.Options for kind in (*captions, *(kind for _, kind in METHODS.items()))]
    assert generators.Options is options.Options
    assert all(issubclass(kind, options.Options) for kind in kinds)


def test_a_subclass_keeps_the_bounds_of_its_bases():
    assert More.at_least == {"whole": 1, "part": 0.0, "depth": 2} and More.at_most == Base.at_most
    assert Base.at_least == {"whole": 1, "part": 0.0} and More.allowed == Base.allowed


@pytest.mark.parametrize(
    ("given", "must"),
    [
        ({"whole": 0}, "a whole number from 1 to 1,000"),
        ({"whole": 2.0}, "a whole number from 1 to 1,000"),
        ({"whole": True}, "a whole number from 1 to 1,000"),
        ({"whole": 1001}, "a whole number from 1 to 1,000"),
        ({"free": 2**63}, r"a whole number from -2\^63 to 2\^63 - 1"),
        ({"free": -(2**63) - 1}, r"a whole number from -2\^63 to 2\^63 - 1"),
        ({"depth": 1}, r"a whole number from 2 to 2\^63 - 1"),
        ({"part": math.nan}, "a number from 0 to 1"),
        ({"part": math.inf}, "a number from 0 to 1"),
        ({"part": 10**400}, "a number from 0 to 1"),
        ({"part": 10**5000}, "a number from 0 to 1"),
        ({"part": True}, "a number from 0 to 1"),
        ({"on": 1}, "true or false"),
        ({"on": "true"}, "true or false"),
        ({"colour": "blue"}, "one of 'red', 'green'"),
        ({"colour": ["red"]}, "one of 'red', 'green'"),
        ({"colour": 1}, "one of 'red', 'green'"),
        ({"name": 1}, "a text"),
        ({"name": None}, "a text"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(given, must):
    (option,) = given
    with pytest.raises(ParameterError, match=f"^option {option} = .{{1,80}}: must be {must}$"):
        built(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"names": [1]},
        {"names": "ab"},
        {"names": ["a", None]},
        {"numbers": [1.5]},
        {"numbers": [True]},
        {"numbers": [2**63]},
        {"weights": {"a": "1"}},
        {"weights": {"a": math.nan}},
        {"weights": {1: 1.0}},
        {"weights": [1]},
    ],
)
def test_elements_of_lists_and_tables_have_types_too(given):
    (option,) = given
    with pytest.raises(ParameterError, match=f"^option {option} = "):
        built(**given)
    good = built(names=["a"], numbers=[1], weights={"a": 1})
    assert good.names == ["a"] and good.weights == {"a": 1}  # as given: records hold them


def test_whole_numbers_serve_as_numbers_and_become_such():
    assert type(built(part=1).part) is float and built(part=1) == built(part=1.0)


@pytest.mark.parametrize("option", ["self", "kind", "owner", "given", "", "pert"])
def test_unknown_and_missing_options_are_named(option):
    known = "name, whole, part, on, colour, free, names, weights, numbers, depth"
    with pytest.raises(
        ParameterError, match=f"^unknown option '{option}' of a thing: allowed are {known}$"
    ):
        built(**{option: 1})
    with pytest.raises(ParameterError, match=r"^a thing needs the option 'name'$"):
        options.build(More, "a thing", {})


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(option=st.sampled_from([field.name for field in fields(More)]), value=anything)
def test_whatever_is_given_is_taken_or_refused_in_one_line(option, value):
    try:
        taken = getattr(built(**{option: value}), option)
    except ParameterError as error:
        assert "\n" not in str(error) and str(error).startswith(f"option {option} = ")
    else:
        assert taken == value and (not isinstance(value, float) or math.isfinite(value))


def test_what_is_shown_of_a_value_is_short_and_one_line():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value in ("a\nb" * 100, 10**5000, deep, [1] * 1000):
        text = options.shown(value)
        assert len(text) <= options.SHOWN and "\n" not in text


@pytest.mark.parametrize("value", [1.5, True, "3", None, 2, 11, 10**30, math.nan, [3]])
def test_a_whole_number_lies_between_its_bounds(value):
    with pytest.raises(ParameterError, match=r"^count = .*: must be a whole number from 3 to 10$"):
        options.whole("count", value, 3, 10)
    assert options.whole("count", 3, 3, 10) == 3 and options.whole("count", 10, 3, 10) == 10


@pytest.mark.parametrize("value", [0.5, 3.5, True, "1", None, 10**400, math.nan, math.inf])
def test_a_number_lies_between_its_bounds(value):
    with pytest.raises(ParameterError, match=r"^share = .*: must be a number from 1 to 3$"):
        options.number("share", value, 1, 3)
    assert options.number("share", 1, 1, 3) == 1.0


def test_auto_is_a_card_where_there_is_one_and_the_processor_elsewhere(monkeypatch):
    assert options.the_device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert options.the_device("auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert options.the_device("auto") == "cuda"
    with pytest.raises(ParameterError, match="device = 'gpu': not on this machine; present: cpu"):
        options.the_device("gpu")
