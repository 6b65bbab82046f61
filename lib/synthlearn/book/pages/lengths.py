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
from ..comparisons import Pairs
from ..figures import INK
from ..html import Html, interval, percent, points, run_count, runs_in_words, table
from ..plots import Bar, accuracies, draw_line
from ..published import published_shares, published_updates
from ..sentences import share_of_way
from ..tables import share_cell

LENGTHS = "24_length"  # the chapter of the longer rows
MARKERS = "os^Dv<>P"  # matplotlib's, by source


def pool(name: str, profile: Profile) -> str:
    """How many different images a row trains on, and how often it sees each, in words.

    >>> pool("dead_leaves-mixed.n1000", study.resolve("cpu"))  # doctest: +SKIP
    '1,000 images seen 100 times each'
    """
    images, settings = _images_seen(name, profile), get_row(name).settings(profile)
    times = settings.n_images * settings.epochs / images
    often = {1: "once", 2: "twice"}.get(round(times), f"{times:.0f} times each")
    return f"{images:,} images seen {often}"


def _by_size(records: Records, profile: Profile) -> dict[str, dict[str, Runs]]:
    """Runs by source and row, from few to many different images; each source's usual pool is
    among them.
    """
    lines: dict[str, dict[str, Runs]] = {}
    for name in dict.fromkeys([*map(base_of, records), *records]):
        runs = records.get(name) or baseline(profile, name)
        lines.setdefault(base_of(name), {})[name] = runs
    return {
        base: dict(sorted(line.items(), key=lambda entry: _images_seen(entry[0], profile)))
        for base, line in lines.items()
    }


def size_figure(records: Records, profile: Profile) -> Html:
    """Accuracy against the number of different images seen, at equal updates; a line per source,
    the never-repeating stream at all it has seen.
    """
    figure, axis = figures.new(height=3.8)
    words, drawn, counts = [], [], set()
    every = _by_size(records, profile)
    for (base, line), marker in zip(every.items(), MARKERS, strict=False):
        row, estimates = get_row(base), [runs.accuracy() for runs in line.values()]
        images = [_images_seen(name, profile) for name in line]
        draw_line(axis, images, estimates, figures.COLOURS[row.family], marker, row.title)
        values = (
            f"{n:,} images {percent(e.mean)} %" for n, e in zip(images, estimates, strict=True)
        )
        words.append(f"{row.title}: {', '.join(values)}")
        drawn += estimates
        counts |= {*images}
    floor = baseline(profile).accuracy()
    _draw_floor(axis, floor)
    axis.set_xscale("log")
    axis.set_xlabel("different images")
    axis.set_ylabel("top-1, %")
    if max(counts, default=1) >= 1000:
        axis.set_xticks([1e3, 1e4, 1e5], ["1,000", "10,000", "100,000"])
        axis.minorticks_off()
    figures.legend(figure, loc="outside lower center", ncols=2)
    note = f"Equal updates. {line_note([*drawn, floor])}; dashed line and band: the untrained "
    note += "encoder. What to see: whether a line rises."
    alt = f"Accuracy against the number of images. {'; '.join(words)}."
    return figures.svg(figure, alt, note)


def size_table(records: Records, profile: Profile) -> Html:
    """By source, accuracy with so many different images, and how far it lies from that with the
    usual pool.

    >>> sl.book.pages.lengths.size_table(runs, p)  # doctest: +SKIP
    """
    body = []
    for base, line in _by_size(records, profile).items():
        usual = line[base]
        for name, runs in line.items():
            e = runs.accuracy()
            body.append(
                [
                    escape(get_row(base).title),
                    record_link(interval(e), name, profile),
                    "the usual pool" if name == base else points(runs.difference(usual)),
                    pool(name, profile),
                    run_count(e.runs),
                ]
            )
    header = ["source", "top-1, %", "minus the usual pool, points", "different images", "runs"]
    note = f"Equal updates. 95 % intervals over {intervals_over(records)}."
    return table(header, body, note)


