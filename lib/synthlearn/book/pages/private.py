"""Private learning on frozen features."""

from collections.abc import Sequence
from html import escape

from ...measure.private import PrivateAccuracy
from ...study import MeasurementRecord, units
from ...study.measuring import Measured
from ..captions import Records, encoder_title, intervals_over_encoders
from ..html import Html, interval, percent, table

NOTE = (
    "Top-1 on {n:,} test images; an encoder's number is its mean over {draws} draws of the noise. "
    "{over} Last column: the linear probe of the encoder's records."
)
CHOSEN = "The best of {tried} settings on the public set, for each encoder and ε."


def facts(measured: Measured, rows: Records) -> Html:
    """Accuracy by ε, and without privacy; below it, folded, the settings that were chosen for each
    encoder.
    """
    parts = {epsilon: units.part(measured, epsilon) for epsilon in units.parts(measured)}
    first = next(iter(parts.values()))
    titles = {name: escape(encoder_title(name, first)) for name in measured}
    body = [
        [
            titles[name],
            *(interval(part.estimate(name)) for part in parts.values()),
            percent(rows[name].accuracy().mean),
        ]
        for name in measured
    ]
    settings = [
        [titles[name], *(_settings(records, epsilon) for epsilon in parts)]
        for name, records in measured.items()
    ]
    one = next(iter(measured.values()))[0].results[next(iter(parts))]
    assert isinstance(one, PrivateAccuracy)
    header = ["features", *(f"ε = {epsilon}" for epsilon in parts)]
    note = NOTE.format(n=one.n, draws=len(one.each), over=intervals_over_encoders(first))
    accuracies = table([*header, "no privacy"], body, note)
    chosen = table(header, settings, CHOSEN.format(tried=one.tried))
    summary = "<summary>The settings that were chosen</summary>"
    folded = f"<details>{summary}{chosen.content}</details>"
    return Html(accuracies.content + folded, accuracies.alt)


def _settings(records: Sequence[MeasurementRecord], epsilon: str) -> str:
    """What was chosen for each encoder at one ε."""
    parts = (record.results[epsilon] for record in records)
    return "; ".join(
        f"{part.steps} steps, rate {part.rate:g}"
        for part in parts
        if isinstance(part, PrivateAccuracy)
    )
