"""The book: strict parameters, figures, pairs, and the way from chapters to checked pages."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jupytext
import nbformat
import numpy as np
import papermill
import pytest
import torch

from synthlearn import book, study
from synthlearn.book import figures, html, pages, plots
from synthlearn.book import parameters as strict
from synthlearn.core import files, stats
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.measure.base import MEASUREMENTS
from synthlearn.site import build, check, pairs
from synthlearn.study import jobs, store, units
from synthlearn.study import runs as study_runs
from synthlearn.study.records import MeasurementRecord, Spec

ROOT = files.root()
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def namespace(source):
    """What a notebook's globals hold after a cell."""
    variables = {}
    exec(source, variables)
    return variables


def test_a_chapter_without_injection_has_the_profiles_values():
    p = strict(namespace('profile: str = "smoke"\nepochs: int | None = None'))
    assert p == study.resolve("smoke")


def test_injected_values_replace_the_profiles():
    assert (
        strict(
            namespace('profile: str = "smoke"\nepochs: int | None = None\nepochs = 200\nhue = 0.1')
        ).epochs
        == 200
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("epoch = 5", r"unknown parameter 'epoch' \(= 5\): did you mean 'epochs'"),
        ("epochs = 'many'", r"epochs = 'many': must be a whole number, not str"),
        ("n_images = 0", r"n_images = 0: must lie between 2"),
        ("profile = 3", r"profile = 3: must be a word"),
        ("crop = 100", r"crop = 100: larger than the images"),
        ("data = 'cifar11'", r"data set 'cifar11' is not here"),
        ("device = 'cuda:7'", r"device = 'cuda:7': not on this machine"),
        ("data = ''", r"data = '': must be a word, not empty"),
        ("_epochs = 3", r"unknown parameter '_epochs' \(= 3\): did you mean 'epochs'"),
        ("name = 'x'", r"unknown parameter 'name' \(= 'x'\)"),
        ("sl = 5", r"unknown parameter 'sl' \(= 5\)"),
        ("__name__ = 'x'", r"unknown parameter '__name__'"),
        ("epochs = int", r"epochs = <class 'int'>: must be a whole number"),
    ],
)
def test_wrong_parameters_are_named(line, message, no_data):
    with pytest.raises((ParameterError, DataError), match=message):
        strict(namespace(f'profile: str = "smoke"\nepochs: int | None = None\n{line}'))


@pytest.mark.parametrize("declared", ["int | None", "int"])
def test_none_is_the_profiles_value(declared):
    assert strict(
        namespace(f'profile: str = "smoke"\nepochs: {declared} = None\nepochs = None')
    ) == study.resolve("smoke")


def test_what_papermill_injected_is_read_from_its_cell_where_the_namespace_no_longer_tells(
    monkeypatch,
):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: shell)
    first = 'profile: str = "smoke"\nepochs: int = None'
    for injected, wrong in (
        ("sl = 5", "'sl' (= 5)"),
        ("In = 3", "'In' (= 3)"),
        ("_ = 'x'", "'_' (= 'x')"),
        ("p = float('nan')", "'p' (= \"float('nan')\")"),
    ):
        shell.history_manager.input_hist_parsed[:] = [
            "",
            first,
            f"# Parameters\n{injected}\n",
            "import synthlearn as sl",
        ]
        with pytest.raises(ParameterError, match=re.escape(f"unknown parameter {wrong}")):
            strict({**namespace(first), "_i1": first, "In": [], "sl": sys})
    shell.history_manager.input_hist_parsed[:] = ["", first, "# Parameters\nepochs = 3\n"]
    assert strict({**namespace(first), "epochs": 3, "_i1": first, "_editors": 1}).epochs == 3


