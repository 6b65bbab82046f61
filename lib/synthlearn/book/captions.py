"""What tables and plots say of their rows: titles, what intervals are over, sources of numbers."""

import time
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ..core import stats
from ..core.errors import DataError
from ..data import datasets
from ..study import Profile, Record, Row, Runs, claims, get_row, units
from ..study.provenance import commit
from .html import Html

Records = Mapping[str, Runs]  # a chapter's runs, by row
NO_CHANGE = "–"
RECORDS_PAGE = "94_records.html"
MOCO = "moco"  # its loss is over a queue, which one small batch hardly changes
CODES = 12  # versions that a page lists
_start = time.perf_counter()


def base_of(name: str) -> str:
    """The row that a variant varies."""
    return name.split(".")[0]


def run_title(row: Row, e: stats.Estimate) -> str:
    """A row's title for a plot, with a mark where its interval is over runs but stands on one."""
    return f"{row.title} (one run)" if e.runs == 1 and e.over != "images" else row.title


def encoder_title(name: str, measured: units.Units) -> str:
    """A row's title, with a mark where it has one encoder and others have more."""
    most = max(map(len, measured.values.values()))
    alone = name not in units.PIXELS and len(measured.values[name]) == 1 < most
    return get_row(name).title + ", one encoder" * alone


def record_link(text: str, name: str, profile: Profile) -> str:
    """A row's number or title as a link to the list of records, where these are committed."""
    if not profile.is_study or profile.name != claims.deciding():
        return text
    return f"<a class='number' href='{RECORDS_PAGE}#{escape(name)}'>{text}</a>"


def changes(row: Row, profile: Profile) -> str:
    """What a variant changes, in words of the file; a dash for nothing."""
    base = get_row(base_of(row.name))
    usual = {**base.method_options, **base.options, **base.by_profile.get(profile.name, {})}
    own = {**row.method_options, **row.options, **row.overrides}
    own |= row.by_profile.get(profile.name, {})
    return list_options({key: value for key, value in own.items() if usual.get(key) != value})


def list_options(options: Mapping[str, object]) -> str:
    """Options in words of the file, but for the number of runs; a dash for none."""
    own = {**options}
    nested = own.pop("options", {})  # of the source, where a profile has its own
    own |= nested if isinstance(nested, Mapping) else {}
    words = [f"{key} = {value}" for key, value in own.items() if key != "seeds"]
    return ", ".join(words) or NO_CHANGE


def intervals_over(records: Records) -> str:
    """What the intervals of some rows are over."""
    kinds = list(dict.fromkeys(runs.accuracy().over for runs in records.values()))
    if kinds == ["images"]:
        return "images alone, as nothing is known of how far runs lie apart"
    return ", or ".join(f"{kind}{' alone' * (kind == 'images')}" for kind in kinds)


def intervals_over_encoders(measured: units.Units) -> str:
    """What the intervals of a measurement are over, and how many encoders of each row were
    measured.
    """
    rows = [name for name in measured.values if name not in units.PIXELS]
    counts = {len(measured.values[name]) for name in rows} or {0}
    if counts == {1}:
        what = measured.over.split(";")[0].replace("images", "test images")
        rest = ", which say nothing of how far encoders lie apart"
        if units.LENT in measured.over:
            rest = " and the spread of encoders that the main probe has"
        return f"95 % intervals over {what}{rest}; one encoder each."
    many = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    pixels = " (raw pixels have none)" * (len(rows) < len(measured.values))
    return f"95 % intervals over encoders and test images, {many} encoders each{pixels}."


def line_note(estimates: Iterable[stats.Estimate]) -> str:
    """What the intervals of drawn lines are over, and that hollow marks stand on one run where
    there are both kinds.
    """
    estimates = list(estimates)
    over = " or ".join(dict.fromkeys(e.over for e in estimates))
    hollow = len({e.runs > 1 for e in estimates}) > 1
    return f"95 % intervals over {over}" + "; hollow marks: one run" * hollow


def last_batches(records: Records) -> str:
    """What the last, smaller batch of an epoch does to curves; empty where batches are alike."""
    ends: dict[tuple[int, int], int] = {}
    for spec in (runs.first.spec for runs in records.values()):
        assert spec.source is not None
        n, batch = spec.source.n_images, spec.batch_size
        whole = not spec.keeps_last_batch or spec.images_per_caption
        whole = whole or spec.content["method"].get("name") == MOCO
        if not whole and n > batch and n % batch >= 2:
            ends[n, batch] = n % batch
    if not ends:
        return ""
    comb = any(last < batch / 2 for (_, batch), last in ends.items())
    shows = "hence the regular spikes." if comb else "it hardly shows."
    own = "with batch statistics of its own"
    if len(ends) == 1:
        [((n, batch), last)] = ends.items()
        kind = f"An epoch of {n:,} images ends with a batch of {last} instead of {batch}"
        return f"{kind}, {own}: {shows}"
    each = [f"{n:,} images: {last} of {batch}" for (n, batch), last in sorted(ends.items())]
    return f"An epoch ends with a smaller batch, {own} ({'; '.join(each)}): {shows}"


def chance(data: str) -> float | None:
    """Accuracy of guessing on a set whose classes are equally frequent; None when the set is not
    here to be counted.
    """
    if data.startswith("cifar10") and not data.startswith("cifar100"):
        return 0.1
    try:
        return 1 / len(datasets.load(data, "test").classes)
    except DataError:
        return None


def accuracies_in_words(records: Records) -> str:
    """Each row's accuracy, for an alternative text."""
    return "; ".join(
        f"{get_row(name).title} {100 * runs.accuracy().mean:.1f} %"
        for name, runs in records.items()
    )


def provenance(profile: Profile, records: Mapping[str, Sequence[Record]]) -> Html:
    """Profile and commit of the page in one line; of its records, where it shows any, code, device,
    versions, wall time and seeds, folded below it.
    """
    parts = {
        "profile": profile.name,
        "data": profile.data,
        "page made at commit": commit("notebooks", "book", "workflow"),
        "in": f"{time.perf_counter() - _start:.0f} s",
    }
    line = _listed(parts)
    origins = _listed(_origins([record for every in records.values() for record in every]))
    if not origins:
        return Html(f'<p class="provenance">{escape(line)}</p>', line)
    inside = f"<summary>{escape(line)}</summary>{escape(origins)}"
    return Html(f'<details class="provenance">{inside}</details>', f"{line} · {origins}")


def _listed(parts: Mapping[str, str]) -> str:
    return " · ".join(f"{name} {value}" for name, value in parts.items())


def _origins(records: Sequence[Record]) -> dict[str, str]:
    if not records:
        return {}

    def every(field: str) -> list[str]:
        return sorted({str(getattr(record.provenance, field)) for record in records})

    minutes = sum(record.cost.wall_seconds for record in records) / 60
    codes, seeds = every("code"), sorted({record.seed for record in records})
    whole = len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1))
    return {
        "records by code": ", ".join(code[:10] for code in codes)
        if len(codes) <= CODES
        else f"of {len(codes)} versions, one with each record",
        "device": ", ".join(every("device")),
        "Python": ", ".join(every("python")),
        "torch": ", ".join(every("torch")),
        "runs": f"{len(records)} in {minutes:.1f} min",
        "seeds": f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds)),
    }
