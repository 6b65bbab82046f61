"""Outputs as Jupyter shows them: the site's styles, and links to notebooks instead of pages."""

import re
import sys

from ..core import files

STYLE = "<style id='synthlearn'>"  # how the output with the styles begins
# the site's colours, by those of Jupyter's theme or, elsewhere, plain ones
COLOURS = {
    "accent": "var(--jp-brand-color1, #0969da)",
    "background": "var(--jp-layout-color0, #fff)",
    "border": "var(--jp-border-color2, #ccc)",
    "link": "var(--jp-content-link-color, #0969da)",
    "primary": "var(--jp-brand-color1, #0969da)",
    "success": "var(--jp-success-color1, #16683a)",
    "surface": "var(--jp-layout-color2, #f3f4f5)",
    "text-base": "var(--jp-content-font-color1, #222)",
    "text-muted": "var(--jp-ui-font-color2, #5a5f66)",
}
# places of the site and of the checkout
PLACES = (
    (r"(\d\d_\w+)\.html", r"(\d\d_\w+)\.ipynb"),
    (r"\.\./book/([\w/]+)\.html", r"\.\./book/([\w/]+)\.md"),
    (
        r"\.\./_static/((?:records|twins|measurements|search)/)",
        r"\.\./results/((?:records|twins|measurements|search)/)",
    ),
)


def style() -> str:
    """The site's style sheet for outputs in Jupyter, light and dark."""
    colours = "".join(f"--pst-color-{name}: {value}; " for name, value in COLOURS.items())
    path = files.root() / "book" / "_static" / "synthlearn.css"
    sheet = path.read_text(encoding="utf-8") if path.is_file() else ""
    for theme, light in (("dark", "false"), ("light", "true")):
        sheet = sheet.replace(f'html[data-theme="{theme}"]', f'body[data-jp-theme-light="{light}"]')
    return f"{STYLE}:root {{ {colours}}}\n{sheet}</style>"


def show_style() -> None:
    """Show the styles, where a notebook runs; the site, which has them, drops this output."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None and hasattr(shell, "kernel"):
        from IPython.display import display

        display({"text/html": style(), "text/plain": ""}, raw=True)


def for_jupyter(html: str) -> str:
    """HTML whose links lead to files of the checkout.

    >>> for_jupyter("<a href='94_records.html#real'>51.2</a>")
    "<a href='94_records.ipynb#real'>51.2</a>"
    """
    return _moved(html, [(page, _plain(file)) for page, file in PLACES])


def for_site(html: str) -> str:
    """The same HTML with links to pages of the site.

    >>> for_site(for_jupyter("<a href='94_records.html#real'>51.2</a>"))
    "<a href='94_records.html#real'>51.2</a>"
    """
    return _moved(html, [(file, _plain(page)) for page, file in PLACES])


def _moved(html: str, places: list[tuple[str, str]]) -> str:
    for place, target in places:
        html = re.sub(rf"href=(['\"]){place}", rf"href=\1{target}", html)
    return html


def _plain(pattern: str) -> str:
    """A pattern with one group as what replaces it."""
    return re.sub(r"\((?:[^()]|\([^()]*\))*\)", r"\\2", pattern).replace(r"\.", ".")
