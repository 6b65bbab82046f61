"""Pages that show committed results: the answer, the list of records, the full-scale plan, links
for Colab.
"""

import dataclasses
import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from synthlearn import book, study
from synthlearn.book import captions, pages, sentences, sheets
from synthlearn.book.pages import benchmarks, fractals, gallery, leaderboard, scale, stored
from synthlearn.core import files, stats
from synthlearn.core.errors import DataError
from synthlearn.measure.initialisation import ArmAccuracy
from synthlearn.site import build
from synthlearn.study import claims, runs, store
from synthlearn.study.records import MeasurementRecord, Run, Spec

STUDY = study.resolve("cpu")
ROWS = book.stored(STUDY)


def test_every_record_has_a_line_a_file_and_its_row_an_anchor():
    shown = pages.records.runs_table(ROWS, STUDY).content
    for kind in ("records", "twins"):
        linked = re.findall(rf"href='\.\./_static/{kind}/cpu/([^']+)'", shown)
        assert sorted(linked) == sorted(
            path.name for path in (files.root() / "results" / kind / "cpu").glob("*.json")
        )
    assert set(re.findall(r"<span id='([^']+)'>", shown)) == set(ROWS)
    measured = set(
        re.findall(
            r"href='\.\./_static/measurements/cpu/([^']+)'",
            pages.records.measurements(STUDY).content,
        )
    )
    assert measured == {
        str(path.relative_to(files.root() / "results/measurements/cpu"))
        for path in (files.root() / "results/measurements/cpu").rglob("*.json")
    }


def test_numbers_link_to_committed_records_only():
    assert (
        captions.record_link("50.0", "real", STUDY)
        == "<a class='number' href='94_records.html#real'>50.0</a>"
    )
    assert captions.record_link("50.0", "real", study.resolve("smoke")) == "50.0"
    assert (
        "94_records.html#mosaic-named'"
        in book.ablation({"mosaic-named": ROWS["mosaic-named"]}, STUDY).content
    )


def test_the_answer_says_what_the_records_say():
    said = pages.answer.answer(ROWS, STUDY).alt
    noise = {
        name: each
        for name, each in book.one_protocol(ROWS, STUDY).items()
        if study.get_row(name).kind == "generator"
    }
    halves, _ = runs.best(noise)
    top = sum(weight * half.accuracy().mean for weight, half in halves)
    floor, real = (ROWS[name].accuracy().mean for name in ("random", "real"))
    assert (
        f"on the other) it names {100 * top:.1f} % [" in said
        and f"trained on real images {100 * real:.1f} %" in said
        and f"Of {len(noise)} sets the best" in said
    )
    assert f"{100 * (top - floor) / (real - floor):.0f} % [" in said
    judged = [claim.verdict for claim in claims.verdicts()]
    sure = pages.answer.how_sure().alt
    assert f"Of {len(judged)} claims, {judged.count('supported')} are supported" in sure
    labels = ROWS["real.supcon"].difference(ROWS["real.simclr_sharp"])
    mean, low, high = (100 * x for x in (labels.mean, labels.low, labels.high))
    assert f"used directly, add {mean:+.1f} [{low:+.1f}, {high:+.1f}] points" in said
    learned = {"learned.stablerep_w2", "learned.w2"} <= ROWS.keys()
    assert ("Pulling several samples of a caption together teaches" in said) == learned
    assert "records are not there" in pages.answer.answer({}, STUDY).content


@pytest.mark.parametrize(
    ("means", "said"),
    [
        ((0.0, 0.01), "cannot be told apart on any of two groups of tasks"),
        ((0.0, 0.2), "Real images are ahead of the best noise b. "),
        ((-0.2, 0.2), "ahead of the best noise b. The best noise is ahead of real images a"),
    ],
)
def test_who_is_ahead_on_which_tasks_is_said_by_the_differences(means, said):
    gaps = {
        name: stats.Estimate(mean=mean, error=0.02, df=100, runs=3, n=1000)
        for name, mean in zip("ab", means, strict=True)
    }
    text = pages.answer.apart(gaps)
    assert said in text and ("on the others" in text) == (means == (0.0, 0.2))