def largest(pairs: Pairs) -> str:
    """The largest difference of some pairs, as a clause; empty where there is none.

    >>> sl.book.pages.lengths.largest(pairs)  # doctest: +SKIP
    """
    if not pairs:
        return ""
    label, pair = max(pairs.items(), key=lambda entry: abs(entry[1].difference.mean))
    difference = f"{points(pair.difference)} points"
    return f"the largest difference from the usual pool is {difference} ({escape(label)})"


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
    every = {
        base: {updates: runs.accuracy() for updates, runs in lengths.items()}
        for base, lengths in by_length(records, profile).items()
    }
    missing = planned(records, profile)
    if all(len(line) == 1 for line in every.values()):
        return _at_one_length(every, profile, missing)
    figure, axis = figures.new(height=5.0)
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
    figures.legend(figure, loc="outside lower center", ncols=2)
    drawn = [e for line in every.values() for e in line.values()]
    note = f"{line_note([*drawn, floor])}; dashed line and band: the untrained encoder. "
    note += "What to see: whether lines come nearer to that of real images. "
    note += f"{missing[:1].upper()}{missing[1:]}." if missing else ""
    alt = f"Accuracy against updates. {'; '.join(words)}; "
    alt += f"untrained encoder {percent(floor.mean)} %."
    return figures.svg(figure, alt, note.strip())


def _at_one_length(
    every: Mapping[str, Mapping[int, stats.Estimate]], profile: Profile, missing: str
) -> Html:
    """Accuracy of each source at the one length that has been trained."""
    bars, words = [], []
    for base, line in every.items():
        row, [(updates, e)] = get_row(base), line.items()
        bars.append(Bar(row.title, row.family, e))
        words.append(f"{row.title}, {updates:,} updates: {percent(e.mean)} %")
    floor = baseline(profile).accuracy()
    lengths = dict.fromkeys(f"{n:,}" for line in every.values() for n in line)
    over = line_note(bar.accuracy for bar in bars)
    note = f"After {' or '.join(lengths)} updates. {over}; vertical line: the untrained encoder. "
    note += f"{missing[:1].upper()}{missing[1:]}."
    alt = f"Accuracy by source. {'; '.join(words)}; untrained encoder {percent(floor.mean)} %."
    return accuracies(bars, {"untrained": floor.mean}, alt, note)


def _draw_floor(axis: Axes, floor: stats.Estimate) -> None:
    axis.axhline(100 * floor.mean, color=INK, linestyle="--", linewidth=1)
    axis.axhspan(100 * floor.low, 100 * floor.high, color=INK, alpha=0.12, linewidth=0)


def _label_updates(axis: Axes, updates: set[int]) -> None:
    axis.set_xscale("log")
    axis.set_xticks(sorted(updates), [f"{n:,}" for n in sorted(updates)])
    axis.minorticks_off()
    axis.set_xlabel("updates")
    axis.set_ylabel("top-1, %")


def planned(records: Records, profile: Profile) -> str:
    """How many of the longer rows have no run yet, as a clause; empty where all have.

    >>> sl.book.pages.lengths.planned({}, p)  # doctest: +SKIP
    'of the 14 longer rows planned, none is recorded so far'
    """
    every = longer_rows(profile)
    there = len([name for name in every if name in records])
    if there == len(every):
        return ""
    number = f"{there} are" if there > 1 else "one is" if there else "none is"
    return f"of the {len(every)} longer rows planned, {number} recorded so far"


