"""The page that every number links to: each record with its file, its command, and what made it."""

from html import escape

from ...study import MeasurementRecord, Profile, Run, flat, get_row, measuring, store
from ...study.records import Trial
from ..captions import Records
from ..html import Html, minutes, percent, table
from .own_noise import in_words
from .stored import command, date

NOTE = (
    "{runs} runs of {rows} rows, as committed. {twins} of them are twins: the same row and seed, "
    "run again on another kind of device, which their command names."
)


COLUMNS = (
    "Columns of <a href='../_static/records.csv'>records.csv</a> and "
    "<a href='../_static/records.parquet'>records.parquet</a>, which hold the same "
    "{lines:,} lines; in the second each column carries its meaning."
)


def columns() -> Html:
    """The two files that hold all records, and their columns: what each is, and how many lines have
    it.
    """
    table_of = flat.table()
    words = {str: "text", int: "whole number", float: "number"}
    body = [
        [
            f"<code>{column.name}</code>",
            words[column.type],
            escape(column.meaning),
            f"{sum(value is not None for value in table_of[column.name]):,}",
        ]
        for column in flat.COLUMNS
    ]
    link = COLUMNS.format(lines=len(table_of["row"]))
    shown = table(["column", "type", "what it is", "lines that have it"], body)
    return Html(f"<p>{link}</p>{shown.content}", "columns of the table of all records")


def runs_table(rows: Records, profile: Profile) -> Html:
    """Every run of a profile: row, seed, top-1, where and when it was made, its file and its
    command. The first line of a row is its anchor.
    """
    body, twins = [], 0
    for name, runs in rows.items():
        seeds: set[int] = set()
        for i, run in enumerate(runs):
            twin = run.seed in seeds  # a row's twins come after its records
            seeds.add(run.seed)
            twins += twin
            anchor = f" id='{escape(name)}'" if i == 0 else ""
            body.append(_run(name, run, anchor, twin, profile.name))
    header = ["row", "seed", "top-1, %", "minutes", "device", "date", "code", "record", "command"]
    note = NOTE.format(runs=len(body), rows=len(rows), twins=twins)
    return table(header, body, note, sortable=True, filters=("device",))


def _run(name: str, run: Run, anchor: str, twin: bool, profile: str) -> list[str]:
    made, escaped = run.provenance, escape(name)
    title = f"<span{anchor}>{escape(get_row(name).title)}</span>"
    folder = "twins" if twin else "records"
    device = f" --device {'cuda' if made.on_card else 'cpu'}" * twin
    return [
        f"{title}<br><small><code>{escaped}</code></small>",
        f"{run.seed}, twin" if twin else str(run.seed),
        percent(run.main.top1),
        minutes(run.cost.wall_seconds),
        escape(made.device),
        date(made.date),
        f"<code>{escape(made.code[:10])}</code>",
        _file(f"{folder}/{profile}/{name}-s{run.seed}"),
        command(f"run --profile {profile} --row {name} --seed {run.seed}{device}"),
    ]


def _file(path: str) -> str:
    """Link to a record's file, by its path without the ending."""
    return f"<a href='../_static/{escape(path)}.json'>file</a>"


def measurements(profile: Profile) -> Html:
    """Every record of a further measurement, with its file and its command."""
    body = [
        [
            what.replace("_", " "),
            escape(get_row(record.row).title),
            str(record.seed),
            date(record.provenance.date),
            _file(f"measurements/{profile.name}/{what}/{record.name}"),
            command(
                f"measure --profile {profile.name} --what {what} --row {record.row} "
                f"--seed {record.seed}"
            ),
        ]
        for what in measuring.plans()
        for record in store.committed(MeasurementRecord, profile.name, what)
    ]
    header = ["measurement", "row", "seed", "date", "record", "command"]
    note = f"{len(body)} records of further measurements."
    lines = body or [["–"] * len(header)]
    return table(header, lines, note, sortable=True, filters=("measurement",))


def trials(profile: Profile) -> Html:
    """Every trial of the search, with its options, its size and its file."""
    body = [_trial(trial, profile.name) for trial in store.committed(Trial, profile.name)]
    header = [
        "point",
        "options",
        "images × epochs",
        "seed",
        "top-1 on the deciding half, %",
        "minutes",
        "record",
    ]
    makes = f"python -m synthlearn search --profile {profile.name} makes those that are missing"
    note = f"{len(body)} trials, each with the options that do something there; {makes}."
    return table(header, body or [["–"] * len(header)], note, sortable=True)


def _trial(trial: Trial, profile: str) -> list[str]:
    assert trial.spec.source is not None
    n, epochs = trial.spec.source.n_images, trial.spec.epochs
    return [
        str(trial.config),
        escape(in_words(trial.options)),
        f"{n:,} × {epochs}",
        str(trial.seed),
        percent(trial.held_out.top1),
        minutes(trial.cost.wall_seconds),
        _file(f"search/{profile}/{trial.row}-n{n}-e{epochs}-s{trial.seed}"),
    ]
