"""Outputs in Jupyter: styled as on the site, with links to files of the checkout."""

import re

import pytest

from synthlearn.book import html, jupyter
from synthlearn.core import files
from synthlearn.site import build

SHEET = (files.root() / "book" / "_static" / "synthlearn.css").read_text("utf-8")


def notebook(*outputs):
    return {
        "cells": [
            {
                "cell_type": "code",
                "metadata": {},
                "outputs": [
                    {"output_type": "display_data", "metadata": {}, "data": {"text/html": each}}
                    for each in outputs
                ],
            }
        ],
        "metadata": {},
    }


def test_every_colour_of_the_style_sheet_has_one_in_jupyter():
    used = set(re.findall(r"var\(--pst-color-([\w-]+)", SHEET))
    assert used and used <= set(jupyter.COLOURS)
    assert "html[data-theme" not in jupyter.style() and SHEET[:80] in jupyter.style()


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("94_records.html#real", "notebooks/94_records.ipynb"),
        ("../book/method.html", "book/method.md"),
        ("../_static/records/cpu/real-s0.json", "results/records/cpu/real-s0.json"),
    ],
)
def test_a_link_leads_to_a_file_in_jupyter_and_to_a_page_on_the_site(page, file):
    shown = html.Html(f"<a href='{page}'>x</a>", "x")._repr_mimebundle_()["text/html"]
    target = re.search("href='([^'#]+)", shown)[1]
    assert (files.root() / "notebooks" / target).resolve() == files.root() / file
    assert (files.root() / file).is_file()
    assert jupyter.for_site(shown) == f"<a href='{page}'>x</a>"


@pytest.mark.parametrize("link", ["https://arxiv.org/abs/1", "#here", "../_static/records.csv"])
def test_other_links_stay(link):
    text = f"<a href='{link}'>x</a>"
    assert jupyter.for_jupyter(text) == jupyter.for_site(text) == text


def test_the_site_drops_the_styles_and_nothing_else():
    cleaned = build.clean(notebook([jupyter.style()], "<p>kept</p>"))
    assert [o["data"]["text/html"] for o in cleaned["cells"][0]["outputs"]] == ["<p>kept</p>"]


def test_a_chapter_of_the_site_links_pages_and_names_its_folded_cells():
    link = {"output_type": "display_data", "data": {"text/html": "<a href='94_records.ipynb#a'>"}}
    cell = {"cell_type": "code", "metadata": {"tags": ["hide-cell", "solution"]}}
    (staged,) = build.for_site({"cells": [cell | {"outputs": [link]}]})["cells"]
    assert staged["outputs"][0]["data"]["text/html"] == "<a href='94_records.html#a'>"
    assert staged["metadata"]["mystnb"]["code_prompt_show"] == "Solution"


def test_a_per_cent_sign_of_prose_stays_on_its_numbers_line():
    prose = {"cell_type": "markdown", "metadata": {}, "source": ["at least 63 %, and ", "a % b"]}
    (staged,) = build.for_site({"cells": [prose]})["cells"]
    assert staged["source"] == "at least 63\N{NO-BREAK SPACE}%, and a % b"
