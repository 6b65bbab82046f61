"""The page that every number links to: each record with its file, its command, and what made it."""

import html

from ..study import Profile, get_row, measuring, store
from . import figures
from .chapter import Records, percent, table


def record_table(found: Records, profile: Profile) -> figures.Shown:
    """Every run of a profile: row, seed, top-1, where and when it was made, its file and its command. The first line of a row is its anchor."""
    body = []
    for name, mine in found.items():
        seeds: set[int] = set()
        for i, r in enumerate(mine):
            where, seed, told = r.provenance, r.seed, html.escape(name)
            anchor, twin = (
                f" id='{told}'" if i == 0 else "",
                seed in seeds,
            )  # a row's twins come after its records
            seeds.add(seed)
            file = f"../_static/{'twins' if twin else 'records'}/{profile.name}/{told}-s{seed}.json"
            device = f" --device {'cuda' if r.provenance.on_card else 'cpu'}" * twin
            body.append([
                f"<span{anchor}>{html.escape(get_row(name).title)}</span><br><small><code>{told}</code></small>", f"{seed}, twin" if twin else str(seed),
                percent(r.main.top1), f"{r.cost.wall_seconds / 60:.1f}", html.escape(where.device), html.escape(where.date[:10]),
                f"<code>{html.escape(where.code[:10])}</code>", f"<a href='{file}'>file</a>",
                f"<code>python -m synthlearn run --profile {profile.name} --row {told} --seed {seed}{device}</code>",
            ])  # fmt: skip
    header = ["row", "seed", "top-1, %", "minutes", "device", "date", "code", "record", "command"]
    twins = sum("twin" in line[1] for line in body)
    note = f"{len(body)} runs of {len(found)} rows, as committed. {twins} of them are twins: a row and seed run again on another kind of device, "
    note += "which the command does where the record is not."
    return table(header, body, note, sortable=True, filters=("device",))


def measurement_table(profile: Profile) -> figures.Shown:
    """Every record of a further measurement, with its file and its command."""
    body = []
    for what in measuring.plans():
        for r in store.committed_measurements(profile.name, what):
            seed = r.seed
            body.append([
                what.replace("_", " "), html.escape(get_row(r.row).title), str(seed), html.escape(r.provenance.date[:10]),
                f"<a href='../_static/measurements/{profile.name}/{what}/{html.escape(r.name)}.json'>file</a>",
                f"<code>python -m synthlearn measure --profile {profile.name} --what {what} --row {html.escape(r.row)} --seed {seed}</code>",
            ])  # fmt: skip
    header = ["measurement", "row", "seed", "date", "record", "command"]
    return table(
        header,
        body or [["–"] * len(header)],
        f"{len(body)} records of further measurements.",
        sortable=True,
        filters=("measurement",),
    )


def search_table(profile: Profile) -> figures.Shown:
    """Every try of the search, with its options, its size and its file."""
    body = []
    for r in store.committed_trials(profile.name):
        options = ", ".join(f"{option} {value}" for option, value in r.options.items())
        assert r.spec.source is not None
        n, epochs = r.spec.source.n_images, r.spec.epochs
        size, file = f"{n:,} × {epochs}", f"{r.row}-n{n}-e{epochs}-s{r.seed}.json"
        body.append([
            str(r.config), html.escape(options), size, str(r.seed), percent(r.held_out.top1),
            f"{r.cost.wall_seconds / 60:.1f}", f"<a href='../_static/search/{profile.name}/{html.escape(file)}'>file</a>",
        ])  # fmt: skip
    header = [
        "point",
        "options",
        "pictures × epochs",
        "seed",
        "top-1 on the deciding half, %",
        "minutes",
        "record",
    ]
    note = f"{len(body)} tries; python -m synthlearn search --profile {profile.name} makes those that are missing."
    return table(header, body or [["–"] * len(header)], note, sortable=True)
