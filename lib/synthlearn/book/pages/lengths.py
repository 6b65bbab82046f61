"""The pages on numbers of images and on lengths of training: accuracy against both."""

import itertools
from collections.abc import Mapping
from html import escape

from matplotlib.axes import Axes

from ...core import stats
from ...study import Profile, Runs, get_row, rows_of
from ...study.jobs import baseline
from .. import figures
from ..captions import Records, base_of, intervals_over, line_note, record_link
from ..figures import INK
from ..html import Html, interval, percent, points, run_count, table
from ..plots import draw_line
from ..published import published_shares, published_updates
from ..tables import share_cell

LENGTHS = "24_length"  # the chapter of the longer rows
MARKERS = "os^Dv<>P"  # matplotlib's, by source


def size_figure(records: Records, profile: Profile) -> Html:
    """Accuracy against the number of different images seen, at equal updates; a line per source,
    the never-repeating stream at all it has seen.
    """
    lines: dict[str, list[tuple[int, stats.Estimate]]] = {}
    for name in dict.fromkeys([*records, *map(base_of, records)]):
        runs = records.get(name) or baseline(profile, name)
        images = _images_seen(name, profile)
        lines.setdefault(base_of(name), []).append((images, runs.accuracy()))
    words = []
    figure, axis = figures.new(height=3.4)
    for (base, line), marker in zip(lines.items(), "os^Dv", strict=False):
        line.sort(key=lambda entry: entry[0])
        row = get_row(base)
        counts, estimates = [n for n, _ in line], [e for _, e in line]
        draw_line(axis, counts, estimates, figures.COLOURS[row.family], marker, row.title)
        values = ", ".join(f"{n:,} images {percent(e.mean)} %" for n, e in line)
        words.append(f"{row.title}: {values}")
    floor = baseline(profile).accuracy().mean
    axis.axhline(100 * floor, color=INK, linestyle="--", linewidth=1)
    axis.set_xscale("log")
    axis.set_xlabel("different images")
    axis.set_ylabel("top-1, %")
    axis.legend(labelcolor=INK, frameon=False)
    over = line_note(e for line in lines.values() for _, e in line)
    note = f"Equal updates; {over}; dashed line: the random encoder."
    alt = f"Accuracy against the number of images. {'; '.join(words)}."
    return figures.svg(figure, alt, note)


def _images_seen(name: str, profile: Profile) -> int:
    settings = get_row(name).settings(profile)
    return round(settings.n_images * (1 + settings.refresh * (settings.epochs - 1)))


def longer_rows(profile: Profile) -> list[str]:
    """Rows that differ from their base in length alone."""
    return [row.name for row in rows_of(profile) if row.chapter == LENGTHS]


def by_length(records: Records, profile: Profile) -> dict[str, dict[int, Runs]]:
    """Runs of each source by how long they trained: source → updates, rising → runs.

    records: of the longer rows; their bases' are looked up.
    """
    sources: dict[str, dict[int, Runs]] = {}
    for name in longer_rows(profile):
        base = base_of(name)
        if base not in sources:
            runs = records.get(base) or baseline(profile, base)
            sources[base] = {runs.first.updates: runs}
        if name in records:
            sources[base][records[name].first.updates] = records[name]
    return {base: dict(sorted(lengths.items())) for base, lengths in sources.items()}


def length_figure(records: Records, profile: Profile) -> Html:
    """Accuracy against the number of updates, a line per source; the random encoder, which needs
    none, as a dashed line with its interval.
    """
    figure, axis = figures.new(height=4.6)
    every = {
        base: {updates: runs.accuracy() for updates, runs in lengths.items()}
        for base, lengths in by_length(records, profile).items()
    }
    words = []
    for i, ((base, line), marker) in enumerate(
        zip(every.items(), itertools.cycle(MARKERS), strict=False)
    ):
        row = get_row(base)
        aside = 1.02 ** (i - (len(every) - 1) / 2)  # so that intervals stand side by side
        x, colour = [updates * aside for updates in line], figures.COLOURS[row.family]
        draw_line(axis, x, list(line.values()), colour, marker, row.title)
        values = ", ".join(
            f"{updates:,} updates {percent(e.mean)} %" for updates, e in line.items()
        )
        words.append(f"{row.title}: {values}")
    floor = baseline(profile).accuracy()
    _draw_floor(axis, floor)
    _label_updates(axis, {updates for line in every.values() for updates in line})
    figure.legend(loc="outside lower center", ncols=3, labelcolor=INK, frameon=False, fontsize=9)
    drawn = [e for line in every.values() for e in line.values()]
    note = f"{line_note([*drawn, floor])}; dashed line and band: the random encoder. "
    note += _missing(records, profile)
    alt = f"Accuracy against updates. {'; '.join(words)}; "
    alt += f"random encoder {percent(floor.mean)} %."
    return figures.svg(figure, alt, note.strip())


