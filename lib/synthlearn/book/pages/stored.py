"""Which committed runs a page shows, and what rows must share to be compared."""

from html import escape

from ...study import Profile, Runs, all_rows, claims, get_row
from ...study import runs as study_runs
from ...study.profiles import defaults
from ..captions import Records
from ..html import Html

# what a method is called
METHODS = {
    "align_uniform": "alignment + uniformity",
    "simclr": "SimCLR",
    "supcon": "SupCon",
    "stablerep": "StableRep",
    "stablerep_plus": "StableRep+",
    "clip": "CLIP",
    "supervised": "cross-entropy",
    "moco": "MoCo v2",
}
# what a family of pictures is called
FAMILIES = {
    "dead_leaves": "dead leaves",
    "fractals": "fractals",
    "noise": "plain noise",
    "baseline": "none",
    "real": "real images",
    "statistical": "statistical",
    "stylegan": "random StyleGANs",
    "feature_vis": "feature visualisations",
    "mixture": "mixtures",
    "text2image": "text to image",
    "programs": "random programs",
    "formulas": "formulas",
    "own": "our own noise",
    "reference": "ImageNet, with labels",
}
OTHERS = (
    "; those of {others} are there too, and profile {deciding} decides where both have what a "
    "claim needs"
)


def study_profile(profile: Profile) -> Profile:
    """The profile whose committed records a page shows: its own if it is one of the study's, else
    the one that decides.
    """
    return profile if profile.is_study else defaults(claims.deciding())


def stored(profile: Profile) -> Records:
    """All committed runs of a profile by row, in the study's order; empty where there is none."""
    rows = study_runs.committed(profile.name)
    return {name: rows[name] for name in all_rows() if name in rows}


def decides(profile: Profile) -> Html:
    """Which profile's records a page shows, and which others there are."""
    others = " and ".join(name for name in claims.profiles() if name != profile.name)
    more = OTHERS.format(others=others, deciding=claims.deciding()) if others else ""
    text = f"This page shows the records of profile {profile.name}{more}."
    return Html(f"<p>{text}</p>", text)


def one_protocol(rows: Records, profile: Profile) -> Records:
    """The rows that the profile trains by its own settings, whatever their pictures: no variants,
    no methods of their own.
    """
    usual = (profile.method, profile.encoder, profile.optimiser)
    own = {name: get_row(name).settings(profile) for name in rows if not get_row(name).is_variant}
    return {
        name: rows[name] for name, s in own.items() if (s.method, s.encoder, s.optimiser) == usual
    }


def protocol(runs: Runs, profile: Profile) -> str:
    """What rows must share to be compared, of a row's runs: method, encoder and number of images
    where they are not the usual ones, and updates.
    """
    settings = runs.row.settings(profile)
    if runs.row.baseline == "reference":
        return "trained elsewhere"
    if not runs.row.trained:
        return "no training"
    method = METHODS.get(settings.method, settings.method)
    encoder = f", {settings.encoder}" * (settings.encoder != profile.encoder)
    images = f" on {settings.n_images:,} images" * (settings.n_images != profile.n_images)
    return f"{method}{encoder}, {runs.first.updates:,} updates{images}"


def ranked(rows: Records) -> Records:
    """The same rows, best first."""
    return dict(sorted(rows.items(), key=lambda item: -item[1].accuracy().mean))


def date(made: str) -> str:
    """The day of a record's date, on one line."""
    return f"<span class='word'>{escape(made[:10])}</span>"


def command(arguments: str) -> str:
    """A command of the package as a table's cell shows it; what it is given is escaped."""
    return f"<code>python -m synthlearn {escape(arguments)}</code>"
