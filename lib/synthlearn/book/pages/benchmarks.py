"""Speeds, from the committed benchmark files: one file a machine, JSON of its own."""

import textwrap
from collections.abc import Sequence
from html import escape
from typing import Any

from matplotlib.axes import Axes

from ...core import files
from .. import figures
from ..html import Html, nothing, table

Json = dict[str, Any]  # a benchmark file, or a line of one
# where the pictures of a training come from
WAYS = {
    "memory": "from memory",
    "files": "from PNG files",
    "generated": "generated",
}
# training from generated against stored pictures, its authors' figures
PEER = {
    "ViT-Tiny": "+16 … +24 %",
    "ViT-Base": "−32 … −26 %",
}
PEER_TITLE = (
    "Formula-Driven Supervised Learning at Scale: Overcoming HPC I/O Bottlenecks with Real-Time "
    "CUDA Data Synthesis (PDP 2026)"
)
# family of a generator, by the first part of its name, for its colour
FAMILIES = {
    "dead_leaves": "dead_leaves",
    "fractals": "fractals",
    "noise": "noise",
    "stat": "statistical",
    "stylegan": "stylegan",
    "collage": "own",
    "programs": "programs",
    "mixed, convex, 2 parts": "mixture",
    "mixed, cutmix, 2 parts": "mixture",
    "k": "mixture",
}
MARKS = "Marks: median over turns; bars: least to largest; ticks: goals."
YARDSTICK = "numpy_noise"  # of generators without a loop that does the same
LONGEST = 26  # letters of a name on one line of the figure
RATIOS = (
    "what",
    "ours, per second",
    "reference, per second",
    "ratio [least, largest]",
    "goal",
    "memory of ours, MB",
)
ENGINE = ("what", "measured", "goal", "floor", "share of the floor", "memory, MB")
STORED = (
    "model",
    *WAYS.values(),
    "generated against files",
    "generated against memory",
    "a peer's, generated against stored",
)
STORED_NOTE = (
    "{where} of 128 px, images per second of training; views are cut on the card in all three. "
    "Files are read by worker processes, and the system keeps them in memory once they have been "
    f"read. ◇ Of VisualAtom images, on other hardware: {PEER_TITLE}."
)
NOT_STORED = (
    "No GPU has been measured yet. Others report how much faster training is with generated images "
    f"than with stored ones, of VisualAtom: {{theirs}} ({PEER_TITLE})."
)


def measurements() -> list[Json]:
    """The committed benchmark files, one per machine. Raises DataError for a damaged one."""
    folder = files.root() / "results" / "benchmarks"
    return [files.read_with_digest(path) for path in sorted(folder.glob("*.json"))]


def generator_speeds() -> dict[str, float]:
    """Pictures per second at 128 px by set."""
    return {
        line["what"]: line["ours"][1]
        for machine in measurements()
        for line in machine.get("rows", ())
    }


def ratios_figure() -> Html:
    """Ratios to the reference loops on a logarithmic axis, a panel per machine."""
    machines = [machine for machine in measurements() if "rows" in machine]
    if not machines:
        return nothing("No measurement is committed yet: make bench makes one.")
    return _joined([_ratios(machine) for machine in machines])


def _ratios(machine: Json) -> Html:
    device = machine["device"]
    lines = [
        line
        for line in machine["rows"]
        if line["against"] != YARDSTICK or line["what"] == "noise-white"
    ]
    figure, axis = figures.new(height=0.36 * len(lines) + 1)
    for i, line in enumerate(lines):
        _draw_ratio(axis, i, line)
    axis.axvline(1, color=figures.INK, linewidth=1, alpha=0.6)
    figures.plain_log(axis)
    names = ["\n".join(textwrap.wrap(line["what"], LONGEST)) for line in lines]
    axis.set_yticks(range(len(lines)), names)
    axis.invert_yaxis()
    axis.set_xlabel("times as fast")
    each = [f"{line['what']} {line['ratio'][1]:.3g} times {line['against']}" for line in lines]
    note = f"Ours against the reference loop: {device}, {machine['threads']} threads. {MARKS}"
    return figures.svg(figure, f"Speed ratios on {device}: {'; '.join(each)}.", note)


def _draw_ratio(axis: Axes, y: int, line: Json) -> None:
    colour = figures.COLOURS[FAMILIES.get(line["what"].split("-")[0], "real")]
    low, middle, high = line["ratio"]
    axis.plot([low, high], [y, y], color=colour, linewidth=2.5)
    axis.plot(middle, y, "o", color=colour, markersize=8)
    if line["goal"]:
        axis.plot(line["goal"], y, "|", color=figures.INK, markersize=14)


def _joined(several: Sequence[Html]) -> Html:
    """Figures or tables below each other."""
    content = "".join(each.content for each in several)
    return Html(content, " ".join(each.alt for each in several))


