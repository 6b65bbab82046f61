"""Pages in headless Chromium: at three widths, light and dark, and with their controls used."""

import functools
import http.server
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WIDTHS = {"desk": (1366, 900), "tablet": (768, 1024), "phone": (390, 844)}  # pixels; chosen here
SCHEMES = ("light", "dark")
LIMITS = {"smallest": 10, "contrast": 4.5, "wideEnough": 1366}  # px; WCAG 2, level AA; px
SETTLED = 100  # ms after a change of width or scheme
THEMED = "s => [undefined, s].includes(document.documentElement.dataset.theme)"  # the book's theme
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def browser() -> str | None:
    """Path of a Chromium on this machine."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


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

    Each is measured at three widths, light and dark; then its tables are sorted and its sliders
    played.

    word: to search for; it must be found. shots: folder for an image of every page in each way.
    """
    from playwright.sync_api import sync_playwright

    lines: list[str] = []
    with served(site) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=FLAGS)
        page, played = chromium.new_context().new_page(), chromium.new_context().new_page()
        played.clock.install()  # sliders play as fast as we like
        for each in (page, played):
            _listen(each, address, lines)
        for name in pages:
            page.goto(f"{address}/{name}")
            lines += [f"{name}, {what}" for what in _measure(page, Path(name).stem, shots)]
            if page.locator("table.sortable, .slider").count():
                played.goto(f"{address}/{name}")
                lines += [f"{name}: {what}" for what in [*_sort(played), *_play(played)]]
        if word:
            page.goto(f"{address}/search.html?q={word}")
            try:
                page.wait_for_selector("#search-results li", timeout=10_000)
            except Exception:
                lines.append(f"search: nothing found for {word!r}")
        chromium.close()
    return lines


def _listen(page: Any, address: str, lines: list[str]) -> None:
    """Note what a page says on its console, what its scripts stumble over, what it fetches."""

    def note(what: str) -> None:
        lines.append(f"{page.url.removeprefix(address).strip('/')}: {what}")

    def console(message: Any) -> None:
        if message.type == "error" and "favicon" not in message.location.get("url", ""):
            note(f"console: {message.text}")

    def request(request: Any) -> None:
        if not request.url.startswith((address, "data:", "blob:")):
            note(f"asks another host: {request.url[:80]}")

    page.on("console", console)
    page.on("pageerror", lambda error: note(f"script: {error}"))
    page.on("request", request)


def _measure(page: Any, stem: str, shots: Path | None) -> Iterator[str]:
    """What :file:`look.js` finds wrong, at each width in each colour scheme."""
    script = Path(__file__).with_name("look.js").read_text(encoding="utf-8")
    for way, (width, height) in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # no transitions
            page.wait_for_function(THEMED, arg=scheme)
            page.wait_for_timeout(SETTLED)
            yield from (f"{way}, {scheme}: {line}" for line in page.evaluate(script, LIMITS))
            if shots:
                shots.mkdir(parents=True, exist_ok=True)
                path = str(shots / f"{stem}-{way}-{scheme}.png")
                page.screenshot(path=path, full_page=way == "phone")


def _sort(page: Any) -> Iterator[str]:
    """Sort each table by its second heading, by a click and by a key: numbers fall, then rise."""
    for table in page.locator("table.sortable").all():
        table.evaluate("t => t.closest('details')?.setAttribute('open', '')")
        heading = table.locator("thead th").nth(1)
        column = table.locator("tbody td:nth-child(2)")
        button = heading.locator("button")
        name = " ".join(heading.inner_text().split())
        if not button.count():
            yield f"a table does not sort by {name!r}: its heading is no button"
            continue
        button.evaluate("b => b.click()")
        first, cells = heading.get_attribute("aria-sort"), column.all_text_contents()
        button.press("Enter")
        second, others = heading.get_attribute("aria-sort"), column.all_text_contents()
        if {first, second} != {"ascending", "descending"}:
            yield f"a table sorted by {name!r} does not say how (aria-sort {first}, then {second})"
        elif _by_value(cells) != cells or _by_value(others) != others:
            yield f"a table does not sort by the values of {name!r}: {cells[:3]}"


def _by_value(cells: list[str]) -> list[str]:
    """Cells with their numbers in the order in which the first and last of these stand; words last.

    >>> _by_value(["1,200 [1, 2]", "–", "992"])
    ['1,200 [1, 2]', '992', '–']
    """
    values = {cell: _number(cell) for cell in cells}
    numbers = [cell for cell in cells if values[cell] is not None]
    if len(numbers) * 2 <= len(cells):  # a column of words
        return cells
    falls = (values[numbers[0]] or 0) > (values[numbers[-1]] or 0)
    words = [cell for cell in cells if values[cell] is None]
    return sorted(numbers, key=lambda cell: values[cell] or 0, reverse=falls) + words


def _number(cell: str) -> float | None:
    plain = cell.strip().replace("one run", "1").replace("−", "-")
    match = re.match(r"[◇±≈<>≤≥~\s]*([+-]?\d[\d,]*(?:\.\d+)?)(?![\w.-])", plain)
    return float(match[1].replace(",", "")) if match else None


def _play(page: Any) -> Iterator[str]:
    """Play each slider: it has names, does not begin by itself, goes to its end and stops there."""
    state = "s => [s.value, s.max, s.ariaLabel]"
    for control in page.locator(".slide").all():
        slider, button = control.locator("input[type=range]"), control.locator("button")
        if not button.count():
            yield "a slider has no button that plays it"
            continue
        before, last, name = slider.evaluate(state)
        page.clock.run_for(20_000)
        if slider.input_value() != before:
            yield "a slider plays without being asked"
        button.evaluate("b => b.click()")
        page.clock.run_for(60_000)
        if slider.input_value() != last or button.get_attribute("aria-label") != "Play":
            yield f"a slider does not play to its end: {slider.input_value()} of {last}"
        if not name:
            yield "a slider has no name (aria-label)"
