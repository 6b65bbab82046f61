"""The page that every number links to: each record with its file, its command, and what made it."""

import html

from ..core import files
from ..study import Profile, inference, measurements, records
from ..study.rows import row as row_by_name
from . import figures
from .chapter import Records, percent, table
from .leaderboard import on_card


def record_table(found: Records, profile: Profile) -> figures.Shown:
    """Every run of a profile: row, seed, top-1, where and when it was made, its file and its command. The first line of a row is its anchor."""
    body = []
    for name, mine in found.items():
        seeds: set[int] = set()
        for i, r in enumerate(mine):
            where, seed, told = r["provenance"], r["spec"]["seed"], html.escape(name)
            anchor, twin = (
                f" id='{told}'" if i == 0 else "",
                seed in seeds,
            )  # a row's twins come after its records
            seeds.add(seed)
            file = f"../_static/{'twins' if twin else 'records'}/{profile.name}/{told}-s{seed}.json"
            device = f" --device {'cuda' if on_card(r) else 'cpu'}" * twin
            body.append([
                f"<span{anchor}>{html.escape(row_by_name(name).title)}</span><br><small><code>{told}</code></small>", f"{seed}, twin" if twin else str(seed),
                percent(inference.metric(r)["top1"]), f"{r['cost']['wall_seconds'] / 60:.1f}", html.escape(where["device"]), html.escape(where["date"][:10]),
                f"<code>{html.escape(where['code'][:10])}</code>", f"<a href='{file}'>file</a>",
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
    for what in measurements.plans():
        for path in sorted(
            (files.root() / "results" / "measurements" / profile.name / what).glob("*.json")
        ):
            r = records.read(path)
            seed = r["spec"].get("seed", 0)
            body.append([
                what.replace("_", " "), html.escape(row_by_name(r["row"]).title), str(seed), html.escape(r["provenance"]["date"][:10]),
                f"<a href='../_static/measurements/{profile.name}/{what}/{html.escape(path.name)}'>file</a>",
                f"<code>python -m synthlearn measure --profile {profile.name} --what {what} --row {html.escape(r['row'])} --seed {seed}</code>",
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
    for path in sorted((files.root() / "results" / "search" / profile.name).glob("*.json")):
        r = records.read(path)
        options = ", ".join(f"{option} {value}" for option, value in r["options"].items())
        size = f"{r['spec']['source']['n_images']:,} × {r['spec']['optimisation']['epochs']}"
        body.append([
            str(r["point"]), html.escape(options), size, str(r["spec"]["seed"]), percent(r["results"]["held_out"]["top1"]),
            f"{r['cost']['wall_seconds'] / 60:.1f}", f"<a href='../_static/search/{profile.name}/{html.escape(path.name)}'>file</a>",
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
