"""A built site as a reader's browser sees it.

python -m synthlearn.site.check _build/html --shots _build/shots

Without a browser: links and anchors, alternative texts, pages and size. In headless Chromium, if it
is here: pictures that load, a quiet console, both colour schemes, the width of a phone, and the
search.
"""

import argparse
import functools
import http.server
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..core.errors import DataError, SynthlearnError

SITE_LIMIT = 60_000_000  # bytes of the whole site
PHONE = {"width": 390, "height": 844}  # pixels of a window (chosen here)
DESK = {"width": 1280, "height": 1000}
WAYS: tuple[tuple[str, Any, Any], ...] = (
    ("light", "light", DESK),
    ("dark", "dark", DESK),
    ("phone", "light", PHONE),
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ELSEWHERE = re.compile(r"(?:https?:|data:|mailto:|javascript:)")


class _Page(HTMLParser):
    """Links, anchors and pictures of a page; pictures without alternative text."""

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
        lines += [f"{name}: a picture without alternative text ({what})" for what in page.mute]
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


def browser() -> str | None:
    """Path of a Chromium on this machine."""
    return next(
        (
            path
            for name in ("chromium", "chromium-browser", "google-chrome")
            if (path := shutil.which(name))
        ),
        None,
    )


@contextmanager
def served(site: Path) -> Iterator[str]:
    """The site's address on this machine while the context lasts."""
    handler = type(
        "Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *a: None}
    )
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(site))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def look(site: Path, pages: Sequence[str], word: str = "", shots: Path | None = None) -> list[str]:
    """What is wrong with pages opened in headless Chromium, one line each.

    Light, dark, and as wide as a phone.

    word: to search for; it must be found. shots: folder for a picture of every page in each way.
    """
    from playwright.sync_api import sync_playwright

    lines: list[str] = []
    with served(site) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=FLAGS)
        for way, scheme, size in WAYS:
            page = chromium.new_context(color_scheme=scheme, viewport=size).new_page()
            _listen(page, lines)
            for name in pages:
                page.goto(f"{address}/{name}")
                page.wait_for_load_state("load")
                lines += [f"{name}, {way}: {what}" for what in _wrong(page)]
                if shots:
                    shots.mkdir(parents=True, exist_ok=True)
                    page.screenshot(
                        path=str(shots / f"{Path(name).stem}-{way}.png"), full_page=way == "phone"
                    )
        if word:
            page.goto(f"{address}/search.html?q={word}")
            try:
                page.wait_for_selector("#search-results li", timeout=10_000)
            except Exception:
                lines.append(f"search: nothing found for {word!r}")
        chromium.close()
    return lines


def _listen(page: Any, lines: list[str]) -> None:
    """Note what a page says on its console and what its scripts stumble over."""
    page.on(
        "console",
        lambda m: (
            lines.append(f"console: {m.text}")
            if m.type == "error" and "favicon" not in m.location.get("url", "")
            else None
        ),
    )
    page.on("pageerror", lambda error: lines.append(f"script: {error}"))


def _wrong(page: Any) -> list[str]:
    broken = page.eval_on_selector_all(
        "img", "all => all.filter(i => !i.complete || !i.naturalWidth).length"
    )
    wider = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    still = page.eval_on_selector_all(
        ".slider",
        "all => all.filter(s => s.querySelectorAll('figure:not([hidden])').length != 1).length",
    )
    return [
        *([f"{broken} pictures do not load"] if broken else []),
        *([f"{wider} pixels wider than the window"] if wider > 0 else []),
        *([f"{still} sliders show no single picture"] if still else []),
    ]


def main() -> int:
    """Check a site; exit status 1 with a line for each problem."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("site", type=Path, help="folder of the built site")
    parser.add_argument("--shots", type=Path, help="folder for pictures of the pages")
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
