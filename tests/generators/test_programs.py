"""Image programs.

Classes, time, the rule that draws flat ones again, and the interpreter against one picture at a
time.
"""

import pytest
import torch

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.generators import program_instructions as instructions
from synthlearn.generators import programs as pr

KEYS = rng.key("program", 0, torch.arange(48))


def test_each_program_is_a_class_of_different_pictures_alike():
    g = sl.generator("programs", programs=6)
    x = g.sample(range(36), 48).float()
    assert g.labels(range(8)).tolist() == [0, 1, 2, 3, 4, 5, 0, 1]
    assert len(x.flatten(1).unique(dim=0)) == 36
    hist = torch.stack([torch.histc(picture.mean(0), 16, 0, 255) for picture in x])
    apart = torch.cdist(hist, hist)
    same = g.labels(range(36))[:, None] == g.labels(range(36))
    assert float(apart[same].sum() / (same.sum() - 36)) < float(apart[~same].mean())


def test_a_picture_does_not_depend_on_how_many_programs_there_are():
    few, many = (sl.generator("programs", programs=n).sample(range(5), 64) for n in (5, 1000))
    assert torch.equal(few, many)


def test_the_interpreter_gives_what_one_picture_at_a_time_gives():
    time = torch.linspace(0.1, 10, len(KEYS))
    together = pr.render(KEYS, time, 64, KEYS)
    assert torch.equal(
        torch.cat(
            [
                pr.render(KEYS[i : i + 1], time[i : i + 1], 64, KEYS[i : i + 1])
                for i in range(len(KEYS))
            ]
        ),
        together,
    )


def test_small_changes_of_a_programs_numbers_leave_the_program(monkeypatch):
    """The same instructions on as many planes, whatever the picture.

    And none that does not exist, however large the numbers.
    """

    def counted() -> list[list[int]]:
        found = []
        for table in ("WARPS", "FIELDS", "JOINS"):
            planes = [0] * len(getattr(pr, table))

            def spy(operation, code, planes=planes):
                def run(a, *rest):
                    planes[code] += len(a[0] if isinstance(a, tuple) else a)
                    return operation(a, *rest)

                return run

            monkeypatch.setattr(
                pr,
                table,
                tuple(spy(operation, code) for code, operation in enumerate(getattr(pr, table))),
            )
            found.append(planes)
        return found

    keys, time = rng.key("program", 0, torch.arange(2000)), torch.full((2000,), 3.0)
    plain = counted()
    pr.render(keys, time, 8)
    monkeypatch.undo()
    changed = counted()
    monkeypatch.setattr(pr, "WOBBLE", 1.0)
    pr.render(keys, time, 8, keys + 1)
    assert plain == changed and min(map(min, plain)) > 0


def test_pictures_change_with_time_without_jumps():
    steps = [1e-4, 1e-3, 1e-2, 1.0]
    start = pr.render(KEYS, torch.full((len(KEYS),), 3.0), 48).float()
    moved = [
        float(
            (pr.render(KEYS, torch.full((len(KEYS),), 3.0 + dt), 48).float() - start).abs().mean()
        )
        for dt in steps
    ]
    assert moved == sorted(moved) and moved[0] < 0.3 and moved[-1] > 5


def test_larger_pictures_show_the_same_scene():
    small, large = (
        pr.render(KEYS, torch.full((len(KEYS),), 3.0), size).float() for size in (64, 256)
    )
    coarse = torch.nn.functional.avg_pool2d(large, 4)
    agree = torch.stack(
        [
            torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]
            for a, b in zip(small, coarse, strict=True)
        ]
    )
    assert float(agree.median()) > 0.9


def test_flat_programs_are_drawn_again_until_one_varies(monkeypatch):
    least = 8.0
    drawn = rng.fold(rng.key("program", 0, torch.arange(300)), 0)
    flat = torch.nonzero(~pr.is_varied(drawn)).flatten()
    assert 0 < len(flat) < 60  # the rule is needed, and seldom
    g = sl.generator("programs", programs=300)
    draws = g._kept_draws(flat, 0)
    assert bool((draws > 0).all()) and bool(
        pr.is_varied(rng.fold(rng.key("program", 0, flat), draws)).all()
    )
    for t in pr.TIMES:
        x = (
            pr.render(
                rng.fold(rng.key("program", 0, flat), draws), torch.full(draws.shape, t), pr.PREVIEW
            )
            .float()
            .mean(1)
        )
        assert float(x.flatten(1).std(1).min()) >= least
    monkeypatch.setattr(
        pr, "LEAST", 1e9
    )  # nothing is good enough: the last draw is taken, not an endless loop
    assert (
        sl.generator("programs", programs=2)._kept_draws(torch.arange(2), 1).tolist()
        == [pr.TRIES - 1] * 2
    )


@pytest.mark.parametrize("operation", range(len(instructions.WARPS)))
def test_warps_and_fields_stay_finite_everywhere(operation):
    place = torch.linspace(-16, 16, 33)
    x, y = place.expand(6, 33, 33), place[:, None].expand(6, 33, 33)
    table = (
        2
        * torch.rand(
            6,
            2,
            instructions.LATTICE,
            instructions.LATTICE,
            generator=torch.Generator().manual_seed(0),
        )
        - 1
    )
    for u in (0.0, 0.5, 1 - 2**-24):
        numbers, t = [torch.full((6, 1, 1), u)] * 5, torch.full((6, 1, 1), 10.0)
        warped = instructions.WARPS[operation]((x, y), numbers, t, table)
        assert all(bool(plane.isfinite().all()) and plane.shape == x.shape for plane in warped)
        for field in instructions.FIELDS:
            assert bool(field(warped, numbers, t, table).isfinite().all())


def test_noise_has_its_tables_values_at_the_lattice_and_repeats():
    table = torch.rand(1, 1, instructions.LATTICE, instructions.LATTICE)
    at = torch.arange(2 * instructions.LATTICE).float()
    found = instructions.lattice_noise(at.expand(1, 16, 16), at[:, None].expand(1, 16, 16), table)[
        0, 0
    ]
    assert torch.allclose(found, table[0, 0].repeat(2, 2), atol=1e-5)


def test_no_programs_are_refused():
    with pytest.raises(
        ParameterError, match="option programs = 0: must be a whole number from 1 to"
    ):
        sl.generator("programs", programs=0)
