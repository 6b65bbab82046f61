"""The built book as one PDF: every page printed by headless Chromium, in the order of its contents.

python -m synthlearn.site.pdf _build/html _build/book.pdf
"""

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from ..core import files
from ..core.errors import DataError, SynthlearnError
from .look import FLAGS, browser, served

MARGIN: Any = {"top": "16mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}
FOOTER = (
    "<div style='width: 100%; font: 8px sans-serif; text-align: center; color: #666'>"
    "<span class='title'></span> · <span class='pageNumber'></span></div>"
)
PATIENCE = 120_000  # milliseconds that a page may take
# solutions are printed; other folds stay closed
OPEN = "document.querySelectorAll('details.solution').forEach(fold => fold.open = true)"


def contents() -> list[str]:
    """Addresses of the book's pages inside the site, in the order of the table of contents.

    >>> contents()[0], contents()[-1]
    ('notebooks/00_index.html', 'book/references.html')
    """
    toc = yaml.safe_load((files.root() / "_toc.yml").read_text(encoding="utf-8"))
    names = [toc["root"], *_files(toc["parts"])]
    return [f"{name}.html" for name in names]


def _files(entries: Sequence[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        if "file" in entry:
            yield entry["file"]
        yield from _files([*entry.get("chapters", ()), *entry.get("sections", ())])


def write(site: Path, pages: Sequence[str], out: Path) -> int:
    """Print pages of a site into one PDF, with an outline, and links between them that work.

    Returns: its number of sheets.

    Raises: DataError without a Chromium, or where a page is missing.
    """
    from pypdf import PdfReader, PdfWriter

    if browser() is None:
        raise DataError("no Chromium here: the PDF is printed by one; install chromium")
    if missing := [name for name in pages if not (site / name).is_file()]:
        raise DataError(f"{site}: no {', '.join(missing)}; build the site first (make site)")
    book, starts = PdfWriter(), {}
    with served(site) as address:
        for name, title, content in _printed(address, pages):
            starts[name] = len(book.pages)
            book.append(PdfReader(io.BytesIO(content)), outline_item=title, import_outline=False)
        _join(book, address, starts)
    with files.atomic(out) as path, path.open("wb") as file:
        book.write(file)
    return len(book.pages)


def _printed(address: str, pages: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
    """Name, title and PDF of each page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=FLAGS)
        page = chromium.new_context(color_scheme="light").new_page()
        page.set_default_timeout(PATIENCE)
        for name in pages:
            page.goto(f"{address}/{name}")
            page.emulate_media(media="print")
            page.evaluate(OPEN)
            content = page.pdf(
                format="A4",
                margin=MARGIN,
                print_background=True,
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=FOOTER,
            )
            heading = page.locator("h1").first
            yield name, heading.inner_text().rstrip("# \n"), content
        chromium.close()


def _join(book: Any, address: str, starts: dict[str, int]) -> None:
    """Let links to the printing machine lead to the first sheet of their page; links to what is not
    in the book are taken away."""
    from pypdf.generic import ArrayObject, NameObject

    for sheet in book.pages:
        kept = ArrayObject()
        for link in sheet.get("/Annots", ()):
            note = link.get_object()
            target = note.get("/A", {}).get("/URI", "")
            if target.startswith(address):
                start = starts.get(urlsplit(target).path.lstrip("/"))
                if start is None:
                    continue
                del note[NameObject("/A")]
                place = [book.pages[start].indirect_reference, NameObject("/Fit")]
                note[NameObject("/Dest")] = ArrayObject(place)
            kept.append(link)
        if kept or "/Annots" in sheet:
            sheet[NameObject("/Annots")] = kept


def main() -> int:
    """Print a built site; exit status 1 with one message on failure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("site", type=Path, help="folder of the built site")
    parser.add_argument("out", type=Path, help="the PDF")
    args = parser.parse_args()
    try:
        sheets = write(args.site, contents(), args.out)
    except SynthlearnError as error:
        print(f"pdf: {error}", file=sys.stderr)
        return 1
    print(f"{args.out}: {sheets} sheets, {args.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