def test_protocols_tell_apart_what_must_not_be_compared():
    of = {name: stored.protocol(each, STUDY) for name, each in ROWS.items()}
    assert of["real"] == of["dead_leaves-mixed"] == "alignment + uniformity, 400 updates"
    assert of["feature_vis-random"] == "alignment + uniformity, 400 updates on 2,000 images"
    assert (
        of["mosaic-named"]
        == "SimCLR, 400 updates"
        != of["mosaic-named.long"]
        == "SimCLR, 1,200 updates"
    )
    assert of["mosaic-named.vit"] == "SimCLR, vit, 400 updates" and of["random"] == "no training"
    few = {name: ROWS[name] for name in ("random", "real", "mosaic-named")}
    assert "<th scope='col' data-filter>protocol</th>" in leaderboard.table(few, STUDY).content


def test_the_leaderboards_updates_are_those_of_the_records_curves():
    trained = {name: each for name, each in ROWS.items() if study.get_row(name).trained}
    assert trained
    for name, each in trained.items():
        ends = {run.curves["step"][-1] for run in each}
        assert len(ends) == 1 and f", {ends.pop():,} updates" in stored.protocol(each, STUDY), name


def test_a_row_of_one_run_is_marked_and_has_an_interval_of_the_same_kind():
    alone = {"real": ROWS["real"][:1]}
    assert (
        "<td>one run</td>" in book.results(alone, STUDY).content
        and "real images (one run)" in book.accuracy_figure(alone, STUDY).content
    )
    assert "95 % interval: runs and images" in book.results(alone, STUDY).content
    lone, many = (each.accuracy() for each in (alone["real"], ROWS["real"]))
    assert (
        lone.over == many.over == "runs and images" and lone.high - lone.low > many.high - many.low
    )


@pytest.mark.parametrize(
    ("n", "batch", "method", "caption"),
    [
        (
            10_000,
            256,
            {},
            "An epoch of 10,000 images ends with a batch of 16 instead of 256, with batch "
            "statistics of its own: hence the regular spikes.",
        ),
        (
            2_000,
            256,
            {},
            "An epoch of 2,000 images ends with a batch of 208 instead of 256, with batch "
            "statistics of its own: it hardly shows.",
        ),
        (10_000, 250, {}, ""),
        (10_000, 499, {"images_per_caption": 10}, ""),  # batches of captions are all alike
        (64, 256, {}, ""),
    ],
)
def test_the_comb_of_curves_is_explained_by_the_last_batch(n, batch, method, caption):
    of = ROWS["real"].first
    content = {"source": {"n_images": n}, "optimisation": {"batch_size": batch}, "method": method}
    run = dataclasses.replace(of, spec=Spec(content))
    assert captions.last_batches({"real": runs.Runs((run,))}) == caption


def test_several_sizes_of_an_epoch_are_explained_in_one_sentence():
    of = ROWS["real"].first
    rows = {}
    for n in (2_000, 10_000):
        content = {"source": {"n_images": n}, "optimisation": {"batch_size": 256}, "method": {}}
        run = dataclasses.replace(of, spec=Spec(content))
        rows[str(n)] = runs.Runs((run,))
    said = captions.last_batches(rows)
    assert "2,000 images: 208 of 256; 10,000 images: 16 of 256" in said
    assert said.count("batch statistics") == 1 and said.endswith("hence the regular spikes.")


def longer(name, updates):
    """Runs of a row as if they had trained for longer."""
    row = f"{name}.u{updates}"
    longer = (
        dataclasses.replace(run, row=row, curves={"step": [updates]}) for run in ROWS[name][:2]
    )
    return runs.Runs(tuple(longer))


