"""The pages of the API: every public name is there, and docstrings keep what they say."""

import importlib
import inspect
import re

import docutils.core
import docutils.utils
import pytest

import synthlearn as sl
from synthlearn.core import augment, files
from synthlearn.site import api

PAGES = sorted((files.root() / "book" / "api").glob("*.md"))
DIRECTIVE = re.compile(r"\.\. automodule:: (\S+)\n((?:   :.*\n)*)")
MODULES = {
    name: options for page in PAGES for name, options in DIRECTIVE.findall(page.read_text("utf-8"))
}


def public(module):
    """What a page shows of a module, by name: all that it offers, else what it defines."""
    names = getattr(module, "__all__", None) or [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", "") == module.__name__
    ]
    things = {name: getattr(module, name) for name in names}
    return {
        name: thing
        for name, thing in things.items()
        if inspect.isclass(thing) or inspect.isfunction(thing)
    }


def docstrings():
    for name in MODULES:
        for thing in public(importlib.import_module(name)).values():
            yield thing, inspect.cleandoc(thing.__doc__).splitlines()


def test_every_module_of_the_face_has_its_place():
    assert {f"synthlearn.{where}" for where in sl.FACE.values()} <= set(MODULES)
    for name, options in MODULES.items():
        module = importlib.import_module(name)
        elsewhere = [t for t in public(module).values() if t.__module__ != name]
        assert bool(elsewhere) == (":imported-members:" in options), name
    sections = (files.root() / "_toc.yml").read_text("utf-8")
    overview = (files.root() / "book" / "api.md").read_text("utf-8")
    for page in PAGES:
        assert f"book/api/{page.stem}\n" in sections and f"(api/{page.stem})" in overview


def test_every_public_name_says_what_it_is():
    for name in MODULES:
        for called, thing in public(importlib.import_module(name)).items():
            assert (thing.__doc__ or "").strip(), f"{name}.{called}"


def test_docstrings_keep_every_word_and_every_example():
    for thing, lines in docstrings():
        text = api.restructured(lines)
        examples = [line for line in lines if line.startswith((">>> ", "... "))]
        assert [line for line in text if line.startswith((">>> ", "... "))] == examples, thing
        words = re.findall(r"\w+", api.ROLE.sub(r"\1", "\n".join(lines)))
        after = re.findall(r"\w+", "\n".join(text).replace("\\_", "_"))
        assert sorted(after) == sorted(word for word in words if word != "Args"), thing


def test_docstrings_are_markup_that_sphinx_can_read():
    for thing, lines in docstrings():
        source = "\n".join(api.restructured(lines))
        document = docutils.core.publish_doctree(
            source, settings_overrides={"report_level": 5, "output_encoding": "unicode"}
        )
        problems = [n.astext() for n in document.findall(docutils.nodes.system_message)]
        assert not problems, (thing, problems)


@pytest.mark.parametrize("text", ["a*b*c", "|x|", "x_ and `y`", r"\n", "*", "_z_"])
def test_what_looks_like_markup_is_shown_as_it_is(text):
    document = docutils.core.publish_doctree("\n".join(api.restructured([f"Of {text} here."])))
    assert document.astext() == f"Of {text} here."


def test_items_of_a_list_stay_items():
    lines = ["A dict:", "", "- ``a``: of *all*,", "  and more;", "- ``b``: 2*n*k."]
    document = docutils.core.publish_doctree("\n".join(api.restructured(lines)))
    items = [item.astext() for item in document.findall(docutils.nodes.list_item)]
    assert items == ["a: of all, and more;", "b: 2*n*k."]
    assert [each.astext() for each in document.findall(docutils.nodes.emphasis)] == ["all"]


def test_no_words_of_pythons_own_are_shown():
    fields = [value for name, value in vars(augment.Parameters).items() if name in ("top", "grey")]
    assert [api._skip(None, "class", "", each, False, None) for each in fields] == [True, True]
    assert api._skip(None, "class", "", augment.Parameters, False, None) is None
    made = "(options: ~typing.Any = <factory>)"
    signature, returns = api._signature(None, "class", "", None, None, made, None)
    assert (signature, returns) == ("(options: ~typing.Any = ...)", None)
    assert api._signature(None, "data", "", None, None, None, None) == (None, None)
