"""The explorer: a dot for each set, its accuracy over something that a reader chooses.

The figure is whole without a script, for the first choice; book/_static/explorer.js moves its dots
to another one and opens a card with six images. All numbers, positions and ticks come from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator
from PIL import Image

from ...core import files, stats
from ...core.image import to_tiles
from ...study import Experiment, Profile, Row, get_row, measuring
from .. import figures
from ..captions import Records
from ..embed import as_script
from ..html import Html, nothing, percent, runs_in_words
from ..published import published
from ..sheets import enlarge
from .benchmarks import generator_speeds
from .gallery import NOTHING
from .leaderboard import compared
from .stored import FAMILIES, one_protocol, ranked

SHEETS = "book/_static/sets"  # six images of each set, made by write_sheets
IMAGES = 6
COLUMNS = 3
# those of a set whose first ones are another set's: two programs, three images of each
CHOSEN = {"programs-100": (0, 100, 200, 1, 101, 201)}
SIDE = 64  # pixels of an image in a sheet
QUALITY = 70  # of WebP, so that all sheets have less than 250 kB
LEAST = 4  # sets that a correlation needs
MARGIN = 0.04  # of the span of values, left free at both ends of an axis
# what a reader may choose: parts of the measurement "properties", and two more
CHOICES = {
    "recall": "recall: the share of real images that lie among the set's",
    "coverage": "coverage: the share of real images with an image of the set nearby",
    "frechet": "Fréchet distance to real images",
    "spectrum": "slope of the spectrum",
    "paper": "the paper's top-1 on ImageNet-100, %",
    "speed": "images a second at 128 px, on one machine",
}
SHORT = {
    "recall": "recall",
    "coverage": "coverage",
    "frechet": "Fréchet distance",
    "spectrum": "slope of the spectrum",
    "paper": "the paper's top-1, %",
    "speed": "images a second",
}
BOUNDS = {"random": "untrained encoder", "real": "real images"}  # lines across
LOGARITHMIC = ("speed",)
ALT = "Top-1 accuracy of {sets} sets of images over the {label}. {rho} {each}."
RHO = (
    "Spearman's ρ between this and top-1: {rho} [{low}, {high}], over {counted} "
    "synthetic sets (95 % bootstrap interval over sets). {known} of {sets} sets have this number."
)
CAPTION = (
    "One dot a set, in its family's colour; the thin line is the 95 % interval over runs and test "
    "images. Hollow: mixtures and text to image, which the correlation leaves out. Dashed: the "
    "untrained encoder and real images. Point at a dot, tap it, or walk along the dots with the "
    "Tab key: it shows six images. Esc closes them."
)


@dataclass(frozen=True)
class Scale:
    """An axis: from a value to where it lies, per cent of the axis."""

    low: float
    high: float
    is_log: bool = False

    @classmethod
    def of(cls, values: np.ndarray, is_log: bool = False) -> "Scale":
        """The axis that holds some values."""
        ends = np.log10(values) if is_log else values
        margin = MARGIN * float(np.ptp(ends)) or 1.0
        return cls(float(ends.min()) - margin, float(ends.max()) + margin, is_log)

    def at(self, value: float) -> float:
        """Where a value lies."""
        value = float(np.log10(value)) if self.is_log else value
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    def ticks(self) -> list[tuple[float, str]]:
        """Where ticks lie, and what they say."""
        if self.is_log:
            values = LogLocator().tick_values(10**self.low, 10**self.high)
        else:
            values = MaxNLocator(5).tick_values(self.low, self.high)
        places = [(self.at(value), f"{round(value, 6):,g}") for value in values]
        return [(at, text.replace("-", "−")) for at, text in places if 0 <= at <= 100]


@dataclass(frozen=True)
class Choice:
    """Something to draw accuracy over: each set's value, and its rank correlation with accuracy."""

    key: str
    values: Mapping[str, float]
    counted: tuple[str, ...]  # the sets that the correlation is over
    rho: tuple[float, float, float] | None  # with its interval

    def sentence(self, sets: int) -> str:
        """The correlation, and how many of the sets have a value."""
        if self.rho is None:
            return f"{len(self.values)} of {sets} sets have this number: no correlation."
        rho, low, high = self.rho
        counted, known = len(self.counted), len(self.values)
        ends = {"low": _signed(low), "high": _signed(high)}
        return RHO.format(rho=_signed(rho), **ends, counted=counted, known=known, sets=sets)


def _digits(value: float) -> str:
    """Three digits, and more before the point where it has more."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}" if value else "0"
    return text.replace("-", "−")


def _signed(value: float) -> str:
    return f"{value:+z.2f}".replace("-", "−")


def sets(rows: Records, profile: Profile) -> Records:
    """The sets of images that the profile trained alike, in the study's order."""
    alike = one_protocol(rows, profile)
    kinds = ("generator", "text2image")
    return {name: runs for name, runs in alike.items() if get_row(name).kind in kinds}