def test_length_is_told_by_the_updates_of_records_and_beside_the_papers_shares():
    rows = {f"{name}.u1200": longer(name, 1200) for name in ("real", "dead_leaves-mixed")}
    figure, shown = (
        pages.lengths.length_figure(rows, STUDY),
        pages.lengths.length_table(rows, STUDY).content,
    )
    leaves = 100 * ROWS["dead_leaves-mixed"].accuracy().mean
    assert f"dead leaves, mixed: 400 updates {leaves:.1f} %, 1,200 updates" in figure.alt
    longer_ones = len(pages.lengths.longer_rows(STUDY))
    assert f"Of the {longer_ones} longer rows planned, 2 are recorded so far." in figure.content
    lines = [re.findall(r"<td>(.*?)</td>", line) for line in re.findall(r"<tr>(.*?)</tr>", shown)]
    told = {(line[0], line[2]): line for line in lines if line}
    real, floor = (ROWS[name].accuracy().mean for name in ("real", "random"))
    assert told["dead leaves, mixed", "400"][4].startswith(
        f"{(leaves - 100 * floor) / (real - floor):.0f} % <small>["
    )
    assert told["real images", "1,200"][3:5] == ["–", "–"]
    paper = {line[0]: line for line in lines if line and "the paper" in line[0]}
    assert [line[2] for line in paper.values()] == [
        "27,400"
    ] * 2  # 137 batches of 105,000 images, 200 times
    assert {share for line in paper.values() for share in [line[4]]} == {"at most 53 %", "66 %"}


def test_a_share_after_one_run_says_so():
    rows = {f"{name}.u1200": longer(name, 1200) for name in ("real", "dead_leaves-mixed")}
    one = {**rows, "dead_leaves-mixed.u1200": rows["dead_leaves-mixed.u1200"][:1]}
    both = {name: each[:1] for name, each in rows.items()}
    of = ("dead_leaves-mixed", "leaves")
    several, single, each = (
        pages.lengths.shares_in_words(records, STUDY, *of) for records in (rows, one, both)
    )
    assert "run" not in several and single.endswith("1,200 updates (one run of dead leaves, mixed)")
    assert each.endswith("1,200 updates (one run each)")
    assert pages.lengths.gained(both, STUDY).endswith("updates (one run of these)")


def test_whether_noise_keeps_its_place_is_said_by_the_intervals_of_its_shares(monkeypatch):
    assert pages.lengths.keeps_its_place({}, STUDY, {"dead_leaves-mixed": "leaves"}) == ""
    assert pages.lengths.keeps_its_place({}, STUDY, {"noise-perlin": "never longer"}) == ""
    rows = {f"{name}.u1200": longer(name, 1200) for name in ("real", "dead_leaves-mixed")}
    for after, words in (((0.5, 0.4, 0.6), "cannot tell"), ((0.2, 0.1, 0.3), "leaves falls")):
        ways = iter(((0.5, 0.4, 0.6), after))
        monkeypatch.setattr(pages.lengths, "share_of_way", lambda *_, ways=ways: next(ways))
        assert words in pages.lengths.keeps_its_place(rows, STUDY, {"dead_leaves-mixed": "leaves"})


def test_a_class_has_its_own_images_and_the_spread_of_its_own_runs():
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 500)
    chance = 0.5 + 0.1 * draw.normal(size=(3, 4))  # of each run in each class
    outcomes = draw.random((3, 2000)) < chance[:, labels]
    (parts,) = pages.limits.by_class([outcomes], labels)
    estimates = [stats.contrast([part]) for part in parts]
    assert [e.n for e in estimates] == [500] * 4
    assert estimates[1].mean == pytest.approx(outcomes[:, labels == 1].mean())
    (_, _, spread), *_ = parts
    within = np.stack([outcomes[:, labels == c].mean(1) for c in range(4)])
    assert spread.df == 8 and spread.variance == pytest.approx(within.var(1, ddof=1).mean())


def test_every_generator_has_a_tile_and_a_sheet(monkeypatch):
    small = torch.zeros(8, 3, 8, 8, dtype=torch.uint8)
    source = type("Source", (), {"sample": lambda self, indices, *a: small[: len(list(indices))]})
    monkeypatch.setattr(study.Experiment, "source", lambda self: source())
    monkeypatch.setattr(gallery, "generator", lambda *a: source())
    images = gallery.images(ROWS, study.resolve("smoke"))
    tiles, rows = (part(ROWS, images).content for part in (gallery.tiles, gallery.sheets))
    links, ids = re.findall(r"href='#(set-[^']+)'", tiles), re.findall(r"id='(set-[^']+)'", rows)
    assert links == ids and len(set(ids)) == len(ids)
    assert {"set-dead_leaves-mixed", "set-mixed-kml", "set-mixture-four"} <= set(ids)