def test_papermill_refuses_a_misspelt_parameter(tmp_path):
    """(That it runs a chapter from another folder is tried with the README's.)"""
    refused = subprocess.run(
        [
            Path(sys.executable).with_name("papermill"),
            ROOT / "notebooks" / "94_records.ipynb",
            tmp_path / "bad.ipynb",
            *("-p", "epoch", "200"),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        refused.returncode != 0
        and "unknown parameter 'epoch' (= 200): did you mean 'epochs'?" in refused.stderr
    )
    outputs = [
        o
        for cell in nbformat.read(tmp_path / "bad.ipynb", 4).cells
        for o in cell.get("outputs", [])
        if o.output_type == "error"
    ]
    assert (
        len(outputs) == 1 and len(outputs[0].traceback) == 1
    )  # the message alone, in the first cells


def test_papermill_knows_every_parameter_that_a_chapter_declares(tmp_path):
    """So that it does not greet a valid one as unknown, and ``--help-notebook`` lists it."""
    template = tmp_path / "template.ipynb"
    jupytext.write(jupytext.read(ROOT / "book" / "template.py"), template)
    for path in [template, *NOTEBOOKS]:
        cells = jupytext.read(path).cells
        cell = next(c for c in cells if "parameters" in c.metadata.get("tags", []))
        declared = namespace(cell.source)["__annotations__"].keys()
        assert "profile" in declared and papermill.inspect_notebook(path).keys() == declared, (
            path.name
        )


def test_pairs_hold_the_same_cells_and_no_outputs():
    assert pairs.problems(ROOT / "notebooks") == []


def test_pairs_out_of_step_are_named(tmp_path):
    for suffix in (".py", ".ipynb"):
        shutil.copy(ROOT / "notebooks" / f"90_leaderboard{suffix}", tmp_path)
    (tmp_path / "90_leaderboard.py").write_text(
        (tmp_path / "90_leaderboard.py").read_text() + "\n# %%\n1 + 1\n"
    )
    (tmp_path / "alone.py").write_text("# %%\n1\n")
    differ, alone = pairs.problems(tmp_path)
    assert "differ in content" in differ and "alone: has no .ipynb pair" in alone
    pairs.sync(tmp_path)
    assert pairs.problems(tmp_path) == []


def test_chapters_hold_no_machinery():
    """What is folded calls the library; what is open, or solves an exercise, may show how it
    works."""
    for path in NOTEBOOKS:
        for cell in jupytext.read(path).cells:
            tags = cell.metadata.get("tags", [])
            if cell.cell_type == "code" and tags and "solution" not in tags:
                assert not re.search(
                    r"backward|optimi[sz]er?\b|open\(|\.to_csv|torch\.save", cell.source
                ), path.name
            if cell.cell_type == "code":
                assert len(cell.source.splitlines()) <= 40, (path.name, cell.source[:80])


def test_every_figure_needs_an_alternative_text():
    with pytest.raises(ParameterError, match="every figure needs an alternative text"):
        book.contact_sheet(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), alt=" ")


def test_svg_figures_take_the_pages_colour_and_have_unique_ids():
    texts = []
    for _ in range(2):
        figure, axis = figures.new()
        axis.plot([0, 1], [0, 1])
        texts.append(figures.svg(figure, alt='a line from "zero"').content)
    assert "currentColor" in texts[0]
    assert not any(colour in texts[0] for colour in (figures.INK, "black", "#000"))
    assert 'aria-label="a line from &quot;zero&quot;"' in texts[0]
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in texts]
    assert not ids[0] & ids[1]


def test_the_accuracy_figure_draws_all_text_in_the_pages_colour():
    e = stats.Estimate(0.5, 0.05, np.inf, 2, 1000)
    bars = [plots.Bar("a", "real", e, 30.0), plots.Bar("a", "real", e)]
    text = plots.accuracies(bars, {"untrained": 0.45}, "two rows", "").content
    assert "#000000" not in text and "fill: black" not in text


