"""The tables of the page on StableRep: variants by what they change, all folded."""

from ...study import Profile
from ..captions import Records
from ..html import Html, folded, join
from ..sweeps import along, variants

NAMED = "mosaic-named"
SIMCLR = "real.simclr_sharp"
CAPTIONS = (
    "learned-colour",
    "learned-colour.stablerep",
    "mosaic-colour",
    "mosaic-colour.stablerep",
    "mosaic-learned",
    "mosaic-learned.stablerep",
    "mosaic-named.shuffled",
)
LABELS = (
    "learned.supcon",
    "learned.supervised",
    "mosaic-named.supcon",
    "mosaic-named.supervised",
    "real.supcon",
    "real.supervised",
)
KNOWS = (
    "learned-wide",
    "learned-wide.stablerep",
    "mosaic-wide",
    "mosaic-wide.stablerep",
    "real.wide",
)
HALF = (
    "learned.half_real",
    "learned.stablerep_half_real",
    "learned.stablerep_w2",
    "real.captioned",
)
SETTINGS = (
    "learned.stablerep_long",
    "learned.stablerep_downsample",
    "mosaic-named.long",
    "mosaic-named.stablerep_long",
    "mosaic-named.stablerep_cold",
    "mosaic-named.stablerep_warm",
    "mosaic-named.stablerep_downsample",
    "mosaic-named.vit",
    "mosaic-named.stablerep_vit",
    "gaussian-named.stablerep",
)
# real images behind the mosaics → row
BEHIND: dict[float, str] = {
    500: "mosaic-named.of500",
    2000: "mosaic-named.of2000",
    10_000: "mosaic-named.stablerep",
    50_000: "mosaic-wide.stablerep",
}


def tables(runs: Records, profile: Profile) -> Html:
    """All variants of the page, folded: by captions, labels, real images and settings.

    >>> tables(sl.study.chapter("31_stablerep", p), p)  # doctest: +SKIP
    """

    def lines(names: tuple[str, ...], against: str) -> Html:
        return variants(runs, profile, *names, against=against)

    return join(
        folded("Captions that tell less", lines(CAPTIONS, NAMED)),
        folded("Labels used directly", lines(LABELS, SIMCLR)),
        folded("Half real images, half samples", lines(HALF, "real.captioned")),
        folded(
            "A model that knows more: made of all 50,000 training images of CIFAR-10",
            lines(KNOWS, SIMCLR),
            along(runs, profile, "real images behind the mosaics", {"StableRep": BEHIND}),
        ),
        folded("Length, temperature, views, network", lines(SETTINGS, f"{NAMED}.stablerep")),
    )