def test_a_tile_is_unlike_the_tiles_before_it():
    grey = [torch.full((3, 4, 4), value, dtype=torch.uint8) for value in (0, 90, 250)]
    images = torch.stack(grey)
    assert torch.equal(gallery._least_like(images, []), grey[0])
    assert torch.equal(gallery._least_like(images, grey[:1]), grey[2])
    assert torch.equal(gallery._least_like(images, [grey[0], grey[2]]), grey[1])


def test_the_gallery_is_in_the_order_of_results():
    ordered = gallery.families(ROWS)
    best = [sets[0].accuracy.mean for sets in ordered.values() if sets[0].accuracy]
    assert best == sorted(best, reverse=True) and list(ordered)[-1] == gallery.REST
    for sets in ordered.values():
        means = [each.accuracy.mean for each in sets if each.accuracy]
        assert means == sorted(means, reverse=True)
        assert all(each.accuracy is None for each in sets[len(means) :])


def test_sliders_hold_every_picture_with_its_label():
    shown = sheets.slider(
        {"a": torch.zeros(3, 4, 4, dtype=torch.uint8), "b": torch.ones(3, 4, 4, dtype=torch.uint8)},
        "two",
        scale=2,
    ).content
    assert (
        shown.count("<img") == 2 and 'alt="two (b)"' in shown and 'class="panels slider"' in shown
    )


def test_fractals_of_other_numbers_and_other_factors_differ():
    def images(html):
        return re.findall(r'src="([^"]*)"', html.content)

    grown, others = fractals.growth(0, 32), fractals.systems((0, 13), 32)
    assert images(grown)[-2] == images(others)[0] != images(others)[1]
    assert len(set(images(fractals.instances(13, 32)))) == len(fractals.INSTANCES)


def test_counts_of_operations_are_the_known_ones(monkeypatch):
    assert scale.forward_flop("resnet50", 224) == pytest.approx(
        2 * 4.09e9, rel=0.01
    )  # torchvision's multiply-adds
    assert scale.forward_flop("SmallAlexNet", 64) == pytest.approx(1.64e9, rel=0.01)
    # both layers keep their input alone: bytes can be counted by hand
    monkeypatch.setattr(
        scale,
        "network",
        lambda name, size: torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.Linear(8, 5)),
    )
    assert scale.kept_bytes.__wrapped__("tiny", 8) == 4 * (3 * 8 * 8 + 4 * 8 * 8)


def test_hours_follow_from_operations():
    shown = scale.training_table().content
    run = scale.RUNS[1]
    hours = (
        run.images
        * run.times
        * run.passes
        * scale.forward_flop(run.encoder, run.input_size)
        / (scale.MATMUL * scale.SHARES[1])
        / 3600
    )
    assert f"{hours:.2g} …" in shown
    cost = re.findall(r"<td>(.*?)</td>", scale.diffusion_table().content)
    assert cost[1] == "22,222"  # 100 million pictures at 0.8 s
    trained = (
        9 * 3 * 1e8 * scale.forward_flop("vit_b_16", 224) / (scale.A100 * scale.SHARES[1]) / 3600
    )
    assert (cost[2], cost[3]) == (
        f"{trained:,.0f}",
        f"{1e8 * 0.8 / 3600 / trained:.0f}",
    )  # hours of the same card


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='//example.org/x'>x</a>",
    "<b onclick='alert(1)'>x</b>",
    "<b class='x' onclick='y'>x</b>",
    "<span style='background:url(//example.org)'>x</span>",
    "<small",
    "</td><script src='//example.org'></script>",
    "<svg/onload=alert(1)>",
    "<B ONCLICK=alert(1)>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_table_obeys_no_tag_but_its_own(text):
    shown = book.table(["a", text], [["b", f"x {text}"]]).content
    bare = book.table(["a", ""], [["b", "x "]]).content
    closing = r"</(?:a|b|small|span)>"  # these do nothing
    assert re.findall("<[^>]*>", re.sub(closing, "", shown)) == re.findall("<[^>]*>", bare)


