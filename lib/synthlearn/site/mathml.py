"""Formulas as MathML, which browsers draw themselves: a page fetches no code for them.

A Sphinx extension, named in ``_config.yml``.
"""

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

# ‖ or |, but not of \left and \right
BAR = re.compile(r'<mo(?![^>]*"true")[^>]*>(&#x02016;|&#x0007C;)</mo>')


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer ``mathml`` with Sphinx."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(markup(node.astext()))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="formula">{markup(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def markup(formula: str, display: str = "inline") -> str:
    """A formula in LaTeX as MathML.

    Bars are as high as a letter and close to what they hold: left to themselves browsers stretch
    the first of a pair over the line, since the second, which carries the exponent, is no partner.

    >>> markup(r"\\lVert x \\rVert^2").count('stretchy="false"')
    2
    """
    bar = r'<mo fence="false" stretchy="false" lspace="0" rspace="0">\1</mo>'
    return BAR.sub(bar, convert(formula, display=display))