def ratios_table() -> Html:
    """All ratios to the reference loops with their spread, a table per machine."""
    tables = []
    for machine in measurements():
        body = [_ratio_line(line) for line in machine.get("rows", ())]
        if step := machine.get("training"):  # of older files; later ones have it in their engine
            body.append(_step_line(step))
        if body:
            threads, version = f"{machine['threads']} threads", f"torch {machine['torch']}"
            made = f"{machine['date']}, commit {machine['commit']}"
            caption = f"{machine['device']}, {threads}, {version}, {made}; images of 128 px."
            tables.append(table(RATIOS, body, caption))
    return _joined(tables)


def _ratio_line(line: Json) -> list[str]:
    low, middle, high = line["ratio"]
    goal, memory = "–", "–"
    if line["goal"] is not None:
        goal = f"{line['goal']:g} × {'✓' if middle >= line['goal'] else '✗ missed'}"
    if line.get("memory_mb") is not None:
        memory = f"{line['memory_mb']:,}" if line["memory_mb"] else "below 1"
    return [
        escape(line["what"]),
        f"{line['ours'][1]:,.0f}",
        f"<code>{escape(line['against'])}</code> {line['reference'][1]:,.1f}",
        f"{middle:.3g} × <small>[{low:.3g}, {high:.3g}]</small>",
        goal,
        memory,
    ]


def _step_line(step: Json) -> list[str]:
    product = f"a matrix product's {step['matmul_peak'] / 1e9:,.0f} GFLOP/s"
    share = f"{100 * step['share_of_peak']:.0f} % of {product}"
    views = f"{step['views_per_second'][1]:,.0f} views"
    return [escape(step["what"]), views, "–", share, "–", "–"]


def cards() -> list[Json]:
    """The machines whose engine was measured on a GPU, the latest first."""
    machines = [
        machine
        for machine in measurements()
        if machine.get("engine") and machine["engine_from"]["kind"] == "cuda"
    ]
    return sorted(machines, key=lambda machine: machine["engine_from"]["date"], reverse=True)


def on_a_card(what: str) -> tuple[Json, str] | None:
    """The measurement that begins so, of the latest GPU that has it, and the GPU's name."""
    for machine in cards():
        for entry in machine["engine"]:
            if entry["value"] is not None and entry["what"].startswith(what):
                return entry, machine["engine_from"]["device"]
    return None


def engine_tables() -> Html:
    """Training, generation and measurement against the hardware, a table per machine, GPUs
    first.
    """
    gpus, tables = cards(), []
    if not gpus:
        tables.append(nothing("No GPU has been measured yet."))
    for machine in gpus + [m for m in measurements() if m.get("engine") and m not in gpus]:
        made = machine["engine_from"]
        when = f"torch {made['torch']}, {made['date']}, commit {made['commit']}"
        caption = f"{made['device']}, {when}; medians after warming up."
        tables.append(table(ENGINE, [_engine_line(entry) for entry in machine["engine"]], caption))
    return _joined(tables)


def _engine_line(entry: Json) -> list[str]:
    """A measurement's cells; of one that failed, why."""
    what = escape(entry["what"])
    if entry["value"] is None:
        return [what, f"<small>{escape(entry['error'])}</small>", *["–"] * 4]
    goal, floor, share, memory = ["–"] * 4
    if entry["goal"] is not None:
        goal = f"{_digits(entry['goal'])} {'✓' if entry['met'] else '✗ missed'}"
    if entry["floor"] is not None:
        floor, share = _digits(entry["floor"]), f"{100 * entry['share']:.2g} %"
    if entry["memory_mb"] is not None:
        memory = f"{entry['memory_mb']:,}"
    value = f"{_digits(entry['value'])} {escape(entry['unit'])}"
    return [what, value, goal, floor, share, memory]


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def stored_table() -> Html:
    """Training from generated pictures against stored ones, in images per second, beside a peer's
    figures.
    """
    speeds = {
        (entry["model"], entry["way"]): entry["value"]
        for machine in reversed(cards())
        for entry in machine["engine"]
        if entry["value"] is not None and "way" in entry
    }
    if not speeds:
        theirs = "; ".join(f"{model} {gain}" for model, gain in PEER.items())
        return nothing(NOT_STORED.format(theirs=theirs))
    body = []
    for model in dict.fromkeys([*(model for model, _ in speeds), *PEER]):
        *others, generated = (speeds.get((model, way)) for way in WAYS)
        every = [*others, generated]
        cells = ["not measured yet" if speed is None else f"{speed:,.0f}" for speed in every]
        gains = [_gain(generated, speed) for speed in reversed(others)]
        peer = f"<span class='paper'>◇ {PEER[model]}</span>" if model in PEER else "–"
        body.append([escape(model), *cells, *gains, peer])
    gpus = cards()
    where = f"{gpus[0]['engine_from']['device']}: dead leaves" if gpus else "Dead leaves"
    return table(STORED, body, STORED_NOTE.format(where=where))


def _gain(speed: float | None, other: float | None) -> str:
    if speed is None or other is None:
        return "–"
    return f"{100 * (speed / other - 1):+.0f} %"