def test_the_papers_panel_has_the_sets_that_it_has_a_number_of():
    e = stats.Estimate(0.5, 0.05, np.inf, 2, 1000)
    bars = [plots.Bar("theirs too", "real", e, 30.0), plots.Bar("ours alone", "real", e)]
    text = plots.accuracies(bars, {"untrained": 0.45}, "two rows", "").content
    assert (text.count(">theirs too<"), text.count(">ours alone<")) == (2, 1)


def test_contact_sheets_hold_the_pictures():
    from synthlearn.core.image import to_tiles

    x = torch.arange(3 * 3 * 4 * 4, dtype=torch.uint8).view(3, 3, 4, 4)
    sheet = to_tiles(x, 2)
    assert sheet.shape == (10, 10, 4) and torch.equal(sheet[6:, :4, :3].permute(2, 0, 1), x[2])
    assert int(sheet[6:, 6:, 3].max()) == 0 and int(sheet[:4, :4, 3].min()) == 255


def test_pictures_stay_within_the_committed_size():
    for path in (ROOT / "results" / "pages").glob("*.ipynb"):
        assert path.stat().st_size <= build.PAGE_LIMIT, path.name


def executed(name, *, failed=False):
    """A small executed chapter with a picture, a stderr line and papermill's metadata."""
    picture = book.contact_sheet(
        torch.full((2, 3, 8, 8), 7, dtype=torch.uint8), alt="two grey squares"
    )
    bundle = picture._repr_mimebundle_()
    cell = nbformat.v4.new_code_cell(
        "show()", execution_count=1, metadata={"papermill": {"duration": 1}, "tags": ["hide-input"]}
    )
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="training: 100%"),
        nbformat.v4.new_output("display_data", data=bundle),
    ]
    if failed:
        cell.outputs.append(
            nbformat.v4.new_output(
                "error", ename="ParameterError", evalue="epochs = 0", traceback=[]
            )
        )
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(f"# {name}\n\nSee {{cite:p}}`wang2020`."), cell]
    )
    language = {"name": "python", "pygments_lexer": "ipython3"}
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": language,
        "papermill": {"input_path": "/home/somebody/x.ipynb"},
    }
    return notebook


@pytest.fixture
def small_book(tmp_path, monkeypatch):
    """A project of three chapters with the real configuration, and its executed chapters."""
    root = tmp_path / "project"
    (root / "book").mkdir(parents=True)
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copy(ROOT / "CITATION.cff", root)
    shutil.copytree(ROOT / "book" / "_static", root / "book" / "_static")
    shutil.copy(ROOT / "book" / "references.bib", root / "book")
    shutil.copy(ROOT / "book" / "references.md", root / "book")
    toc = "format: jb-book\nroot: notebooks/a\nchapters:\n"
    toc += "- file: notebooks/b\n- file: notebooks/c\n- file: book/references\n"
    (root / "_toc.yml").write_text(toc)
    pages = root / "pages"
    pages.mkdir()
    for name in "abc":
        nbformat.write(executed(name), pages / f"{name}.ipynb")
    monkeypatch.setenv("SYNTHLEARN_ROOT", str(root))
    return root


def test_a_book_of_three_chapters_has_its_pictures_and_no_broken_link(small_book, tmp_path):
    index = build.build(small_book / "pages", tmp_path / "out")
    assert index.exists()
    html = index.parent
    for name in "abc":
        page = html / "notebooks" / f"{name}.html"
        text = page.read_text()
        assert 'alt="two grey squares"' in text and "data:image/png;base64," in text
        assert "training: 100%" not in text and "/home/somebody" not in text
    assert "notebooks/a.html" in index.read_text()  # the first page, by a redirect
    assert check.problems(html) == []
    if check.browser():
        assert (
            check.look(
                html, [f"notebooks/{n}.html" for n in "abc"], "references", tmp_path / "shots"
            )
            == []
        )
        assert len(list((tmp_path / "shots").glob("*.png"))) == 18


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('<a href="b.html">b</a>', "a.html: broken link b.html"),
        ('<a href="#there">t</a>', "a.html: no such place #there"),
        (
            '<img src="data:image/png;base64,AA" alt=" ">',
            "a.html: an image without alternative text",
        ),
        ('<svg role="img" aria-label=""></svg>', "a.html: an image without alternative text"),
    ],
)
def test_the_check_names_what_is_wrong_with_a_page(body, complaint, tmp_path):
    (tmp_path / "a.html").write_text(
        f"<html><body id='here'><a href='#here'>x</a>{body}</body></html>"
    )
    (problem,) = check.problems(tmp_path)
    assert problem.startswith(complaint)


