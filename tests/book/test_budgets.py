"""The papers' runs and ours in one table."""

import html
import re

import synthlearn as sl
from synthlearn.book.pages import budgets


def cells(table):
    """A table's lines as texts of cells."""
    return [
        [html.unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall("<td>(.*?)</td>", line)]
        for line in re.findall("<tr>(.*?)</tr>", table.content)[1:]
    ]


def test_the_papers_runs_are_as_long_as_their_code_says_and_ours_as_its_record():
    profile = sl.study.resolve("cpu")
    runs = sl.book.stored(profile)[budgets.ROW]
    small, large, stablerep, ours = cells(budgets.compared({budgets.ROW: runs}, profile))
    assert [line[3] for line in (small, large)] == ["27,400", "1,015,600"]
    assert abs(int(stablerep[3].replace(",", "")) - 109_000) < 100
    assert small[5] == f"{58_678_368 / 1e6:.1f} million"
    assert ours[3] == f"{runs.first.updates:,}"
    assert ours[4] == f"{runs.first.cost.views / 1e6:.3g} million"
    assert ours[-1] == "the records" and {line[-1] for line in (small, large)} == {budgets.CODE}


def test_without_a_record_the_papers_stand_alone():
    assert len(cells(budgets.compared({}, sl.study.resolve("cpu")))) == len(budgets.PAPERS)
