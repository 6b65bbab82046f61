"""The batched views against torchvision and PIL on single images."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torch import Tensor
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from synthlearn.core import kernels, rng, view_kernel
from synthlearn.core.augment import Augmentation, crop_windows, jitter, linear_jitter, resized_crop
from synthlearn.core.errors import ParameterError
from synthlearn.core.image import FROM_YIQ, MEAN, STD, YIQ, luma
from synthlearn.core.vision import torchvision

functional = torchvision.transforms.functional


@pytest.fixture(scope="module")
def pictures():
    """Smooth coloured pictures with edges, uint8 (24, 3, 48, 48)."""
    import synthlearn as sl

    return sl.generator("dead_leaves-mixed").sample(range(24), 48)


def windows(n, scale_min):
    u, v = rng.key("crop", torch.arange(n)), rng.key("place", torch.arange(n))
    return crop_windows(rng.uniform(u, (10, 2)), rng.uniform(v, (2,)), 48, 48, scale_min)


def test_crops_equal_pils_antialiased_resize_up_to_one_level(pictures):
    top, left, h, w = windows(24, 0.08)
    flip = torch.arange(24) % 2 == 1
    ours = resized_crop(pictures, top, left, h, w, flip, 32) * 255
    for i, (t, le, hh, ww) in enumerate(
        zip(top.tolist(), left.tolist(), h.tolist(), w.tolist(), strict=True)
    ):
        pil = (
            Image.fromarray(pictures[i].permute(1, 2, 0).numpy())
            .crop((le, t, le + ww, t + hh))
            .resize((32, 32), Image.Resampling.BILINEAR)
        )
        theirs = torch.from_numpy(np.array(pil)).permute(2, 0, 1).float()
        theirs = theirs.flip(2) if flip[i] else theirs
        assert (ours[i] - theirs).abs().max() <= 1.01, i  # PIL rounds to bytes twice


def test_crop_windows_follow_torchvisions_law():
    top, left, h, w = windows(20_000, 0.2)
    assert int(top.min()) >= 0 and int((top + h).max()) <= 48 and int((left + w).max()) <= 48
    torch.manual_seed(0)
    image = torch.zeros(3, 48, 48)
    theirs = np.array(
        [
            torchvision.transforms.RandomResizedCrop.get_params(image, (0.2, 1), (3 / 4, 4 / 3))
            for _ in range(20_000)
        ]
    )
    for ours, reference in zip((top, left, h, w), theirs.T, strict=True):
        assert stats.ks_2samp(ours.numpy(), reference).statistic < 1.95 * math.sqrt(
            2 / 20_000
        )  # p = 0.001


def test_each_jitter_step_equals_torchvision(pictures):
    x = pictures.float() / 255
    factors = torch.tensor([[1.3, 0.7, 1.4, 0.27]]).expand(24, 4)
    steps = (
        functional.adjust_brightness,
        functional.adjust_contrast,
        functional.adjust_saturation,
        functional.adjust_hue,
    )
    for operation, step in enumerate(steps):
        alone = torch.tensor([1.0, 1.0, 1.0, 0.0]).repeat(24, 1)
        alone[:, operation] = factors[:, operation]
        ours = jitter(x.clone(), alone, torch.arange(4).expand(24, 4))
        theirs = torch.stack([step(image, float(factors[0, operation])) for image in x])
        assert torch.allclose(ours, theirs, atol=2e-3), (
            step.__name__
        )  # torchvision's luma has .2989, .587, .114: PIL's rounded to four digits


def test_jitter_applies_each_images_own_order(pictures):
    x = pictures.float() / 255
    order = torch.stack(
        [torch.randperm(4, generator=torch.Generator().manual_seed(i)) for i in range(24)]
    )
    factors = torch.tensor([[1.4, 0.6, 1.4, -0.3]]).expand(24, 4)
    steps = (
        functional.adjust_brightness,
        functional.adjust_contrast,
        functional.adjust_saturation,
        functional.adjust_hue,
    )
    ours = jitter(x.clone(), factors, order)
    for i in range(24):
        image = x[i]
        for operation in order[i].tolist():
            image = steps[operation](image, float(factors[i, operation]))
        assert torch.allclose(ours[i], image, atol=5e-3)


def test_the_linear_variant_equals_the_exact_one_where_nothing_clamps(pictures):
    x = 0.4 + 0.2 * pictures.float() / 255
    order = torch.stack(
        [torch.randperm(4, generator=torch.Generator().manual_seed(i)) for i in range(24)]
    )
    factors = torch.tensor([[1.1, 0.8, 1.2, 0.0]]).expand(24, 4)
    grey = torch.arange(24) % 3 == 0
    exact = jitter(x.clone(), factors, order)
    exact[grey] = luma(exact[grey]).expand(-1, 3, -1, -1)
    assert torch.allclose(linear_jitter(x, factors, order, grey), exact, atol=1e-4)


def test_a_hue_shift_keeps_luma_in_the_linear_variant_and_value_in_the_exact_one(pictures):
    x = 0.3 + 0.4 * pictures.float() / 255
    factors, order = (
        torch.tensor([[1.0, 1.0, 1.0, 0.2]]).expand(24, 4),
        torch.arange(4).expand(24, 4),
    )
    turned = linear_jitter(x, factors, order, torch.zeros(24, dtype=torch.bool))
    inside = (turned > 0).all(1) & (turned < 1).all(1)
    assert torch.allclose(luma(turned)[:, 0][inside], luma(x)[:, 0][inside], atol=2e-3)
    assert torch.allclose(jitter(x.clone(), factors, order).amax(1), x.amax(1), atol=1e-5)


@pytest.mark.parametrize("variant", ["exact", "linear"])
def test_a_view_does_not_depend_on_its_batch(pictures, variant):
    views, keys = Augmentation(32, variant=variant), rng.key("views", torch.arange(24))
    whole = views(pictures, keys)
    assert torch.allclose(whole[5:6], views(pictures[5:6], keys[5:6]), atol=1e-5)
    assert torch.allclose(whole.flip(0), views(pictures.flip(0), keys.flip(0)), atol=1e-5)


def test_views_are_normalised_by_the_papers_constants(pictures):
    still = Augmentation(48, scale_min=1.0, jitter=0, hue=0, grey_p=0, flip_p=0)
    x = still(pictures, rng.key("views", torch.arange(24)))
    back = x * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    whole = (back * 255 - pictures).abs().amax((1, 2, 3)) < 0.01
    assert (
        whole.float().mean() > 0.15
    )  # scale 1: ten tries fail unless the ratio leaves the whole square, then the whole image
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_probabilities_of_flip_grey_and_jitter():
    views = Augmentation(32, jitter_p=0.8)
    keys = rng.key("views", torch.arange(20_000))
    parameters = views.parameters(keys, 48, 48)
    factors, order, grey = parameters.factors, parameters.order, parameters.grey
    assert abs(float(grey.float().mean()) - 0.2) < 0.01
    assert abs(float((factors[:, 0] != 1).float().mean()) - 0.8) < 0.01
    assert abs(float(parameters.flip.float().mean()) - 0.5) < 0.012
    moved = factors[factors[:, 0] != 1]
    assert (
        float(moved[:, :3].min()) >= 0.6
        and float(moved[:, :3].max()) <= 1.4
        and float(moved[:, 3].abs().max()) <= 0.4
    )
    seen = (order * torch.tensor([64, 16, 4, 1])).sum(1).bincount()
    assert stats.chisquare(seen[seen > 0]).pvalue > 0.001 and int((seen > 0).sum()) == 24


def test_a_crop_larger_than_the_image_is_refused(pictures):
    with pytest.raises(ParameterError, match="crop = 64: larger than the images"):
        Augmentation(64)(pictures, torch.arange(24))


def test_downsampled_views_are_blurred_for_the_stated_share(pictures):
    n = 400
    images = rng.integers(rng.key("noise"), 0, 256, (n, 3, 32, 32)).byte().view(n, 3, 32, 32)
    keys = rng.key("views", torch.arange(n))
    options = {"crop": 32, "scale_min": 1.0, "jitter_p": 0.0, "grey_p": 0.0, "flip_p": 0.0}
    sharp, always, some = (
        Augmentation(**options, downsample_p=p)(images, keys).var((1, 2, 3))
        for p in (0.0, 1.0, 0.3)
    )
    assert bool((always < 0.2 * sharp).all())  # white noise loses most of its power
    blurred = (some < 0.2 * sharp).double().mean()
    assert float(blurred) == pytest.approx(0.3, abs=0.07)
    quarter = (always < 0.04 * sharp).double().mean()
    assert float(quarter) == pytest.approx(
        0.5, abs=0.08
    )  # equal odds of a half and a quarter of the side
    assert Augmentation(32, downsample_p=0.1).spec()["downsample_p"] == 0.1


WAYS = [
    {"variant": variant, "downsample_p": p} for variant in ("exact", "linear") for p in (0.0, 0.5)
]


@pytest.mark.parametrize("options", WAYS)
def test_steps_on_all_images_equal_steps_on_subsets_to_the_bit(pictures, options):
    views = Augmentation(32, jitter_p=0.8, **options)
    images, keys = pictures.repeat(4, 1, 1, 1), rng.key("views", torch.arange(96))
    subsets = views.by_tensors(images, keys, subsets=True)
    assert torch.equal(views.by_tensors(images, keys, subsets=False), subsets)
    assert torch.equal(views(images, keys), subsets)


@pytest.mark.parametrize("options", WAYS)
def test_several_views_in_one_call_equal_calls_one_by_one_to_the_bit(pictures, options):
    views, keys = Augmentation(32, **options), rng.key("views", torch.arange(72)).view(3, 24)
    together = views(pictures, keys)
    assert torch.equal(together, torch.cat([views(pictures, k) for k in keys]))
    assert together.is_contiguous(memory_format=torch.channels_last)
    half = views(pictures, keys, torch.bfloat16)
    assert torch.equal(half, together.bfloat16())
    assert half.is_contiguous(memory_format=torch.channels_last)


def test_no_images_give_no_views():
    none = torch.empty(0, 3, 48, 48, dtype=torch.uint8)
    assert Augmentation(32)(none, torch.empty(0, dtype=torch.int64)).shape == (0, 3, 32, 32)


def test_the_way_back_from_yiq_is_the_inverse():
    assert torch.allclose(torch.tensor(FROM_YIQ) @ torch.tensor(YIQ), torch.eye(3), atol=1e-6)


class OnGpu(TorchFunctionMode):
    """Lets fake tensors on a GPU be indexed where torch has no CUDA: as strided views."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        indexed = function in (Tensor.__getitem__, Tensor.__setitem__)
        if not indexed or args[0].device.type == "cpu":
            return function(*args, **(kwargs or {}))
        x, index = args[:2]
        parts = index if isinstance(index, tuple) else (index,)
        if isinstance(parts[0], Tensor):
            return torch.ops.aten.index(x, list(parts))
        like = torch.empty_strided(x.shape, x.stride(), device="cpu")[index]
        offset = x.storage_offset() + like.storage_offset()
        view = x.as_strided(like.shape, like.stride(), offset)
        if function is Tensor.__getitem__:
            return view
        write = torch.ops.aten.copy_ if isinstance(args[2], Tensor) else torch.ops.aten.fill_
        return write(view, args[2])


