"""A built site as a reader's browser sees it.

python -m synthlearn.site.check _build/html --shots _build/shots

Without a browser: links and anchors, alternative texts, pages and size. In headless Chromium, if it
is here (:mod:`.look`): at three widths, light and dark, whether letters are large enough, texts
have contrast and nothing is wider than its place; whether tables sort, sliders play and the search
finds; what the console says, and that nothing is asked of another host.
"""

import argparse
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..core.errors import DataError, SynthlearnError
from .look import browser, look

SITE_LIMIT = 60_000_000  # bytes of the whole site
ELSEWHERE = re.compile(r"(?:https?:|data:|mailto:|javascript:)")


class _Page(HTMLParser):
    """Links, anchors and images of a page; images without alternative text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.mute: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element links to, is called, or fails to say."""
        values = dict(attrs)
        self.links += [
            value
            for key in ("href", "src")
            if (value := values.get(key)) and not ELSEWHERE.match(value)
        ]
        self.anchors |= {value for key in ("id", "name") if (value := values.get(key))}
        if tag == "img" and not (values.get("alt") or "").strip():
            self.mute.append((values.get("src") or "")[:60])
        if (
            tag == "svg"
            and values.get("role") == "img"
            and not (values.get("aria-label") or "").strip()
        ):
            self.mute.append("an SVG figure")


def problems(site: Path) -> list[str]:
    """What is wrong with a built site, without opening it: one line each.

    Raises: DataError when there is no site.
    """
    pages = {
        path: _Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts
    }
    if not pages:
        raise DataError(f"{site}: no pages there; build the site first (make site)")
    lines = []
    for path, page in pages.items():
        name = path.relative_to(site)
        lines += [f"{name}: an image without alternative text ({what})" for what in page.mute]
        for link in page.links:
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                lines.append(f"{name}: broken link {link}")
            elif (
                parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].anchors
            ):
                lines.append(f"{name}: no such place {link}")
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    if size > SITE_LIMIT:
        lines.append(f"the site has {size:,} bytes, allowed are {SITE_LIMIT:,}")
    return lines


def main() -> int:
    """Check a site; exit status 1 with a line for each problem."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("site", type=Path, help="folder of the built site")
    parser.add_argument("--shots", type=Path, help="folder for images of the pages")
    parser.add_argument("--word", default="fractal", help="to search for")
    args = parser.parse_args()
    try:
        lines = problems(args.site.resolve())
    except SynthlearnError as error:
        print(f"check: {error}", file=sys.stderr)
        return 1
    if browser():
        pages = [
            str(path.relative_to(args.site))
            for path in sorted(args.site.glob("notebooks/*.html"))
            + sorted(args.site.glob("book/*.html"))
        ]
        lines += look(args.site, pages, args.word, args.shots)
    else:
        print("check: no Chromium here; only links, texts and sizes are checked", file=sys.stderr)
    for line in lines:
        print(line)
    print(f"{len(lines)} problems")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
