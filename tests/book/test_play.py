"""What a reader plays with: leaves that the page paints, the explorer, the guess of two sets."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import synthlearn as sl
from synthlearn import book, study
from synthlearn.book import embed, html, published
from synthlearn.book.pages import explorer, guess, leaderboard, live, properties
from synthlearn.core import files
from synthlearn.core.image import area_resize
from synthlearn.generators import dead_leaves, generator
from synthlearn.site import look
from synthlearn.study import measuring

STATIC = files.root() / "book" / "_static"
STUDY = study.resolve("cpu")
ROWS = book.stored(STUDY)
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
    """Opens parts of a page as the site does, with some of its scripts, which must not fail."""
    errors = []
    (tmp_path / "_static").symlink_to(STATIC)
    (tmp_path / "notebooks").mkdir()

    def show(*parts, scripts, width=1366, script=True):
        head = "".join(
            f"<script src='../_static/{name}.js'></script>"
            f"<link rel='stylesheet' href='../_static/{name}.css'>"
            for name in scripts
        )
        body = "".join(part.content for part in parts)
        path = tmp_path / "notebooks" / "page.html"
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


# a leaf's corner whose cosine another processor rounds the other way may move by a pixel
CORNER = 12  # pixels of an image


@needs_browser
def test_the_pages_leaves_are_the_librarys_to_the_bit_but_for_a_corner(open_page):
    page = open_page(live.leaves(), scripts=["leaves"])
    cases = [(k, 128, shape, 3.0) for k, shape in enumerate((*dead_leaves.SHAPES, "mixed"))]
    cases += [(1234, size, "mixed", 3.0) for size in live.SIZES]
    cases += [(77, 64, "mixed", exponent) for exponent in live.EXPONENTS[::2]]
    cases += [(live.LAST, 64, "oriented", 3.0), (7, 256, "triangle", 2.0)]
    exact = []
    for case in cases:
        painted = in_page(page, *case)
        assert (painted[..., 3] == 255).all()
        differ = int((painted[..., :3] != library(*case)).any(-1).sum())
        whole = case[2] in ("circle", "square")  # no cosine
        assert differ <= (0 if whole else CORNER), case
        exact.append(differ == 0)
    assert np.mean(exact) > 0.8


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


@pytest.fixture(scope="module")
def every():
    """The sets that the explorer draws, best first."""
    return book.ranked(explorer.sets(ROWS, STUDY))


@pytest.fixture(scope="module")
def figure():
    return explorer.explorer(ROWS, STUDY)


def data_of(part):
    """A part's data for its script."""
    text = part.content.split('<script type="application/json">')[1].split("</script>")[0]
    return json.loads(text.replace("<\\/", "</"))


def dots_of(part):
    """Attributes of the first circle of each dot."""
    first = r'data-set="([^"]+)".*?<circle r="6" cx="([\d.]+)%" cy="([\d.]+)%"'
    return {name: (float(x), float(y)) for name, x, y in re.findall(first, part.content)}


def test_a_dot_is_a_set_at_its_accuracy_and_its_value(every, figure):
    dots, data = dots_of(figure), data_of(figure)
    assert list(dots) == list(data["sets"]) == list(every)  # best first
    accuracy = np.array([every[name].accuracy().mean for name in dots])
    height = np.array([y for _, y in dots.values()])
    slope, start = np.polyfit(accuracy, height, 1)
    assert slope < 0 and np.abs(slope * accuracy + start - height).max() < 0.02
    for choice in explorer.choices(every, STUDY):
        places = data["choices"][choice.key]["at"]
        assert places.keys() == choice.values.keys()
        values = np.array(list(choice.values.values()))
        values = np.log10(values) if choice.key in explorer.LOGARITHMIC else values
        place = np.array([places[name] for name in choice.values])
        slope, start = np.polyfit(values, place, 1)
        assert slope > 0 and np.abs(slope * values + start - place).max() < 0.02
        assert place.min() > 0 and place.max() < 100


def test_the_values_are_the_records_and_the_papers(every):
    values = {choice.key: choice.values for choice in explorer.choices(every, STUDY)}
    assert values.keys() == explorer.CHOICES.keys()
    measured = measuring.committed("cpu")["properties"]
    for key in ("recall", "coverage", "frechet", "spectrum"):
        assert values[key] == {n: measured[n][0].value(key).value for n in every if n in measured}
    paper = published.published()
    assert values["paper"] == {
        name: paper[row.published].value
        for name in every
        if (row := study.get_row(name)).published in paper
    }


