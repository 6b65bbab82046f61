"""The check of built pages in a browser: a sound page passes, and each fault that a page can have
is named, in the window where it is one.
"""

import pytest

from synthlearn.core import files
from synthlearn.site import look

STATIC = files.root() / "book" / "_static"
LINES = "".join(
    f"<tr><td>set {i}</td><td>{number}</td></tr>"
    for i, number in enumerate(["992", "4,946", "–", "one run", "−0.4 [−1, 0]", *range(20, 29)])
)
TABLE = f"""<div class="scroll"><table class="synthlearn sortable"><caption>What it shows</caption>
<thead><tr><th>set</th><th>images</th></tr></thead><tbody>{LINES}</tbody></table></div>"""
FRAMES = "".join(
    f"<figure><svg role='img' aria-label='a'></svg><figcaption>step {i}</figcaption></figure>"
    for i in range(5)
)
SLIDER = f"<figure class='synthlearn'><div class='slider'>{FRAMES}</div></figure>"
SMALL = (
    "<figure><svg viewBox='0 0 900 60' width='900' style='max-width: 100%'>"
    "<text y='30' style='font-size: 14px; fill: #000'>word</text></svg></figure>"
)
DARK = "<style>@media (prefers-color-scheme: dark) { html, body { background: #111 } }</style>"


def page(body, script=()):
    """A page with the book's own scripts and styles. ``script``: words of them, and those in their
    place.
    """
    styles = "".join((STATIC / name).read_text() for name in ("icons.css", "synthlearn.css"))
    names = ("commands.js", "tables.js", "slider.js")
    scripts = "".join(f"<script>{(STATIC / name).read_text()}</script>" for name in names)
    if script:
        assert script[0] in scripts
        scripts = scripts.replace(*script)
    return (
        f"<!doctype html><html lang='en'><head><title>t</title><style>{styles}</style>"
        f"{scripts}</head><body><main>{body}</main></body></html>"
    )


# a page's fault → the page, and what must be said of it
FAULTS = {
    "wide": (page("<div style='width: 2000px'>x</div>"), "pixels wider than the window"),
    "picture": (page("<img src='data:image/png;base64,AA' alt='a'>"), "1 images do not load"),
    "script": (page("<script>nothing()</script>"), "script: nothing is not defined"),
    "host": (page("<img src='http://another.invalid/a.png' alt='a'>"), "asks another host: http"),
    "name": (page("<button><i>&nbsp;</i></button>"), "1 controls have no name"),
    "icon": (page("<i class='fa-solid fa-dog'></i>"), "1 icons are not drawn"),
    "faint": (page("<p style='color: #999'>faint words</p>"), "the least 2.8 (faint words)"),
    "pale": (page("<p style='opacity: 0.5'>pale words</p>"), "too little contrast"),
    "small": (page(SMALL), "phone, light: 1 letters: texts are below 10 pixels, the smallest 4."),
    "dark": (
        page(f"{DARK}<p style='color: #333'>night</p>"),
        "desk, dark: 1 texts have too little",
    ),
    "column": (
        page("<div class='scroll' style='width: 9rem'><p style='width: 20rem'>x</div>"),
        "desk, light: a table is",
    ),
    "still": (
        page(SLIDER, script=("panels.classList", "frames[0].hidden = frames[1].hidden = 0; [].")),
        "1 sliders show no single image",
    ),
    "unplayed": (
        page(SLIDER, script=("control.append(button, range", "control.append(range")),
        "a slider has no button that plays it",
    ),
    "eager": (
        page(SLIDER, script=("panels.before(control)", "panels.before(control), play()")),
        "a slider plays without being asked",
    ),
    "short": (
        page(SLIDER, script=("=== last) pause()", "=== 3) pause()")),
        "a slider does not play to its end: 3 of 4",
    ),
    "endless": (
        page(SLIDER, script=("=== last) pause()", "=== last) range.value = -1")),
        "a slider does not play to its end",
    ),
    "mute": (
        page(SLIDER, script=('range.setAttribute("aria-label"', 'range.setAttribute("data-label"')),
        "a slider has no name",
    ),
    "mouse": (
        page(TABLE, script=('classList.contains("sortable")', 'classList.contains("none")')),
        "a table does not sort by 'images': its heading is no button",
    ),
    "words": (
        page(TABLE, script=("values[i] - values[j]", "(texts[i] < texts[j] ? -1 : 1)")),
        "a table does not sort by the values of 'images",
    ),
    "silent": (
        page(TABLE, script=('heading.setAttribute("aria-sort"', 'heading.setAttribute("sort"')),
        "does not say how (aria-sort None",
    ),
}


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """What the check says of a sound page and of one page per fault, by page."""
    if look.browser() is None:
        pytest.skip("no Chromium here")
    site = tmp_path_factory.mktemp("site")
    pages = {name: text for name, (text, _) in FAULTS.items()} | {"sound": page(TABLE + SLIDER)}
    for name, text in pages.items():
        (site / f"{name}.html").write_text(text)
    every = look.look(site, [f"{name}.html" for name in pages])
    return {name: [line for line in every if line.startswith(f"{name}.html")] for name in pages}


