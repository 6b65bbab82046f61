"""The page that every number links to: each record with its file, its command, and what made it."""

import html

from .. import files
from ..study import Profile, inference, measurements, records
from ..study.rows import row as row_by_name
from . import figures
from .chapter import Records, percent, table


def record_table(found: Records, profile: Profile) -> figures.Shown:
    """Every record of a profile: row, seed, top-1, where and when it was made, its file and its command. The first line of a row is its anchor."""
    body = []
    for name, mine in found.items():
        for i, r in enumerate(mine):
            where, seed = r["provenance"], r["spec"]["seed"]
            anchor = f" id='{name}'" if i == 0 else ""
            file = f"../_static/records/{profile.name}/{name}-s{seed}.json"
            body.append([
                f"<span{anchor}>{html.escape(row_by_name(name).title)}</span><br><small><code>{name}</code></small>", str(seed),
                percent(inference.metric(r)["top1"]), f"{r['cost']['wall_seconds'] / 60:.1f}", html.escape(where["device"]), where["date"][:10],
                f"<code>{where['code'][:10]}</code>", f"<a href='{file}'>file</a>",
                f"<code>python -m synthlearn run --profile {profile.name} --row {name} --seed {seed}</code>",
            ])  # fmt: skip
    header = ["row", "seed", "top-1, %", "minutes", "device", "date", "code", "record", "command"]
    return table(header, body, f"{len(body)} records of {len(found)} rows, as committed.", sortable=True, filters=("device",))


def measurement_table(profile: Profile) -> figures.Shown:
    """Every record of a further measurement, with its file and its command."""
    body = []
    for what in measurements.plans():
        for path in sorted((files.root() / "results" / "measurements" / profile.name / what).glob("*.json")):
            r = records.read(path)
            seed = r["spec"].get("seed", 0)
            body.append([
                what.replace("_", " "), html.escape(row_by_name(r["row"]).title), str(seed), r["provenance"]["date"][:10],
                f"<a href='../_static/measurements/{profile.name}/{what}/{path.name}'>file</a>",
                f"<code>python -m synthlearn measure --profile {profile.name} --what {what} --row {r['row']} --seed {seed}</code>",
            ])  # fmt: skip
    header = ["measurement", "row", "seed", "date", "record", "command"]
    return table(header, body or [["–"] * len(header)], f"{len(body)} records of further measurements.", sortable=True, filters=("measurement",))


def search_table(profile: Profile) -> figures.Shown:
    """Every try of the search, with its options, its size and its file."""
    body = []
    for path in sorted((files.root() / "results" / "search" / profile.name).glob("*.json")):
        r = records.read(path)
        options = ", ".join(f"{option} {value}" for option, value in r["options"].items())
        size = f"{r['spec']['source']['n_images']:,} × {r['spec']['optimisation']['epochs']}"
        body.append([
            str(r["point"]), html.escape(options), size, str(r["spec"]["seed"]), percent(r["results"]["held_out"]["top1"]),
            f"{r['cost']['wall_seconds'] / 60:.1f}", f"<a href='../_static/search/{profile.name}/{path.name}'>file</a>",
        ])  # fmt: skip
    header = ["point", "options", "pictures × epochs", "seed", "top-1 on the deciding half, %", "minutes", "record"]
    note = f"{len(body)} tries; python -m synthlearn search --profile {profile.name} makes those that are missing."
    return table(header, body or [["–"] * len(header)], note, sortable=True)