def choices(rows: Records, profile: Profile) -> list[Choice]:
    """What the accuracy of ``rows`` can be drawn over, from committed records."""
    properties = measuring.committed(profile.name)["properties"]
    measured = {name: records[0] for name, records in properties.items() if name in rows}
    speeds = generator_speeds()
    every = []
    for key in CHOICES:
        if key == "paper":
            entries = {name: published().get(get_row(name).published or "") for name in rows}
            values = {name: entry.value for name, entry in entries.items() if entry}
        elif key == "speed":  # of a generator with its usual options
            usual = [name for name in rows if name == get_row(name).source_name]
            values = {name: speeds[name] for name in usual if name in speeds}
        else:
            values = {name: record.value(key).value for name, record in measured.items()}
        every.append(_choice(key, values, rows))
    return [choice for choice in every if len(choice.values) > 1]


def _choice(key: str, values: Mapping[str, float], rows: Records) -> Choice:
    # in the order of the pages that have the same correlation: its bootstrap depends on it
    counted = tuple(compared(rows))
    if key != "paper":
        counted = tuple(sorted(name for name in values if is_counted(get_row(name))))
    rho = None
    if len(counted) >= LEAST:
        x = np.array([values[name] for name in counted])
        rho = stats.correlation(x, np.array([rows[name].accuracy().mean for name in counted]))
    return Choice(key, values, counted, rho)


def is_counted(row: Row) -> bool:
    """Whether correlations count a row: a synthetic set by itself."""
    return row.kind == "generator" and row.family != "mixture"


def explorer(rows: Records, profile: Profile) -> Html:
    """A dot for each set that the profile trained alike: accuracy over what a reader chooses.

    >>> explorer({}, profile).alt  # doctest: +SKIP
    "The study's records are not there: make study PROFILE=cpu."
    """
    every = ranked(sets(rows, profile))
    bounds = {name: rows[name].accuracy().mean for name in BOUNDS if name in rows}
    known = choices(sets(rows, profile), profile) if every else []
    if not known:
        return nothing(NOTHING)
    picture = _Picture(every, bounds, known)
    inside = f"{picture.select()}{picture.plot()}{picture.below()}{as_script(picture.data())}"
    content = f'<figure class="synthlearn explorer">{inside}</figure>'
    return Html(content, picture.alt())


