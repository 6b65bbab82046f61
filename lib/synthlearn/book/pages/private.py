"""Private learning on frozen features."""

from collections.abc import Sequence
from html import escape

import torch
from torch import Tensor

from ...core import rng
from ...data import datasets
from ...data.image_set import ImageSet
from ...measure.private import PrivateAccuracy, noise_multiplier
from ...study import MeasurementRecord, units
from ...study.measuring import Measured
from ..captions import Records, encoder_title, intervals_over_encoders
from ..html import Html, folded, interval, join, percent, table
from ..sheets import enlarge, grey
from ..sheets import rows as rows_of_images

ENLARGED = 6  # times that a digit is shown larger than it is
NOTE = (
    "Top-1 on {n:,} test images; an encoder's number is its mean over {draws} draws of the noise. "
    "{over} Last column: the linear probe of the encoder's records."
)
CHOSEN = (
    "Steps and learning rate, a line for each encoder: the best of {tried} settings on the public "
    "set at this ε."
)


def weakest(measured: Measured) -> tuple[units.Units, str]:
    """The accuracies at the largest ε, and what they are called.

    >>> units, words = weakest(sl.study.measured("private", p))  # doctest: +SKIP
    """
    epsilon = units.parts(measured)[-1]
    return units.part(measured, epsilon), f"top-1 at ε = {epsilon}"


def facts(measured: Measured, rows: Records) -> Html:
    """Accuracy at the smallest and the largest ε, and without privacy; below it, folded, every ε
    and the settings that were chosen for each encoder.
    """
    parts = {epsilon: units.part(measured, epsilon) for epsilon in units.parts(measured)}
    first = next(iter(parts.values()))
    titles = {name: escape(encoder_title(name, first)) for name in measured}
    ends = list(dict.fromkeys((next(iter(parts)), list(parts)[-1])))

    def lines(epsilons: Sequence[str]) -> list[list[str]]:
        every = {name: [interval(parts[e].estimate(name)) for e in epsilons] for name in measured}
        return [[titles[name], *cells] for name, cells in every.items()]

    without = (percent(rows[name].accuracy().mean) for name in measured)
    body = [[*line, last] for line, last in zip(lines(ends), without, strict=True)]
    settings = [
        [titles[name], *(_settings(records, epsilon) for epsilon in parts)]
        for name, records in measured.items()
    ]
    one = next(iter(measured.values()))[0].results[next(iter(parts))]
    assert isinstance(one, PrivateAccuracy)
    header = ["features", *(f"ε = {epsilon}, %" for epsilon in parts)]
    note = NOTE.format(n=one.n, draws=len(one.each), over=intervals_over_encoders(first))
    short = ["features", *(f"ε = {epsilon}, %" for epsilon in ends), "no privacy, %"]
    more = folded(
        "Every ε, and the settings that were chosen",
        table(header, lines(list(parts))),
        table(["features", *(f"ε = {e}" for e in parts)], settings, CHOSEN.format(tried=one.tried)),
    )
    return join(table(short, body, note), more)


def noise_sheet(epsilon: float = 1.0, numbers: Sequence[int] = (10, 30, 90)) -> Html:
    """Private means of digits: the mean of so many images of each class, each clipped to length 1,
    under the noise of one step.

    >>> noise_sheet()  # doctest: +SKIP
    """
    digits = datasets.load("digits")
    noise = noise_multiplier(epsilon, 1)
    images = {f"{n} images": _private_means(digits, n, noise) for n in numbers}
    images["no noise"] = _private_means(digits, numbers[-1], 0.0)
    caption = (
        f"Means of digits that are private at ε = {epsilon:g}. The noise is the same in each line "
        "but the last; only the number of images in a mean differs. The more images, the less any "
        "one of them is needed."
    )
    return rows_of_images(images, "Means of the digits 0 to 9", caption)


def _private_means(digits: ImageSet, n: int, noise: float) -> Tensor:
    """A noisy mean of n clipped images of each class: uint8 (classes, 3, s, s), enlarged."""
    out = []
    for c in range(len(digits.classes)):
        planes = digits.images[digits.labels == c][:n, 0].float()
        length = planes.flatten(1).norm(dim=1).clamp_min(1.0)
        total = (planes / length[:, None, None]).sum(0)
        total += noise * rng.normal(rng.key("private mean", c), tuple(total.shape))
        out.append(grey(total))
    return enlarge(torch.stack(out), ENLARGED)


def _settings(records: Sequence[MeasurementRecord], epsilon: str) -> str:
    """What was chosen for each encoder at one ε."""
    parts = (record.results[epsilon] for record in records)
    return "<br>".join(
        f"{part.steps},&nbsp;{part.rate:g}" for part in parts if isinstance(part, PrivateAccuracy)
    )
