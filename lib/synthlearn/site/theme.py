"""The theme's pages without its icon font, and code behind quiet folds.

A Sphinx extension, named in ``_config.yml``.
"""

import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode

from ..core import files

ICON_FONT = "_static/vendor/fontawesome"
# `_static/icons.css` draws the dozen icons in use: the theme's font and script for them have 2 MB
ICON_LINK = re.compile(rf"\s*<(?:link|script)\b[^>]*{ICON_FONT}[^>]*>(?:\s*</script>)?")


def setup(app: Any) -> dict[str, bool]:
    """Register both with Sphinx."""
    app.add_node(HideCodeCellNode, override=True, html=(_open_fold, _close_fold))
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _open_fold(writer: Any, node: nodes.Element) -> None:
    """A hidden cell or its code is one small line; its words are those of ``build.PROMPTS``."""
    words = node["prompt_show"]
    writer.body.append(f'<details class="fold {words.lower()}"><summary>{words}</summary>\n')


def _close_fold(writer: Any, node: nodes.Element) -> None:
    writer.body.append("</details>\n")


def _finish(app: Any, error: Exception | None) -> None:
    if error is None:
        drop_icon_font(Path(app.outdir))


def drop_icon_font(html: Path) -> None:
    """Take the theme's icon font and script out of built pages."""
    shutil.rmtree(html / Path(ICON_FONT).parent, ignore_errors=True)
    for path in html.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if ICON_FONT in text:
            files.write_text(path, ICON_LINK.sub("", text))
