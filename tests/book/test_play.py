"""What a reader plays with: leaves that the page paints, the explorer, the guess of two sets."""

import base64

import numpy as np
import pytest

import synthlearn as sl
from synthlearn.book import embed
from synthlearn.book.pages import live
from synthlearn.core import files
from synthlearn.core.image import area_resize
from synthlearn.generators import dead_leaves, generator
from synthlearn.site import look

STATIC = files.root() / "book" / "_static"
needs_browser = pytest.mark.skipif(look.browser() is None, reason="no Chromium here")
# Turns the knobs of the figure, and reads the canvas.
PAINTED = """([index, size, shape, exponent]) => {
  const form = document.querySelector(".live-leaves form");
  const knobs = { index, size, shape, exponent };
  for (const name in knobs) form.elements[name].value = knobs[name];
  form.dispatchEvent(new Event("input"));
  const canvas = document.querySelector(".live-leaves canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return btoa(Array.from(data, (value) => String.fromCharCode(value)).join(""));
}"""


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as p:
        opened = p.chromium.launch(executable_path=look.browser(), args=list(look.FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def open_page(chromium, tmp_path):
    """Opens parts of a page with some scripts of the site; the page must raise no error."""
    errors = []

    def show(*parts, scripts, width=1366, script=True):
        head = "".join(
            f"<script>{(STATIC / f'{name}.js').read_text()}</script>"
            f"<style>{(STATIC / f'{name}.css').read_text()}</style>"
            for name in scripts
        )
        body = "".join(part.content for part in parts)
        path = tmp_path / "page.html"
        path.write_text(f"<!doctype html><meta charset=utf-8>{head}<body>{body}")
        size = {"width": width, "height": 900}
        page = chromium.new_context(viewport=size, java_script_enabled=script).new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield show
    assert errors == []


def library(index, size, shape, exponent):
    """The library's image, uint8 (size, size, 3)."""
    source = generator("dead_leaves-mixed", shape=shape)
    if exponent == dead_leaves.SIGMA:
        image = source.sample([index], size)
    else:
        key = source.keys([index])
        top, _ = dead_leaves.cover(key, shape, source.scene_size(size), exponent=exponent)
        image = area_resize(dead_leaves.leaf_colours(key, top), size)
    return image[0].permute(1, 2, 0).numpy()


def in_page(page, index, size, shape, exponent):
    """The page's image, uint8 (size, size, 4)."""
    data = page.evaluate(PAINTED, [index, str(size), shape, f"{exponent:g}"])
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(size, size, 4)


@needs_browser
def test_the_pages_leaves_are_the_librarys_to_the_bit(open_page):
    page = open_page(live.leaves(), scripts=["leaves"])
    cases = [(k, 128, shape, 3.0) for k, shape in enumerate((*dead_leaves.SHAPES, "mixed"))]
    cases += [(1234, size, "mixed", 3.0) for size in live.SIZES]
    cases += [(77, 64, "mixed", exponent) for exponent in live.EXPONENTS]
    cases += [(live.LAST, 64, "oriented", 3.0), (7, 256, "triangle", 2.0)]
    for case in cases:
        painted = in_page(page, *case)
        assert (painted[..., 3] == 255).all()
        assert np.array_equal(painted[..., :3], library(*case)), case


@needs_browser
def test_the_line_of_code_beside_the_leaves_gives_them(open_page):
    page = open_page(live.leaves(), scripts=["leaves"])
    painted = in_page(page, 5, 64, "circle", 3.0)[..., :3]
    line = page.inner_text(".live-leaves code")
    image = eval(line, {"sl": sl})[0].permute(1, 2, 0).numpy()
    assert np.array_equal(painted, image)
    key = generator("dead_leaves-mixed").keys([5])
    for exponent in (3.0, 2.0):
        in_page(page, 5, 128, "circle", exponent)
        _, leaves = dead_leaves.cover(key, "circle", 128, exponent=exponent)
        assert page.inner_text(".live-leaves output") == f"{int(leaves):,} leaves, no pixel bare"
    line = page.inner_text(".live-leaves code")
    _, again = eval(line, {"dead_leaves": dead_leaves, "key": key})
    assert again == leaves


@needs_browser
def test_slow_painting_ends_at_the_same_image_and_can_be_cut_short(open_page):
    page = open_page(live.leaves(), scripts=["leaves"])
    read = "() => document.querySelector('.live-leaves canvas').toDataURL()"
    whole, button = page.evaluate(read), page.locator(".live-leaves button")
    button.click()
    page.wait_for_selector(".live-leaves[data-state=painting]")
    assert button.inner_text() == "finish" and page.evaluate(read) != whole
    assert "% still bare" in page.inner_text(".live-leaves output")
    button.click()
    assert button.inner_text() == "paint slowly" and page.evaluate(read) == whole


@needs_browser
def test_without_a_script_the_leaves_are_the_librarys_image_and_there_are_no_knobs(open_page):
    page = open_page(live.leaves(), scripts=["leaves"], script=False)
    assert page.locator(".live-leaves img").is_visible()
    assert not page.locator(".live-leaves form").is_visible()


def test_data_in_a_page_cannot_close_its_script():
    assert embed.as_script({"a": "</script><b>"}).count("</script>") == 1