@pytest.mark.parametrize("text", ["'><script>alert(1)</script>", "<img src=x onerror=alert(1)>"])
def test_records_benchmarks_and_rows_cannot_write_into_a_page(text, monkeypatch):
    real = ROWS["real"].first
    words = dict.fromkeys(("device", "date", "code", "python", "torch"), text)
    made = dataclasses.replace(real.provenance, **words)
    rows = {text: runs.Runs((dataclasses.replace(real, row=text, provenance=made),))}
    row = dataclasses.replace(study.get_row("real"), name=text, title=text, chapter=text)
    for module in (leaderboard, pages.costs, pages.records):
        monkeypatch.setattr(module, "get_row", lambda name: row)
    monkeypatch.setattr(leaderboard, "protocol", lambda *a: text)
    machine = json.loads(next((files.root() / "results" / "benchmarks").glob("*.json")).read_text())
    machine |= dict.fromkeys(("device", "torch", "date", "commit"), text)
    machine["rows"] = [machine["rows"][0] | {"what": text, "against": text}]
    engine = {
        "what": text,
        "unit": text,
        "value": 1.0,
        "goal": None,
        "met": None,
        "floor": None,
        "share": None,
        "memory_mb": None,
        "model": text,
        "way": "files",
    }
    machine |= {"engine": [engine, {"what": text, "value": None, "error": text}]}
    machine |= {
        "engine_from": dict.fromkeys(("device", "torch", "date", "commit"), text) | {"kind": "cuda"}
    }
    monkeypatch.setattr(benchmarks, "measurements", lambda: [machine])
    shown = [
        pages.records.runs_table(rows, STUDY),
        leaderboard.table(rows, STUDY),
        pages.costs.rows_table(rows),
        pages.costs.machines(rows),
        book.provenance(STUDY, rows),
        benchmarks.ratios_table(),
        benchmarks.ratios_figure(),
        benchmarks.engine_tables(),
        benchmarks.stored_table(),
    ]
    for figure in shown:
        assert "<script" not in figure.content and "<img" not in figure.content


PAGE = {
    "cells": [
        {"cell_type": "markdown", "source": ["# A"]},
        {"cell_type": "markdown", "source": ["b"]},
    ]
}


def configure(folder, monkeypatch, text):
    monkeypatch.setenv("SYNTHLEARN_ROOT", str(folder))
    (folder / "_config.yml").write_text(f"title: t\n{text}")