def shares_in_words(records: Records, profile: Profile, base: str, title: str) -> str:
    """How far of the way to real images a source goes, by updates, as a clause; empty where that
    cannot be said.

    >>> sl.book.pages.lengths.shares_in_words(runs, p, "programs-100", "programs")  # doctest: +SKIP
    """
    parts = [
        (share, f"after {updates:,} updates{one_run(records, profile, base, updates)}")
        for updates, share in shares(records, profile, base).items()
        if share != "–"
    ]
    if not parts:
        return ""
    way = "of the way from the untrained encoder to real images"
    (first, after), *more = parts
    then = "".join(f", and {share} {after_more}" for share, after_more in more)
    return f"{escape(title)} go {first} {way} {after}{then}"


def one_run(records: Records, profile: Profile, base: str, updates: int) -> str:
    """What stands after a share of the way if the source or real images have one run of so many
    updates; empty where both have more.
    """
    every = by_length(records, profile)
    names = [name for name in (base, "real") if len(every[name][updates]) == 1]
    if len(names) == 2:
        return " (one run each)"
    return f" (one run of {escape(get_row(names[0]).title)})" if names else ""


def keeps_its_place(records: Records, profile: Profile, sources: Mapping[str, str]) -> str:
    """Whether sources keep their shares of the way when both train longer, by whether the
    intervals of the shares after the shortest and the longest training overlap; empty where none
    has two.

    sources: row → what the sentence calls it.

    >>> sl.book.pages.lengths.keeps_its_place(runs, p, {"programs-100": "programs"})
    ... # doctest: +SKIP
    """
    every, floor = by_length(records, profile), baseline(profile)
    words: dict[str, list[str]] = {}
    for base, title in sources.items():
        own, real = every.get(base, {}), every.get("real", {})
        ways = [share_of_way(r, floor, real[n]) for n, r in own.items() if n in real]
        known = [way for way in ways if way]
        if len(known) > 1:
            (_, low, high), *_, (_, low_after, high_after) = known
            word = "falls" if high_after < low else "rises" if low_after > high else "cannot tell"
            words.setdefault(word, []).append(title)
    if not words:
        return ""
    falls, rises, unclear = (
        " and ".join(words.get(w, [])) for w in ("falls", "rises", "cannot tell")
    )
    parts = [f"beside real images the share of {falls} falls"] * bool(falls)
    parts += [f"beside real images the share of {rises} rises"] * bool(rises)
    parts += [
        f"we cannot tell whether {unclear} keep their place beside real images: the intervals of "
        "their shares of the way after the shortest and the longest training overlap"
    ] * bool(unclear)
    return "; ".join(parts)


def gained(records: Records, profile: Profile) -> str:
    """What real images gain by the longest training recorded, as a clause; empty where there is
    none.

    >>> sl.book.pages.lengths.gained(runs, p)  # doctest: +SKIP
    """
    lengths = by_length(records, profile).get("real", {})
    if len(lengths) < 2:
        return ""
    (first, *_, last) = lengths
    more = points(lengths[last].difference(lengths[first]))
    runs = runs_in_words(len(lengths[last]))
    return f"real images gain {more} points from {first:,} to {last:,} updates ({runs} of these)"


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
    header = ["source", "top-1, %", "updates", "lead of real images, points", "share of the way"]
    note = (
        f"Intervals over {over}. Share: of the way from the untrained encoder to real images at as "
        "many updates (Fieller's interval), – where that way may be none. "
        "The paper's: its best set, other data and a network of full width, read off a figure "
        "(± 0.2); the bar of ImageNet-100 is cut off there, so its share is a bound."
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
    return [
        escape(get_row(base).title),
        number,
        f"{updates:,}",
        lead,
        share,
        run_count(e.runs),
    ]


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
        title = f"◇ the paper, to {escape(name)}"
        lines.append(
            [
                f"<span class='paper'>{title}</span>",
                f"<span class='paper'>◇ {each.best.value}</span>",
                f"{published_updates():,}",
                f"{'≥ ' * each.is_bound}{each.left:+z.1f}",
                f"{'at most ' * each.is_bound}{100 * each.share:.0f} %",
                "one run",
            ]
        )
    return lines