def test_a_sound_page_has_no_fault(lines):
    assert lines["sound"] == []


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named(name, lines):
    _, complaint = FAULTS[name]
    assert any(complaint in line for line in lines[name]), lines[name]


COMMAND = "python -m synthlearn run --profile cpu --row dead_leaves-mixed --minutes 9 --debug"
# words of the code on more than one line: a word's boxes have more than one top
BROKEN = """code => {
  const range = document.createRange(), texts = [], walker = document.createTreeWalker(code, 4);
  while (walker.nextNode())
    if (!walker.currentNode.parentElement.closest("button")) texts.push(walker.currentNode);
  const all = texts.map(text => text.data).join("");
  const ends = [...all.matchAll(/\\S+/g)].map(m => [m.index, m.index + m[0].length]);
  const place = at => {
    for (const text of texts) { if (at <= text.length) return [text, at]; at -= text.length; }
  };
  return ends.filter(([a, b]) => {
    range.setStart(...place(a)), range.setEnd(...place(b));
    return new Set([...range.getClientRects()].filter(r => r.width).map(r => r.top)).size > 1;
  }).length;
}"""


# the button stands on the last line of its command
BESIDE = """code => {
  const button = code.querySelector("button");
  const lines = [...code.getClientRects()].map(r => r.bottom);
  return Math.abs(Math.max(...lines) - button.getBoundingClientRect().bottom) < 10
    && button.previousSibling.data === "--debug";
}"""


@pytest.mark.parametrize("faulty", [False, True])
def test_a_command_breaks_at_its_spaces_alone(tmp_path, faulty):
    if look.browser() is None:
        pytest.skip("no Chromium here")
    from playwright.sync_api import sync_playwright

    body = f"<p><code>{COMMAND}</code></p><div class='highlight-bash'><pre>{COMMAND}</pre></div>"
    (tmp_path / "page.html").write_text(
        page(body, script=("(WRAPPING).forEach", "(WRAPPING).values") if faulty else ())
    )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=look.browser(), args=look.FLAGS)
        window = chromium.new_page(viewport={"width": 390, "height": 900})
        window.goto((tmp_path / "page.html").as_uri())
        texts = [window.locator(each).text_content() for each in ("p > code", "pre")]
        assert texts[0].endswith(f"Copy {COMMAND}")  # its button
        texts[0] = texts[0].removesuffix(f"Copy {COMMAND}")
        broken = 0
        for width in range(240, 391, 25):
            window.set_viewport_size({"width": width, "height": 900})
            broken += sum(window.locator(e).evaluate(BROKEN) for e in ("p > code", "pre"))
            assert window.locator("p > code").evaluate(BESIDE)
        chromium.close()
    assert texts == [COMMAND] * 2
    assert bool(broken) == faulty


def test_letters_and_dark_grounds_are_measured_where_they_fail_alone(lines):
    assert all(", phone, " in line for line in lines["small"])
    assert all(", dark: " in line for line in lines["dark"])