def test_the_check_bounds_the_site_and_needs_one(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="no pages there; build the site first"):
        check.problems(tmp_path)
    (tmp_path / "a.html").write_text("<html></html>")
    monkeypatch.setattr(check, "SITE_LIMIT", 5)
    assert check.problems(tmp_path) == ["the site has 13 bytes, allowed are 5"]


@pytest.mark.skipif(check.browser() is None, reason="no Chromium here")
def test_the_check_sees_what_only_a_browser_can(tmp_path):
    wide = "<div style='width:2000px'>x</div><img src='data:image/png;base64,AA' alt='no picture'>"
    slider = "<div class='slider'><figure></figure><figure></figure></div>"
    (tmp_path / "a.html").write_text(
        f"<html><body>{wide}<script>nothing()</script>{slider}</body></html>"
    )
    problems = "\n".join(check.look(tmp_path, ["a.html"]))
    for problem in (
        "1 images do not load",
        "pixels wider than the window",
        "script: nothing is not defined",
        "1 sliders show no single image",
    ):
        assert problem in problems


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js here")
def test_tables_sort_numbers_with_separators_by_value():
    cells = [
        "992",
        "4,946",
        "1,234,567",
        "47.5 [45.9, 49.0]",
        "−0.4",
        "+1.2",
        "mosaic",
        "12, of 30",
        "one run",
        "± 0.5",
        "◇ 35.2",
        "12.5 %",
        "2026-11-28",
        "9c81e0f",
        "–",
    ]
    source = (ROOT / "book/_static/tables.js").read_text()
    number = re.search(r"const number = .*?\n  };", source, re.DOTALL)[0]
    script = f"{number};console.log(JSON.stringify({json.dumps(cells)}.map(number)))"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [
        *(992, 4946, 1234567, 47.5, -0.4, 1.2, None, 12, 1, 0.5, 35.2, 12.5),
        *(None, None, None),
    ]


def test_a_failed_a_missing_and_an_unrun_chapter_do_not_enter_the_book(small_book, tmp_path):
    path = small_book / "pages" / "b.ipynb"
    nbformat.write(executed("b", failed=True), path)
    with pytest.raises(
        DataError,
        match=r"b.ipynb: cell 1 failed with ParameterError: epochs = 0; "
        "a failed chapter does not enter the book",
    ):
        build.build(small_book / "pages", tmp_path / "out")
    unrun = executed("b")
    unrun.cells[1].execution_count = None
    nbformat.write(unrun, path)
    with pytest.raises(DataError, match="cell 1 was not run"):
        build.build(small_book / "pages", tmp_path / "out")
    path.unlink()
    with pytest.raises(DataError, match=r"b\.ipynb is missing: run the chapters first"):
        build.build(small_book / "pages", tmp_path / "out")
    assert not (tmp_path / "out" / "html").exists()


def test_a_warning_of_the_builder_is_an_error(small_book, tmp_path):
    broken = executed("b")
    broken.cells[0].source = "# b\n\n{cite:p}`nobody1999`"
    nbformat.write(broken, small_book / "pages" / "b.ipynb")
    with pytest.raises(DataError, match=r"jupyter-book failed(?s:.*)nobody1999"):
        build.build(small_book / "pages", tmp_path / "out")