def test_pages_open_in_colab_at_a_release_with_a_hidden_first_cell(tmp_path, monkeypatch):
    configure(
        tmp_path,
        monkeypatch,
        "repository:\n  url: https://github.com/somebody/book/\n  branch: v1.2\n",
    )
    cells = build.for_colab(PAGE, "04_fractals")["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "markdown", "markdown"]
    assert cells[1]["metadata"] == {"tags": ["remove-cell"]}
    there = "https://colab.research.google.com/github/somebody/book/blob/v1.2/results/pages/04_fractals.ipynb"
    assert there in cells[2]["source"][0]
    clone = "git clone --quiet --depth 1 --branch v1.2 https://github.com/somebody/book {project}"
    assert clone in "".join(cells[1]["source"])
    assert build.for_colab({"cells": cells}, "04_fractals")["cells"] == cells


def test_a_second_run_of_the_colab_cell_does_not_clone_again(tmp_path, monkeypatch):
    from IPython.core.inputtransformer2 import TransformerManager

    configure(
        tmp_path,
        monkeypatch,
        "repository:\n  url: https://github.com/somebody/book\n  branch: v1.2\n",
    )
    cell = "".join(build.for_colab(PAGE, "a")["cells"][1]["source"])
    cell = cell.replace("/content/project", str(tmp_path / "project"))
    called, moved = [], []

    class Shell:
        def system(self, command):
            called.append(command)
            (tmp_path / "project").mkdir()

        def run_line_magic(self, name, where):
            moved.append((name, where))

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    for _ in range(2):
        exec(TransformerManager().transform_cell(cell), {"get_ipython": Shell})
    assert len(called) == 1 and moved == [("cd", "{project}/notebooks")] * 2


@pytest.mark.parametrize("text", ["", "repository:\n", 'repository:\n  url: ""\n  branch: v1\n'])
def test_without_an_address_of_the_owner_pages_fetch_nothing(text, tmp_path, monkeypatch):
    configure(tmp_path, monkeypatch, text)
    assert build.for_colab(PAGE, "04_fractals") == PAGE
    cells = [PAGE["cells"][0], *({"cell_type": "code", "id": name} for name in build.COLAB)]
    assert build.for_colab({"cells": cells}, "a")["cells"] == PAGE["cells"][:1]


@pytest.mark.parametrize(
    ("address", "tag", "told"),
    [
        ("https://github.com/somebody/book", "main", "branch: 'main': must be a release tag"),
        ("https://github.com/somebody/book", "", "branch: '': must be a release tag"),
        ("https://github.com/somebody/book", "v1; ls", "must be a release tag"),
        ("https://example.org/book", "v1", "must be https://github.com/OWNER/NAME"),
        ("https://github.com/some body/$(ls)", "v1", "must be https://github.com/OWNER/NAME"),
    ],
)
def test_pages_fetch_no_code_that_may_change(address, tag, told, tmp_path, monkeypatch):
    text = f"repository:\n  url: {json.dumps(address)}\n  branch: {json.dumps(tag)}\n"
    configure(tmp_path, monkeypatch, text)
    with pytest.raises(DataError, match=re.escape(told)):
        build.for_colab(PAGE, "04_fractals")


def test_no_committed_page_fetches_from_an_address_that_is_not_the_owners():
    if not build.repository()[0]:
        for path in (files.root() / "results" / "pages").glob("*.ipynb"):
            text = path.read_text(encoding="utf-8")
            assert not [
                name for name in (*build.COLAB, "git clone", "colab.research") if name in text
            ], path.name


def test_committed_records_are_what_they_say():
    """Reading checks digest and schema."""
    assert all(isinstance(run, Run) and run.id for run in store.committed(Run, "cpu"))
    for measurement in ("transfer", "guidance"):
        assert all(record.id for record in store.committed(MeasurementRecord, "cpu", measurement))


def arm_records(row, arms, encoders=2):
    """Records of a row's arms: (arm, images a class, epochs) → top-1, encoders two tenths of a
    point apart."""
    first = ROWS["real"].first

    def one(seed):
        results = {
            f"{arm}, {size}, {epochs}": ArmAccuracy(
                n=10_000,
                top1=top1 + 0.002 * seed,
                low=0.0,
                high=1.0,
                arm=arm,
                per_class=size,
                epochs=epochs,
            )
            for (arm, size, epochs), top1 in arms.items()
        }
        spec = Spec({"what": "initialisation", "seed": seed, "data": first.spec.content["data"]})
        return study.MeasurementRecord(row, "cpu", spec, first.cost, first.provenance, results)

    return {row: [one(seed) for seed in range(encoders)]}


ARMS = {
    ("random", 10, 0): 0.2,
    ("trained", 10, 0): 0.2,
    ("shuffled", 10, 0): 0.19,
    ("random", 1000, 0): 0.4,
    ("trained", 1000, 0): 0.5,
    ("shuffled", 1000, 0): 0.42,
    ("first 1", 1000, 0): 0.45,
    ("first 1", 10, 0): 0.2,
    ("random", 100, 5): 0.3,
    ("trained", 100, 5): 0.4,
    ("shuffled", 100, 5): 0.38,
}


def test_the_answer_on_initialisation_is_the_share_at_the_most_images():
    measured = arm_records("dead_leaves-mixed", ARMS)
    text = pages.initialisation.in_short(measured).alt
    assert "with 1,000 labelled images of each class a linear probe reaches 40.1 % before" in text
    assert "training and 50.1 % after it, +10.0 [" in text
    assert "Of that gain are left: the same numbers shuffled 20 % [" in text
    assert "the others as before: one layer 50 % [" in text
    assert "with 100 images of each class, are left: the same numbers shuffled 80 % [" in text


@pytest.mark.parametrize(
    ("trained", "shuffled", "answer"),
    [
        (0.5, 0.35, "Yes, for frozen features: of the gain"),
        (0.5, 0.45, "keep a part, but not all"),
        (0.5, 0.5, "We cannot tell: of the gain"),
        (0.4, 0.35, "We cannot tell: there may be no gain"),
        (0.3, 0.35, "No: training"),
    ],
)
def test_the_page_on_initialisation_answers_its_question_first(trained, shuffled, answer):
    top1 = {"random": 0.4, "trained": trained, "shuffled": shuffled}
    measured = arm_records("dead_leaves-mixed", {(arm, 1000, 0): v for arm, v in top1.items()})
    first = pages.initialisation.in_short(measured).alt.split(". ")[0]
    assert answer in first
    assert ("nothing that we can see" in first) == (trained == 0.5 and shuffled == 0.35)


def test_a_share_of_no_gain_is_not_a_number():
    content = pages.initialisation.shares(arm_records("dead_leaves-mixed", ARMS)).content
    lines, folded = content.split('<details class="more">')
    shuffled = re.search(r"<td>\(b\) shuffled</td>(.*?)</tr>", lines)[1]
    cells = re.findall(r"<td>(.*?)</td>", shuffled)
    few = {key: top1 for key, top1 in ARMS.items() if key[1] == 10}
    text = pages.initialisation.in_short(arm_records("dead_leaves-mixed", few)).alt
    assert "We cannot tell: there may be no gain" in text and "shuffled" not in text
    worse = {key: top1 - 0.1 * (key[0] == "trained") for key, top1 in few.items()}
    text = pages.initialisation.in_short(arm_records("dead_leaves-mixed", worse)).alt
    assert "No: training on dead leaves, mixed makes the features worse" in text
    assert [cell.split(" <small>")[0] for cell in cells] == [
        pages.initialisation.NO_SHARE,
        "20 %",
        "80 %",
    ]
    assert "frozen, 10 a class" in lines and "fine-tuned, 100 a class" in lines
    assert "as trained" in folded and "as trained" not in lines
    # an arm that is not fine-tuned has a dash there, in both tables
    assert [
        re.search(r"\(d\) first layer</td>.*?</tr>", t)[0].count("–") for t in (lines, folded)
    ] == [1, 1]


def test_both_ways_have_a_panel_and_every_row_its_start():
    measured = {**arm_records("dead_leaves-mixed", ARMS), **arm_records("real", ARMS)}
    figure = pages.initialisation.figure(measured)
    assert "frozen, 1,000 a class" in figure.content
    assert "fine-tuned, 100 a class" in figure.content
    assert "real images, (b) shuffled 42.1" in figure.alt
    assert "2 encoders each" in figure.content


def test_mimetic_attention_is_set_against_the_same_vit_without():
    starts = {("random", 10, 0): 0.2, ("mimetic", 10, 0): 0.25}
    measured = arm_records("random.vit", starts)
    table = pages.initialisation.mimetic(measured).content
    assert "<td>difference, points</td><td>+5.0 <small>[" in table
    words = pages.initialisation.mimetic_in_words(measured)
    assert "with 10 labelled images of each class from 20.1 % to 25.1 %, +5.0 " in words
    assert not words.endswith(sentences.ALONE)
    one = arm_records("random.vit", starts, encoders=1)
    assert pages.initialisation.mimetic_in_words(one).endswith(sentences.ALONE)
    assert pages.initialisation.mimetic_in_words({}) == ""


def test_rows_of_one_encoder_and_of_more_are_told_apart():
    measured = {**arm_records("dead_leaves-mixed", ARMS), **arm_records("real", ARMS, encoders=1)}
    for shown in (pages.initialisation.figure(measured), pages.initialisation.shares(measured)):
        assert re.search(r"Of dead leaves, mixed: [^.]+, 2 encoders each\.", shown.content)
        assert re.search(r"Of real images: [^.]+; one encoder each\.", shown.content)


def test_a_page_of_no_record_says_so_and_makes_none(monkeypatch):
    monkeypatch.setattr(store, "folder", lambda profile, kind: files.root() / "nowhere")
    measured = pages.initialisation.recorded(STUDY)
    assert measured == {}
    functions = ("in_short", "figure", "shares", "mimetic")
    every = [getattr(pages.initialisation, name)(measured) for name in functions]
    assert all("measured in this profile" in each.content for each in every)
    untrained = arm_records("random.vit", {("random", 10, 0): 0.2})
    assert "no record yet" in pages.initialisation.in_short(untrained).content
