"""The toy of the page on losses does what its caption says."""

import pytest

from synthlearn.book.pages import forces


@pytest.fixture(scope="module")
def reached():
    """Alignment and uniformity after each training of the figure."""
    return {name: forces.terms(forces.train(*w)) for name, w in forces.PANELS.items() if any(w)}


def test_align_alone_sends_every_view_to_one_point(reached):
    align, uniform = reached["align alone"]
    assert align < 0.01 and -0.1 < uniform <= 0  # 0 for one point


def test_uniform_alone_lets_views_of_an_image_lie_apart(reached):
    assert reached["uniform alone"][0] > 10 * reached["both"][0]


def test_both_terms_keep_views_together_and_images_apart(reached):
    align, uniform = reached["both"]
    assert align < 0.1 and uniform < -1.5  # evenly around the circle: −2.8


def test_the_figure_names_its_panels_and_their_terms(monkeypatch):
    monkeypatch.setattr(forces, "STEPS", 2)
    drawn = forces.figure()
    assert drawn.content.count("<svg") == len(forces.PANELS)
    assert all(f"{title}: align " in drawn.alt for title in forces.PANELS)