def page(name, commit="0123456789"):
    """An executed chapter that says at which commit it was made."""
    notebook = executed(name)
    line = f"profile cpu · data digits · page made at commit {commit} · this page 1 s"
    notebook.cells[1].outputs.append(
        nbformat.v4.new_output("display_data", data={"text/plain": line})
    )
    return notebook


@pytest.fixture
def finished(small_book, monkeypatch):
    """Executed chapters of a small book that may be published: no job is planned."""
    done = small_book / "_build" / "chapters" / "smoke"
    done.mkdir(parents=True)
    for name in "abc":
        nbformat.write(page(name), done / f"{name}.ipynb")
    monkeypatch.setattr(jobs, "all_jobs", lambda profile: [])
    return done


def test_publishing_copies_clean_pages_of_a_bounded_size(finished, small_book, monkeypatch):
    assert len(build.publish("smoke")) == 3
    text = (small_book / "results" / "pages" / "a.ipynb").read_text()
    assert (
        "papermill" not in text
        and "stderr" not in text
        and json.loads(text)["cells"][1]["metadata"] == {"tags": ["hide-input"]}
    )
    monkeypatch.setattr(build, "PAGE_LIMIT", 100)
    with pytest.raises(DataError, match=r"chapter a: its page has .* bytes, allowed are 100"):
        build.publish("smoke")


@pytest.mark.parametrize(
    ("commits", "named"),
    [
        (("0123456789", "0123456789", "abcdef0123"), "0123456789: a, b; abcdef0123: c"),
        (("0123456789+",) * 3, r"0123456789\+: a, b, c"),
        (("unknown",) * 3, "unknown: a, b, c"),
    ],
)
def test_pages_of_several_commits_or_of_a_changed_checkout_are_not_published(
    commits, named, finished, small_book
):
    for name, commit in zip("abc", commits, strict=True):
        nbformat.write(page(name, commit), finished / f"{name}.ipynb")
    with pytest.raises(
        DataError,
        match=f"at one commit .* they are of {named}; "
        "commit, run make pages PROFILE=smoke, publish again",
    ):
        build.publish("smoke")
    assert not (small_book / "results" / "pages").exists()


def test_a_stale_record_stops_publishing_and_a_missing_one_is_named(finished, monkeypatch, capsys):
    states = {"noise-white seed 0": "fresh", "real seed 0": "missing", "real seed 1": "missing"}
    planned = [SimpleNamespace(title=title) for title in states]
    monkeypatch.setattr(jobs, "all_jobs", lambda profile: planned)
    monkeypatch.setattr(store, "state", lambda job: states[job.title])
    assert len(build.publish("smoke")) == 3
    assert (
        capsys.readouterr().out == "2 planned runs have no record yet; "
        "the pages show those that are there: real (0, 1)\n"
    )
    states["noise-white seed 0"] = "stale"
    stale = r"cannot publish: 1 records are stale \(noise-white \(0\)\); "
    with pytest.raises(DataError, match=stale + "run make study PROFILE=smoke, or make verify"):
        build.publish("smoke")


def test_every_page_says_at_which_commit_it_was_made():
    for path in NOTEBOOKS:
        assert "sl.book.provenance(" in jupytext.read(path).cells[-1].source, path.name


def test_results_and_verdicts_are_computed_from_records(runs):
    p = study.resolve("smoke", n_images=32, epochs=1, batch_size=16, width=1 / 16, per_class=20)
    row = study.get_row("noise-white")
    run = store.get(study.Experiment(row, p, 0))
    records = {row.name: study.Runs((run,)), "random": book.baseline(p)}
    top1 = 100 * run.results["fc6_linear"].top1
    text = book.results(records, p).content
    assert f"{top1:.1f}" in text and "◇ 21.1" in text and "gain, points" in text
    assert f"white noise {top1:.1f} %" in book.accuracy_figure(records, p).alt
    assert "seeds 0" in book.provenance(p, records).alt
    assert np.isfinite(records["random"].first.cost.wall_seconds)