def _draw_floor(axis: Axes, floor: stats.Estimate) -> None:
    axis.axhline(100 * floor.mean, color=INK, linestyle="--", linewidth=1)
    axis.axhspan(100 * floor.low, 100 * floor.high, color=INK, alpha=0.12, linewidth=0)


def _label_updates(axis: Axes, updates: set[int]) -> None:
    axis.set_xscale("log")
    axis.set_xticks(sorted(updates), [f"{n:,}" for n in sorted(updates)])
    axis.minorticks_off()
    axis.set_xlabel("updates")
    axis.set_ylabel("top-1, %")


def _missing(records: Records, profile: Profile) -> str:
    """Longer rows that have no run yet; empty where all have."""
    missing = [get_row(name).title for name in longer_rows(profile) if name not in records]
    return f"No run yet: {'; '.join(missing)}." if missing else ""


def length_table(records: Records, profile: Profile) -> Html:
    """By source and updates: accuracy, real images' lead at as many updates, and how far of the way
    from the random encoder to them; the paper's shares.
    """
    floor, every = baseline(profile), by_length(records, profile)
    body = []
    for base, lengths in every.items():
        real = every.get("real", {}) if base != "real" else {}
        for updates, runs in lengths.items():
            body.append(_length_line(base, updates, runs, real, floor, profile))
    over = intervals_over({"random": floor, **records})
    header = ["source", "updates", "top-1, %", "real images − it, points", "share of the way"]
    note = (
        f"Intervals over {over}. Share: of the way from the random encoder to real images at as "
        "many updates (Fieller's), – where that way may be none. "
        "The paper's: other data and a network of full width, read off a figure (± 0.2); "
        "the bar of ImageNet-100 is cut off there, so its share is a bound."
    )
    return table([*header, "runs"], [*body, *_published_lines()], note)


def _length_line(
    base: str,
    updates: int,
    runs: Runs,
    real: Mapping[int, Runs],
    floor: Runs,
    profile: Profile,
) -> list[str]:
    lead = share = "–"
    if updates in real:
        lead = points(real[updates].difference(runs))
        share = share_cell(runs, floor, real[updates])
    e = runs.accuracy()
    number = record_link(interval(e), runs.row.name, profile)
    return [escape(get_row(base).title), f"{updates:,}", number, lead, share, run_count(e.runs)]


def shares(records: Records, profile: Profile, base: str) -> dict[int, str]:
    """How far of the way from the random encoder to real images a source goes, by updates, where
    both have been trained so long.

    records: of the longer rows.
    """
    every, floor = by_length(records, profile), baseline(profile)
    ours, real = every.get(base, {}), every.get("real", {})
    return {n: share_cell(ours[n], floor, real[n]) for n in ours if n in real}


def _published_lines() -> list[list[str]]:
    """The paper's shares, as lines of the table; real images may be further away than a bar that is
    cut off.
    """
    lines = []
    for name, each in published_shares().items():
        title = f"◇ the paper: {escape(each.best.row)}, real images: {escape(name)}"
        lines.append(
            [
                f"<span class='paper'>{title}</span>",
                f"{published_updates():,}",
                f"<span class='paper'>◇ {each.best.value}</span>",
                f"{'≥ ' * each.is_bound}{each.left:+.1f}",
                f"{'at most ' * each.is_bound}{100 * each.share:.0f} %",
                "one run",
            ]
        )
    return lines