class Copies(TorchDispatchMode):
    """Notes the operations that bring a tensor from the host."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        given, made = (
            {x.device.type for x in tree_leaves(part) if isinstance(x, Tensor)}
            for part in ((args, kwargs), result)
        )  # fmt: skip
        if "cpu" in given and "cuda" in made:
            self.found.append(str(function))
        return result


@pytest.mark.parametrize("options", WAYS)
def test_views_on_a_gpu_never_make_the_host_wait(options, monkeypatch):
    """Fake tensors have no values: what needs one is an error. A copy from the host waits, too."""
    monkeypatch.setattr(view_kernel, "views", lambda images, source, parameters, *rest: source)
    views = Augmentation(32, jitter_p=0.8, **options)
    with FakeTensorMode(), OnGpu(), Copies() as copies:
        images = torch.empty(5, 3, 48, 48, dtype=torch.uint8, device="cuda")
        keys = torch.empty(2, 5, dtype=torch.int64, device="cuda")
        out = views(images, keys, torch.bfloat16)
        assert out.shape == (10, 3, 32, 32) and out.dtype == torch.bfloat16
        assert out.is_contiguous(memory_format=torch.channels_last)
        assert views.by_kernel(images, keys).shape == (10,)  # all that the kernel is given
        assert copies.found == []
        torch.tensor([1.0], device="cuda")
        assert copies.found  # so they are seen, and so is what the subsets do:
        with pytest.raises(DynamicOutputShapeException):
            torch.ops.aten.nonzero(keys)


def test_the_kernel_is_used_off_the_cpu_where_it_runs(monkeypatch):
    monkeypatch.setattr(Augmentation, "by_kernel", lambda *a: "kernel")
    monkeypatch.setattr(Augmentation, "by_tensors", lambda *a, subsets: f"subsets: {subsets}")
    images, keys = torch.empty(2, 3, 48, 48, dtype=torch.uint8), torch.arange(2)
    for device, runs, way in (
        ("cpu", True, "subsets: True"),
        ("meta", False, "subsets: False"),
        ("meta", True, "kernel"),
    ):
        monkeypatch.setattr(kernels, "available", lambda device, runs=runs: runs)
        assert Augmentation(32)(images.to(device), keys.to(device)) == way
    with FakeTensorMode():  # no memory that the kernel could read
        on_gpu = torch.empty(2, 3, 48, 48, dtype=torch.uint8, device="cuda")
        assert Augmentation(32)(on_gpu, keys) == "subsets: False"
