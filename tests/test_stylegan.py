"""Random StyleGANs: the single-map shortcut against the full network, kernels, noise, and the output law."""

import math

import pytest
import torch
from torch.nn import functional

import synthlearn as sl
from synthlearn import rng
from synthlearn.generators import stylegan as sg

WIDTH = 1 / 16


def full_network(shared, keys, net, side, o):
    """The modulated, demodulated convolutions on all channels, written out: (n, 3, side, side) without any shortcut."""
    convolutions, painters = sg.styles(shared, keys)
    noise = sg.shared_noise(keys, side) if o.noise == "envelope" else None
    filter4 = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64 * 4
    pictures = []
    for i in range(len(keys)):
        x, image = shared.constant[None], None
        for number, layer in enumerate(sg.layers(side, o.width)):
            draw = sg.draw_layer(number, layer, keys[i : i + 1], net, noise and {r: x[i : i + 1] for r, x in noise.items()}, o)
            kernel = draw.sign[0][:, None, None, None] * draw.kernel[0][None]
            modulated = kernel * convolutions[number][i][None, :, None, None]
            modulated = modulated / (modulated.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
            if layer.up:
                x = functional.conv_transpose2d(x, modulated.transpose(0, 1), stride=2)
                x = functional.conv2d(functional.pad(x, (1, 1, 1, 1)).transpose(0, 1), filter4[None, None]).transpose(0, 1)
            else:
                x = functional.conv2d(x, modulated, padding=1)
            x = functional.relu(x + draw.noise[:, None] + draw.bias[0][None, :, None, None]) * math.sqrt(2)
            if not layer.up:
                weight = rng.normal(rng.fold(keys[i], 10 + number // 2), (3, layer.outputs)) * painters[number // 2][i]
                colour = functional.conv2d(x, weight[:, :, None, None])
                if image is not None:
                    zeros = torch.zeros(1, 3, layer.side, layer.side)
                    zeros[..., ::2, ::2] = image
                    image = functional.conv2d(functional.pad(zeros, (2, 1, 2, 1)).transpose(0, 1), filter4[None, None]).transpose(0, 1)
                image = colour if image is None else image + colour
        pictures.append(image)
    return torch.cat(pictures)


@pytest.mark.parametrize("kind", ["highfreq", "sparse", "oriented"])
def test_single_map_shortcut_equals_the_full_network(kind):
    o = sl.generator(f"stylegan-{kind}", width=WIDTH).options
    net = rng.key("net")
    shared = sg.network(int(net), 64, o.width, False, "cpu")
    keys = rng.key("shortcut", torch.arange(3))
    fast, slow = sg.tied_synthesis(shared, keys, net, 64, o), full_network(shared, keys, net, 64, o)
    assert float((fast - slow).abs().max()) < 2e-4 * float(slow.abs().max())
