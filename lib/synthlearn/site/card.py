"""The image that messengers show of a link to the book: sets of images and what they teach.

python -m synthlearn.site.card book/_static/card.png
"""

import sys
from pathlib import Path

import matplotlib
import yaml
from PIL import Image, ImageDraw, ImageFont

from ..core import files
from ..data import source
from ..study import claims, get_row, resolve, runs

SIZE = (1200, 630)  # pixels, as the large cards of messengers are
TILE, GAP, TOP = 138, 6, 190
SETS = (
    "noise-white",
    "stat-spectrum_color",
    "noise-perlin",
    "fractals-fractaldb",
    "fractals-sigma",
    "dead_leaves-mixed",
    "stylegan-oriented",
    "programs",
)
GROUND, INK, MUTED, ACCENT = "#10141c", "#ffffff", "#aab4c4", "#E69F00"
QUESTION = "Which images that no camera took teach a vision model best?"


def card() -> Image.Image:
    """Three images of each of eight sets, in the order of their top-1 accuracy, between
    the untrained encoder's and that of real images."""
    profile = resolve(claims.deciding())
    rows = runs.committed(profile.name)
    top1 = {name: 100 * rows[name].accuracy().mean for name in (*SETS, "random", "real")}
    title = yaml.safe_load((files.root() / "_config.yml").read_text("utf-8"))["title"]
    image = Image.new("RGB", SIZE, GROUND)
    draw = ImageDraw.Draw(image)
    draw.text((36, 26), title, INK, _font(56, bold=True))
    draw.text((38, 108), QUESTION, MUTED, _font(31))
    left = (SIZE[0] - len(SETS) * (TILE + GAP) + GAP) // 2
    for i, name in enumerate(sorted(SETS, key=top1.__getitem__)):
        x = left + i * (TILE + GAP)
        _column(image, name, x)
        draw.text((x + TILE / 2, 588), f"{top1[name]:.1f} %", ACCENT, _font(30, True), "mm")
    ends = f"untrained {top1['random']:.1f} %     real images {top1['real']:.1f} %"
    draw.text((SIZE[0] - 36, 168), ends, MUTED, _font(22), "rm")
    draw.text((38, 168), "top-1 on CIFAR-10, linear probe", MUTED, _font(22), "lm")
    return image.quantize(160, dither=Image.Dither.NONE)


def _column(image: Image.Image, name: str, x: int) -> None:
    row = get_row(name)
    options = row.source_options(row.settings(resolve(claims.deciding())))
    tiles = source(row.source_name, **options).sample(range(3), size=128, seed=0)
    for i, tile in enumerate(tiles):
        picture = Image.fromarray(tile.permute(1, 2, 0).numpy())
        picture = picture.crop((0, 0, 128, 122)).resize((TILE, 120), Image.Resampling.LANCZOS)
        image.paste(picture, (x, TOP + i * (120 + GAP)))


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    name = f"fonts/ttf/DejaVuSans{'-Bold' * bold}.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / name), size)


if __name__ == "__main__":
    card().save(sys.argv[1], optimize=True)
    print(sys.argv[1], Path(sys.argv[1]).stat().st_size, "bytes")
