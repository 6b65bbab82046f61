"""Memory of painting on a GPU, and what the host is waited for there: laws that a CPU can check."""

import weakref

import pytest
import torch
from torch._subclasses import fake_tensor
from torch.utils._python_dispatch import TorchDispatchMode

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.generators import base, pyramid, sigma_fractals, statistical

# A torch built for CPUs alone cannot index tensors on a GPU that is not there; this device has no
# values, either.
FAKE = "meta"
READ = (fake_tensor.DataDependentOutputException, fake_tensor.DynamicOutputShapeException)


class PeakMemory(TorchDispatchMode):
    """Most bytes that tensors made under it take at once: ``peak``.

    What an operation takes only while it runs is not seen.
    """

    def __init__(self):
        super().__init__()
        self.alive, self.now, self.peak = {}, 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        for result in results if isinstance(results, tuple | list) else (results,):
            storage = result.untyped_storage() if isinstance(result, torch.Tensor) else None
            if storage is not None and storage._cdata not in self.alive:
                self.alive[storage._cdata] = storage.nbytes()
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._gone, storage._cdata)
        return results

    def _gone(self, storage):
        self.now -= self.alive.pop(storage)


def test_peak_memory_counts_what_is_alive_at_once():
    with PeakMemory() as memory:
        a = torch.zeros(100, dtype=torch.uint8)
        b = a + 1
        del a
        c = (b[:50] + 1).view(5, 10) + 1
    assert memory.peak == 200 and memory.now == 150 and len(c) == 5


FAMILIES = ("dead_leaves", "stat", "fractals", "formula", "noise")
MEASURED = [name for name in sl.generators.names() if name.startswith(FAMILIES)]


@pytest.mark.parametrize("name", MEASURED)
def test_painting_takes_at_most_the_memory_that_decides_the_chunk(name, monkeypatch):
    monkeypatch.setattr(statistical, "ROUNDS", 2)
    g = sl.generator(name, **({"textures": 2} if name == "dead_leaves-textures" else {}))
    n, indices = 4, torch.arange(4)
    keys = rng.key(name.split("-")[0], 0, indices)
    g.paint(keys, indices, 128, 0)  # textures, renderings: what is kept is not a picture's
    with PeakMemory() as memory:
        g.paint(keys, indices, 128, 0)
    assert 0 < memory.peak / n <= g.work_bytes


def test_a_rendering_takes_at_most_the_memory_that_decides_how_many_are_made_at_once():
    g = sl.generator("fractals-sigma")
    with PeakMemory() as memory:
        g._render(torch.arange(8), 64, 0)
    bytes_a_point = memory.peak / 8 / g.options.points
    assert sigma_fractals.POINT_BYTES / 2 < bytes_a_point <= sigma_fractals.POINT_BYTES


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpus_chunk_follows_what_is_free_on_that_gpu(device, monkeypatch):
    free, held, used, asked = 1000 << 20, 500 << 20, 300 << 20, []

    def answer(name, value):
        monkeypatch.setattr(torch.cuda, name, lambda d: asked.append(d) or value)

    answer("mem_get_info", (free, 8000 << 20))
    answer("memory_reserved", held)
    answer("memory_allocated", used)
    assert base.working_memory(device) == (free + held - used) // 4 == 300 << 20
    assert {torch.device(d) for d in asked} == {torch.device(device)}
    assert sl.generator("dead_leaves-mixed").chunk(128, device) == 75
    assert sl.generator("dead_leaves-mixed").chunk(256, device) == 18
    answer("mem_get_info", (900 << 30, 900 << 30))
    assert base.working_memory(device) == base.MOST_MEMORY


class Large(base.Generator):
    """Lacks memory for more than ``fits`` pictures."""

    scene = 0

    def paint(self, keys, indices, size, seed):
        self.tried.append(len(keys))
        if len(keys) > self.fits:
            raise torch.OutOfMemoryError
        return indices.to(torch.uint8)[:, None, None, None].expand(-1, 3, size, size)


@pytest.mark.parametrize(
    ("n", "fits", "tried"),
    [
        (40, 6, [40, 20, 10, *[5] * 8]),
        (7, 1, [7, 4, 2, *[1] * 7]),
        (3, 9, [3]),
    ],
)
def test_a_chunk_that_does_not_fit_is_halved_and_stays_so(n, fits, tried):
    g = Large("large", base.Options())
    g.fits, g.tried = fits, []
    pictures = g.sample(range(n), 8)
    assert pictures[:, 0, 0, 0].tolist() == list(range(n)) and g.tried == tried


def test_no_memory_for_one_picture_is_an_error():
    g = Large("large", base.Options())
    g.fits, g.tried = 0, []
    with pytest.raises(torch.OutOfMemoryError):
        g.sample(range(4), 8)
    assert g.tried == [4, 2, 1]


@pytest.fixture
def fake():
    """Tensors with shapes but without values: whatever the host would read of them is an error."""
    caches = (pyramid.filters, pyramid._block_weights)
    for cache in caches:
        cache.cache_clear()
    with fake_tensor.FakeTensorMode() as mode:
        yield mode
    for cache in caches:
        cache.cache_clear()


def test_fake_tensors_refuse_what_the_host_would_read(fake):
    x = torch.zeros(3, device=FAKE)
    for read in (x.sum().item, x.unique):
        with pytest.raises(READ):
            read()


@pytest.mark.parametrize("name", [name for name in MEASURED if name.startswith("stat")])
def test_the_host_reads_nothing_of_a_statistical_picture(fake, name):
    keys = torch.zeros(5, dtype=torch.int64, device=FAKE)
    pictures = sl.generator(name).paint(keys, keys, 128, 0)
    assert pictures.shape == (5, 3, 128, 128) and pictures.device.type == FAKE


def test_the_host_reads_only_how_many_renderings_a_chunk_of_sigma_fractals_needs(fake):
    g = sl.generator("fractals-sigma")
    keys = torch.zeros(5, dtype=torch.int64, device=FAKE)
    numbers, own, count = g.instances(keys, keys)
    with pytest.raises(READ):
        numbers.unique(return_inverse=True)
    densities = g._render(torch.arange(7, device=FAKE), 64, 0)
    which = torch.zeros_like(numbers)
    pictures = sigma_fractals.compose(keys, own, count, densities, which, 128, True)
    assert pictures.shape == (5, 3, 128, 128) and pictures.device.type == FAKE