class _Picture:
    """The parts of the figure, for the first choice; and the data for all of them."""

    def __init__(self, rows: Records, bounds: Mapping[str, float], known: list[Choice]) -> None:
        self.rows, self.bounds, self.known = rows, bounds, known
        self.accuracy = {name: runs.accuracy() for name, runs in rows.items()}
        ends = [end for e in self.accuracy.values() for end in (e.low, e.high)]
        self.y = Scale.of(100 * np.array([*ends, *bounds.values()]))
        self.x = {
            choice.key: Scale.of(np.array(list(choice.values.values())), choice.key in LOGARITHMIC)
            for choice in known
        }

    def place(self, choice: Choice, name: str) -> float | None:
        """Where a set's dot lies along a choice's axis; None where it has no value."""
        value = choice.values.get(name)
        return None if value is None else self.x[choice.key].at(value)

    def top1(self, name: str) -> str:
        """A set's accuracy in words."""
        e = self.accuracy[name]
        interval = f"[{percent(e.low)}, {percent(e.high)}]"
        return f"top-1 {percent(e.mean)} % {interval}, {runs_in_words(e.runs)}"

    def numbers(self, name: str) -> dict[str, str]:
        """A set's other numbers, by choice."""
        return {
            choice.key: _digits(choice.values[name])
            for choice in self.known
            if name in choice.values
        }

    def alt(self) -> str:
        """The figure in words."""
        first = self.known[0]
        each = "; ".join(
            f"{get_row(name).title} {percent(e.mean)} %" for name, e in self.accuracy.items()
        )
        rho = first.sentence(len(self.rows))
        return ALT.format(sets=len(self.rows), label=SHORT[first.key], rho=rho, each=each)

    def select(self) -> str:
        """The choice of x, for those who have a script."""
        lines = "".join(
            f'<option value="{choice.key}">{escape(SHORT[choice.key])}</option>'
            for choice in self.known
        )
        box = f'<select autocomplete="off">{lines}</select>'
        return f'<p class="choose" hidden><label>top-1 accuracy over {box}</label></p>'

    def plot(self) -> str:
        """The axes, the lines of the bounds, and the dots, best first."""
        first = self.known[0]
        across = "".join(_y_tick(100 - at, text) for at, text in self.y.ticks())
        along = "".join(_x_tick(at, text) for at, text in self.x[first.key].ticks())
        lines = "".join(self._bound(name) for name in self.bounds)
        dots = "".join(self._dot(name, first) for name in self.rows)
        group = f'<g class="along">{along}</g>'
        label = escape(self.alt(), quote=True)
        svg = f'<svg role="group" aria-label="{label}">{across}{group}{lines}{dots}</svg>'
        up, name = '<span class="up">top-1, %</span>', escape(CHOICES[first.key])
        name = f'<p class="name">{name}</p><div class="about" role="status"></div>'
        return f'<div class="plot">{up}{svg}{name}</div>'

    def _bound(self, name: str) -> str:
        value = 100 * self.bounds[name]
        y = 100 - self.y.at(value)
        line = f'<line class="bound" x1="0" x2="100%" y1="{y:.2f}%" y2="{y:.2f}%"/>'
        words = f"{BOUNDS[name]} {value:.1f}"
        return f'{line}<text class="bound" x="100%" y="{y:.2f}%" dy="-4">{words}</text>'

    def _dot(self, name: str, choice: Choice) -> str:
        e, row = self.accuracy[name], get_row(name)
        at = self.place(choice, name)
        low, mean, high = (100 - self.y.at(100 * v) for v in (e.low, e.mean, e.high))
        x = f"{at or 0:.2f}%"
        line = f'<line x1="{x}" x2="{x}" y1="{low:.2f}%" y2="{high:.2f}%"/>'
        # the second circle is what a finger hits
        marks = f'<circle r="6" cx="{x}" cy="{mean:.2f}%"/>'
        marks += f'<circle class="reach" r="13" cx="{x}" cy="{mean:.2f}%"/>'
        words = escape(f"{row.title}: {self.top1(name)}", quote=True)
        kind = "dot" if is_counted(row) else "dot hollow"
        start = f'<g class="{kind}" data-set="{escape(name)}" tabindex="0" role="img"'
        colour = f'style="color:{figures.COLOURS[row.family]}{";display:none" * (at is None)}"'
        return f'{start} aria-label="{words}" {colour}><title>{words}</title>{line}{marks}</g>'

    def below(self) -> str:
        """The families that have dots, the correlation and the caption."""
        first = self.known[0]
        families = dict.fromkeys(get_row(name).family for name in self.rows)
        drawn = {get_row(name).family for name in first.values}
        hidden = " style='display:none'"  # no dot of this choice is of it
        legend = "".join(
            f"<span data-family='{family}'{hidden * (family not in drawn)}>"
            f"<span class='dot' style='background:{figures.COLOURS[family]}'></span>"
            f"{escape(FAMILIES[family])}</span>"
            for family in families
        )
        rho = f"<p><output>{escape(first.sentence(len(self.rows)))}</output></p>"
        note = f"<figcaption>{escape(CAPTION)}</figcaption>"
        return f'<p class="legend">{legend}</p>{rho}{note}'

    def data(self) -> dict[str, object]:
        """What the script needs of every choice and every set."""
        return {
            "sheets": f"../{SHEETS.removeprefix('book/')}",
            "choices": {
                choice.key: {
                    "name": CHOICES[choice.key],
                    "short": SHORT[choice.key],
                    "ticks": self.x[choice.key].ticks(),
                    "rho": choice.sentence(len(self.rows)),
                    "at": {name: self.place(choice, name) for name in choice.values},
                }
                for choice in self.known
            },
            "sets": {
                name: {
                    "title": get_row(name).title,
                    "family": get_row(name).family,
                    "chapter": f"{get_row(name).chapter}.html",
                    "top1": self.top1(name),
                    "numbers": self.numbers(name),
                }
                for name in self.rows
            },
        }


def _x_tick(at: float, text: str) -> str:
    line = f'<line x1="{at}%" x2="{at}%" y1="0" y2="100%"/>'
    return f'{line}<text x="{at}%" y="100%" dy="18">{text}</text>'


def _y_tick(at: float, text: str) -> str:
    line = f'<line class="tick" x1="0" x2="100%" y1="{at:.2f}%" y2="{at:.2f}%"/>'
    return f'{line}<text class="tick" x="-8" y="{at:.2f}%" dy="4">{text}</text>'


def sheet_of(row: Row, profile: Profile) -> np.ndarray:
    """Six images of a set as the profile makes them, the first or :data:`CHOSEN` ones, as one:
    uint8 (128, 192, 3).
    """
    chosen = CHOSEN.get(row.name, range(IMAGES))
    images = Experiment(row, profile, 0).source().sample(chosen, SIDE, 0, "cpu")
    images = enlarge(images, SIDE // images.shape[-1])  # a text-to-image model's are smaller
    return to_tiles(images, COLUMNS, gap=0).numpy()[..., :3]


def sheet_path(name: str) -> Path:
    """The file of a set's sheet."""
    return files.root() / SHEETS / f"{name}.webp"


def write_sheets(rows: Records, profile: Profile) -> None:
    """Make the sheets that are not there. They are committed, as some sets take minutes:

    python -c "import synthlearn as sl; from synthlearn.book.pages import explorer;
    p = sl.study.resolve('cpu'); explorer.write_sheets(sl.book.stored(p), p)"
    """
    for name in sets(rows, profile):
        path = sheet_path(name)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            image = Image.fromarray(sheet_of(get_row(name), profile))
            image.save(path, "WEBP", quality=QUALITY, method=6)
