"""Formulas of chapters: all that the notebooks hold can be drawn, and is drawn as MathML."""

import re
from types import SimpleNamespace

import pytest
from docutils import nodes

from synthlearn.core import files
from synthlearn.site import mathml

DISPLAYED = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
INLINE = re.compile(r"(?<![\$\\])\$([^\$\n]+)\$(?!\$)")


def formulas(pattern):
    for path in sorted((files.root() / "notebooks").glob("*.py")):
        text = "\n".join(re.findall(r"^# ?(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE))
        yield from pattern.findall(DISPLAYED.sub("", text) if pattern is INLINE else text)


def rendered():
    """What Sphinx is given for formulas in the text and for displayed ones."""
    renderers = {}

    def add(name, inline, block):
        renderers[name] = (inline[0], block[0])

    mathml.setup(SimpleNamespace(add_html_math_renderer=add))
    return renderers["mathml"]


@pytest.mark.parametrize("kind", [INLINE, DISPLAYED], ids=["inline", "displayed"])
def test_every_formula_of_the_chapters_is_drawn(kind):
    every = list(formulas(kind))
    assert every
    for formula in every:
        writer = SimpleNamespace(body=[])
        draw = rendered()[kind is DISPLAYED]
        node = (nodes.math_block if kind is DISPLAYED else nodes.math)("", formula)
        with pytest.raises(nodes.SkipNode):
            draw(writer, node)
        drawn = "".join(writer.body)
        assert drawn.count("<math") == 1 and (kind is DISPLAYED) == ('display="block"' in drawn)
        assert "\\" not in drawn, formula  # no command is left as it was


def test_both_bars_of_a_norm_are_as_high_but_for_left_and_right():
    norm, ratio = r"\lVert x_i - y_i \rVert^2 + |x|", r"\left| \frac{x}{y} \right|"
    assert mathml.markup(norm).count('stretchy="false" lspace="0"') == 4
    assert mathml.markup(ratio).count('stretchy="true"') == 2
