"""The book on paper: pages in order, an outline, links that lead to sheets."""

import pytest

from synthlearn.core.errors import DataError
from synthlearn.site import build, check, pdf

PAGES = {
    "notebooks/a.html": "<a href='../book/b.html#x'>to b</a> <a href='../_static/r.json'>file</a> "
    "<a href='https://arxiv.org/abs/2106.05963'>paper</a>"
    "<details class='solution'><summary>Solution</summary>forty-two</details>"
    "<details><summary>code</summary>hidden words</details>",
    "book/b.html": "<p style='break-after: page'>first sheet</p><p id='x'>second sheet</p>",
}
chromium = pytest.mark.skipif(check.browser() is None, reason="no Chromium")


@pytest.fixture
def site(tmp_path):
    for name, body in PAGES.items():
        path = tmp_path / name
        path.parent.mkdir()
        title = path.stem.upper()
        path.write_text(f"<title>{title}</title><h1>Page {title}</h1>{body}", encoding="utf-8")
    return tmp_path


def test_contents_are_the_chapters_in_order_and_the_pages_of_prose_after_them():
    names = pdf.contents()
    assert [name for name in names if name.startswith("notebooks/")] == [
        f"notebooks/{name}.html" for name in build.chapters()
    ]
    assert len(names) == len(set(names)) and "book/api/data.html" in names


def test_a_missing_page_is_named(site):
    with pytest.raises(DataError, match=r"no notebooks/c\.html"):
        pdf.write(site, [*PAGES, "notebooks/c.html"], site / "out.pdf")
    assert not (site / "out.pdf").exists()


@chromium
def test_pages_are_joined_in_order_and_their_links_lead_to_sheets(site):
    pypdf = pytest.importorskip("pypdf")
    assert pdf.write(site, list(PAGES), site / "out.pdf") == 3
    book = pypdf.PdfReader(site / "out.pdf")
    outline = [(entry.title, book.get_destination_page_number(entry)) for entry in book.outline]
    assert outline == [("Page A", 0), ("Page B", 1)]
    text = book.pages[0].extract_text()
    assert "forty-two" in text and "hidden words" not in text and "A · 1" in text
    notes = [note.get_object() for note in book.pages[0]["/Annots"]]
    to_sheet, to_web = sorted(notes, key=lambda note: "/A" in note)
    assert to_sheet["/Dest"][0] == book.pages[1].indirect_reference
    assert to_web["/A"]["/URI"] == "https://arxiv.org/abs/2106.05963"
    assert b"127.0.0.1" not in (site / "out.pdf").read_bytes()
