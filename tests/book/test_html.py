"""Numbers as a reader sees them: minus signs and per cent signs."""

import pytest

from synthlearn.book import html

SPACE = "\N{NO-BREAK SPACE}"


def shown(content: str) -> str:
    return html.Html(content, "alt")._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("<td>-0.3 <small>[-1.2, +0.6]</small></td>", "<td>−0.3 <small>[−1.2, +0.6]</small></td>"),
        ("<p>(-3) and ρ = -0.2</p>", "<p>(−3) and ρ = −0.2</p>"),
        ("<p>± 0.2: [-1, 2]</p>", f"<p>±{SPACE}0.2: [−1,{SPACE}2]</p>"),
        ("<p>at w = 2, lr = 2</p>", f"<p>at w{SPACE}={SPACE}2, lr = 2</p>"),
        ("<p>52 % of 99.1 %</p>", f"<p>52{SPACE}% of 99.1{SPACE}%</p>"),
    ],
)
def test_a_number_is_shown_with_a_minus_sign_and_keeps_its_per_cent_sign(written, read):
    assert shown(written) == read


@pytest.mark.parametrize(
    "content",
    [
        "<p>ten-year, 2026-11-27, 3-4, seed-0, e-5, f(x)-1</p>",
        "<code>--shift -1 # 5 %</code>",
        "<svg><path d='M -1 -2'/><text>-3</text></svg>",
        "<script>\nx = -1;\n</script><style>p { top: -1px }</style>",
        "<img alt='at -1 and 5 %'/>",
    ],
)
def test_words_dates_code_and_drawings_stay(content):
    assert shown(content) == content