def test_ticks_stand_where_their_numbers_are():
    for scale in (
        explorer.Scale.of(np.array([0.0, 0.7])),
        explorer.Scale.of(np.array([-6.1, 1.4])),
        explorer.Scale.of(np.array([1.7, 54_000.0]), is_log=True),
    ):
        ticks = [(at, float(text.replace(",", "").replace("−", "-"))) for at, text in scale.ticks()]
        assert len(ticks) > 2
        assert [scale.at(value) for _, value in ticks] == [at for at, _ in ticks]


def test_correlations_are_those_of_the_pages_of_properties_and_of_results(figure):
    own = {choice.key: choice for choice in explorer.choices(explorer.sets(ROWS, STUDY), STUDY)}
    table = properties.correlations(measuring.committed("cpu")["properties"], ROWS).content
    for key in ("recall", "coverage", "frechet", "spectrum"):
        rho, low, high = own[key].rho
        line = table.split(f"<tr><td>{properties.PROPERTIES[key]}</td>")[1].split("</tr>")[0]
        assert f"{rho:+.2f} <small>[{low:+.2f}, {high:+.2f}]</small>" in line.replace("−", "-")
    rho, low, high = own["paper"].rho
    assert f"ρ = {rho:.2f} [{low:.2f}, {high:.2f}]" in leaderboard.agreement(ROWS).alt
    clause = leaderboard.order(ROWS)
    assert f"is {rho:.2f} <small>[{low:.2f}, {high:.2f}]" in clause
    assert clause.startswith("we cannot tell") == (low <= 0) and leaderboard.order({}) == ""
    sentence = data_of(figure)["choices"]["frechet"]["rho"]
    rho = own["frechet"].rho[0]
    assert rho < 0 and f"top-1: −{-rho:.2f} [" in sentence
    assert f"over {len(own['frechet'].counted)} synthetic sets" in sentence


def test_without_records_the_explorer_and_the_guess_say_so():
    for part in (explorer.explorer({}, STUDY), guess.guess({}, STUDY)):
        assert "records are not there" in part.content


def test_every_set_has_its_sheet_of_six_images_and_all_are_small(every):
    sheets = {path.stem: path for path in (STATIC / "sets").glob("*.webp")}
    # a row of the study may wait for its first record
    assert every.keys() <= sheets.keys() <= {*study.all_rows()}
    assert sum(path.stat().st_size for path in sheets.values()) < 250_000
    assert len({path.read_bytes() for path in sheets.values()}) == len(sheets)  # none is another's
    for path in sheets.values():
        assert Image.open(path).size == (3 * explorer.SIDE, 2 * explorer.SIDE)


@pytest.mark.parametrize("name", ["dead_leaves-squares", "fractals-sigma", "noise-uniform_color"])
def test_a_sheet_shows_the_sets_own_images(name):
    wanted = explorer.sheet_of(study.get_row(name), STUDY).astype(float)
    stored = np.asarray(Image.open(explorer.sheet_path(name)).convert("RGB")).astype(float)
    turned = np.roll(wanted, explorer.SIDE, 1)  # the same images at other places
    off, other = np.abs(stored - wanted).mean(), np.abs(stored - turned).mean()
    assert off < other / 3  # what WebP loses is less


@needs_browser
def test_the_explorer_opens_by_keyboard_follows_the_choice_and_closes(open_page, every, figure):
    page = open_page(figure, scripts=["explorer"])
    data, names = data_of(figure), list(every)
    card, select = page.locator(".explorer .about"), page.locator(".explorer select")
    select.focus()
    page.keyboard.press("Tab")
    drawn = [name for name in names if name in data["choices"]["recall"]["at"]]
    for name in drawn[:2]:  # the focus goes from the best set to the next
        assert page.evaluate("document.activeElement.dataset.set") == name
        assert study.get_row(name).title in card.inner_text()
        assert data["sets"][name]["top1"] in card.inner_text()
        page.wait_for_function("document.querySelector('.about img').naturalWidth === 192")
        page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert not card.is_visible()
    select.select_option("frechet")
    chosen = data["choices"]["frechet"]
    assert page.inner_text(".explorer output") == chosen["rho"]
    assert page.inner_text(".explorer .name") == chosen["name"]
    assert page.locator(".along text").all_text_contents() == [text for _, text in chosen["ticks"]]
    for name in names:
        dot = page.locator(f"g.dot[data-set='{name}']")
        assert dot.is_visible() == (name in chosen["at"])
        if name in chosen["at"]:
            assert dot.locator("circle").first.get_attribute("cx") == f"{chosen['at'][name]:g}%"
    families = {data_of(figure)["sets"][name]["family"] for name in chosen["at"]}
    for entry in page.locator(".legend [data-family]").all():
        assert entry.is_visible() == (entry.get_attribute("data-family") in families)
    page.locator(f"g.dot[data-set='{drawn[0]}'] .reach").hover()
    assert card.locator(".chosen").inner_text().startswith("Fréchet distance: ")


