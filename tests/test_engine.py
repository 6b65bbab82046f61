"""The training step without a card: shapes known beforehand, parts of a batch in one pass, replayed and taken-over steps."""

import copy

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from synthlearn import deadline, encoders, graph, norms, rng, train
from synthlearn.augment import Augmentation
from synthlearn.encoders import SmallAlexNet
from synthlearn.errors import OutOfTime
from synthlearn.losses import uniform, uniform_by_product
from synthlearn.methods import METHODS, AlignUniform
from synthlearn.train import Optimisation, Training, pretrain

CPU = torch.device("cpu")
GPU = "meta"  # a torch built for CPUs alone cannot differentiate on a card that is not there; this device too has no values
TEXTS = ("a red cat", "a blue cat", "a dog")
FEW = {"images_per_caption": 4}
OPTIONS = {"moco": {"queue": 32, "group": 4}, "stablerep": FEW, "stablerep_plus": FEW, "clip": FEW}


def pictures(n=24, size=40):
    return rng.integers(rng.key("pictures"), 0, 256, (n, 3, size, size)).byte()


def of(name, seed=0, encoder=None):
    return METHODS[name](encoder or SmallAlexNet(1 / 16, 32, seed), OPTIONS.get(name, {}), 3, seed, TEXTS)


def tensors(method):
    return [x.detach().clone() for x in (*method.parameters(), *method.buffers())]


def run(name="align_uniform", seed=0, o=None, views=None, images=None, **options):
    method, images = of(name, seed), pictures() if images is None else images
    trained = pretrain(images, method, views or Augmentation(32), o or Optimisation(2, 12), seed, labels=torch.arange(len(images)) % 3, **options)
    return tensors(method), trained.curves


# Fake tensors on a card that is not there: an operation whose shape depends on values, or that reads one back to the host, is an error.
@pytest.mark.parametrize("variant", ["exact", "linear"])
@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("name", list(METHODS))
def test_a_step_on_a_gpu_has_known_shapes_and_reads_nothing_back(name, optimiser, variant, monkeypatch):
    method = of(name)
    monkeypatch.setattr(nn.Module, "to", lambda self, *told, **more: self)  # modules cannot swap fake tensors
    with FakeTensorMode():

        def fake(x):
            return torch.empty(x.shape, dtype=x.dtype, device=GPU)

        for module in method.modules():
            module._parameters.update({k: nn.Parameter(fake(p), p.requires_grad) for k, p in module._parameters.items() if p is not None})
            module._buffers.update({k: fake(b) for k, b in module._buffers.items() if b is not None})
        views = Augmentation(32, downsample_p=0.05, variant=variant)
        training = Training(method, views, Optimisation(1, 12, precision="bf16", optimiser=optimiser), torch.device(GPU))
        batch = torch.empty((12, 3, 40, 40), dtype=torch.uint8, device=GPU)
        slots, labels = torch.empty(12, dtype=torch.int64, device=GPU), torch.empty(12, dtype=torch.int64, device=GPU)
        keys = torch.empty((), dtype=torch.int64, device=GPU)
        (found,) = training._update(batch, slots, keys, labels if method.labelled else None)
        assert found.shape == (len(training.terms),) and found.device.type == GPU