def test_a_table_has_a_cell_for_every_heading():
    assert html.table(["a", "b"], [["1", "2"]]).content.count("<td>") == 2
    with pytest.raises(ValueError, match="3 cells under 2 headings"):
        html.table(["a", "b"], [["1", "2", "3"]])


def test_costs_are_those_of_the_records():
    records = book.stored(study.resolve("cpu"))
    content = pages.costs.rows_table(records).content
    head, *lines = re.findall(r"<tr>(.*?)</tr>", content)
    column = re.findall(r"<th[^>]*>(.*?)</th>", head).index("images, min")
    for line, runs in zip(lines, records.values(), strict=True):
        seconds = [run.cost.pool_seconds for run in runs]
        cell = re.findall(r"<td>(.*?)</td>", line)[column]
        if None in seconds:
            assert cell == "–"
            continue
        each = f"{sum(seconds) / len(seconds) / 60:.1f}"
        assert cell == each or (cell, each) == ("&lt; 0.1", "0.0")


def measured(what, rows, part, **spec):
    """Records of a measurement's one part: row → values of top-1, one per encoder."""
    first = study_runs.committed("cpu")["real"].first
    name, fields = part

    def record(row, top1):
        results = {"top1": top1, "low": top1, "high": top1, "n": 500, **fields(top1)}
        parts = {name: MEASUREMENTS[what].part(name, results)}
        content = Spec({"what": what, **spec})
        return MeasurementRecord(row, "cpu", content, first.cost, first.provenance, parts)

    return {row: [record(row, top1) for top1 in values] for row, values in rows.items()}


@pytest.mark.parametrize(
    ("what", "fields", "values", "caption"),
    [
        (
            "fine_tuning",
            {"lr": 0.1, "train": 50},
            {"random": [0.3], "real": [0.5]},
            "over test images, which say nothing of how far encoders lie apart; one encoder each.",
        ),
        (
            "few_shot",
            {"draws": 20},
            {"random": [0.3, 0.35], "real": [0.5], "raw_pixels": [0.2, 0.2]},
            "over encoders and test images, 1 to 2 encoders each (raw pixels have none).",
        ),
        (
            "layers",
            {"size": 10},
            {"random": [0.3], "real": [0.5]},
            "over test images and the spread of encoders that the main probe has; "
            "one encoder each.",
        ),
    ],
)
def test_a_caption_says_over_what_its_intervals_are_and_of_how_many_encoders(
    what, fields, values, caption
):
    data = study_runs.committed("cpu")["real"].first.spec.content["data"]
    records = measured(what, values, ("5", lambda top1: fields), data=data)
    table = book.parts_table(records, "Top-1.")
    assert caption in table.alt
    alone = len(values["random"]) > 1  # marked are those of one where others have more
    assert ("real images, one encoder" in table.content) == alone
    assert "untrained encoder, one" not in table.content
    assert "raw pixels, one" not in table.content


def test_a_private_tables_interval_is_over_encoders_and_settings_stand_apart():
    def fields(mean):
        draws = [mean - 0.001, mean + 0.001]
        return {"each": draws, "steps": 30, "rate": 16.0, "noise": 1.0, "tried": 6}

    means = {"random": [0.3, 0.34], "real": [0.4, 0.44]}
    runs = study_runs.committed("cpu")
    data = runs["real"].first.spec.content["data"]
    records = measured("private", means, ("1", fields), data=data)
    text = pages.private.facts(records, {name: runs[name] for name in records}).content
    e = units.part(records, "1").estimate("real")
    numbers, settings = text.split('<details class="more">')
    assert f"42.0 <small>[{100 * e.low:.1f}, {100 * e.high:.1f}]</small>" in numbers
    assert e.high - e.low > 0.1  # the draws alone: 0.002
    assert "rate" not in numbers and "<td>30,&nbsp;16<br>30,&nbsp;16</td>" in settings