@needs_browser
@pytest.mark.parametrize("width", [390, 1366])
def test_the_explorers_letters_are_readable_and_its_card_stays_in_the_window(
    open_page, figure, width
):
    page = open_page(figure, scripts=["explorer"], width=width)
    sizes = page.eval_on_selector_all(
        ".explorer text, .explorer p, .explorer figcaption",
        "all => all.map((one) => parseFloat(getComputedStyle(one).fontSize))",
    )
    assert min(sizes) >= 10
    for dot in (
        page.locator("g.dot >> visible=true").first,
        page.locator("g.dot >> visible=true").last,
    ):
        dot.locator(".reach").click()
        box = page.locator(".explorer .about").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@needs_browser
def test_without_a_script_the_explorer_is_a_figure_with_names(open_page, figure, every):
    page = open_page(figure, scripts=["explorer"], script=False)
    assert not page.locator(".explorer .choose").is_visible()
    first = page.locator("g.dot >> visible=true").first
    assert first.bounding_box()["width"] > 0
    assert f"{100 * every[first.get_attribute('data-set')].accuracy().mean:.1f} %" in (
        first.locator("title").text_content()
    )


def test_the_answers_of_the_pairs_are_those_of_the_runs():
    pairs = guess.pairs(ROWS, STUDY)
    assert len(pairs) == guess.PAIRS == len({frozenset((p.left, p.right)) for p in pairs})
    alike = guess.alike(ROWS, STUDY)
    asked = data_of(guess.guess(ROWS, STUDY))["pairs"]
    for pair, each in zip(pairs, asked, strict=True):
        e = ROWS[pair.left].difference(ROWS[pair.right])
        assert pair.difference == e and {pair.left, pair.right} <= alike.keys()
        assert each["sets"] == [pair.left, pair.right]
        assert each["winner"] == (None if e.p > 0.05 else 0 if e.mean > 0 else 1)
        wide = html.typeset(f"[{100 * e.low:+z.1f}, {100 * e.high:+z.1f}]")
        if each["winner"] is None:
            assert "cannot be told apart" in each["answer"] and wide in each["answer"]
        else:
            title = study.get_row(each["sets"][each["winner"]]).title
            assert f"higher with {title} than with" in each["answer"]
            assert f"Top-1 is {100 * abs(e.mean):.1f} points" in each["answer"]
    unknown = sum(each["winner"] is None for each in asked)
    assert 0 < unknown <= guess.ALIKE * guess.PAIRS
    assert {each["winner"] for each in asked} >= {0, 1}  # neither side is always right


@needs_browser
def test_guesses_are_answered_and_counted_for_the_visit(open_page):
    part = guess.guess(ROWS, STUDY)
    page, asked = open_page(part, scripts=["guess"]), data_of(part)["pairs"]
    right = counted = 0
    for number, pair in enumerate(asked[:6]):
        images = page.eval_on_selector_all(".guess .two img", "all => all.map((one) => one.src)")
        assert [Path(src).stem for src in images] == pair["sets"]
        choice = number % 2
        page.locator(".guess .two button").nth(choice).click()
        assert page.inner_text(".guess .answer").endswith(pair["answer"])
        shown = page.locator(".guess .two p").all_inner_texts()
        assert shown == [
            f"{t}: {a}" for t, a in zip(pair["titles"], pair["accuracies"], strict=True)
        ]
        counted += pair["winner"] is not None
        right += pair["winner"] == choice
        assert page.inner_text(".guess output") == (
            f"{right} of {counted} right" if counted else ""
        )
        page.keyboard.press("Enter")  # the focus is on "next pair"
    page.reload()
    assert page.inner_text(".guess output") == f"{right} of {counted} right"
    images = page.eval_on_selector_all(".guess .two img", "all => all.map((one) => one.src)")
    assert [Path(src).stem for src in images] == asked[6]["sets"]
