"""The encoder's architecture by its counts, its taps, its files."""

import pytest
import safetensors.torch
import torch

from synthlearn import encoders, rng
from synthlearn.encoders import SmallAlexNet, ViT, load, save
from synthlearn.errors import CheckpointError, ParameterError


@pytest.mark.parametrize(
    ("width", "size", "count"),
    [(1.0, 64, 58_678_368), (0.25, 64, 3_769_848), (0.25, 32, 1_803_768), (0.125, 64, 976_668), (0.125, 32, 485_148)],
)
def test_parameter_counts_are_the_specs(width, size, count):
    assert encoders.parameters(SmallAlexNet(width, size)) == count


def test_blocks_have_the_papers_shapes():
    e, x = SmallAlexNet().eval(), torch.zeros(1, 3, 64, 64)
    shapes = []
    for block in e.conv:
        x = block(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(96, 31, 31), (192, 15, 15), (384, 15, 15), (384, 15, 15), (192, 7, 7)]
    assert tuple(e.fc6(x.flatten(1)).shape) == (1, 4096)
    assert sum(b.numel() for b in e.buffers()) == 18_887  # 2·(96 + 192 + 384 + 384 + 192 + 4096 + 4096) means and variances, 7 counters


def test_initial_weights_are_normal_and_a_function_of_the_seed():
    a, b, c = SmallAlexNet(0.125, 32, 1), SmallAlexNet(0.125, 32, 1), SmallAlexNet(0.125, 32, 2)
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
    assert not torch.equal(a.fc6[0].weight, c.fc6[0].weight)
    assert float(a.fc7[0].weight.detach().std()) == pytest.approx(0.02, rel=0.01) and float(a.fc8.bias.detach().abs().max()) == 0


def test_outputs_are_unit_vectors_and_taps_are_named():
    e, x = SmallAlexNet(0.125, 32).eval(), torch.randn(4, 3, 32, 32)
    assert torch.allclose(e(x).norm(dim=1), torch.ones(4), atol=1e-5)
    found = e.features(x, ("conv3", "fc6", "fc7"))
    assert [tuple(v.shape) for v in found.values()] == [(4, 48), (4, 512), (4, 512)]
    assert torch.equal(found["fc7"], e.fc7(found["fc6"]))
    with pytest.raises(ParameterError, match="tap 'fc9': must be one of conv1"):
        e.features(x, ("fc9",))


def test_only_first_views_enter_the_running_statistics():
    e, other = SmallAlexNet(0.125, 32).train(), SmallAlexNet(0.125, 32).train()
    x, y = torch.randn(8, 3, 32, 32), torch.randn(8, 3, 32, 32) + 3
    e(x)
    with encoders.batch_statistics_only(e):
        second = e(y)
    other(x)
    for name in ("running_mean", "running_var"):
        assert torch.equal(getattr(e.conv[0][1], name), getattr(other.conv[0][1], name))
    assert torch.allclose(second, other(y), atol=1e-6)  # the batch's own statistics in both


@pytest.mark.parametrize(
    ("options", "message"), [({"width": 0}, "width = 0: must lie between"), ({"input_size": 16}, "input_size = 16: SmallAlexNet needs at least 32")]
)
def test_impossible_encoders_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        SmallAlexNet(**options)


def test_saved_encoders_come_back(tmp_path):
    e = SmallAlexNet(0.125, 32, 3).eval()
    encoders.save(tmp_path / "e.safetensors", e, {"record": "x"})
    back = encoders.load(str(tmp_path / "e.safetensors"))
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(e(x), back(x)) and not back.training


def test_damaged_foreign_and_misfit_files_are_named(tmp_path):
    path = tmp_path / "e.safetensors"
    encoders.save(path, SmallAlexNet(0.125, 32), {})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        encoders.load(str(path))
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="not one of synthlearn"):
        encoders.load(str(path))
    with pytest.raises(CheckpointError, match="no such file"):
        encoders.load(str(tmp_path / "none.safetensors"))
    small = SmallAlexNet(0.125, 32)
    small.options = {"width": 0.25, "input_size": 32}
    encoders.save(path, small, {})
    with pytest.raises(CheckpointError, match=r"tensor 'conv.0.0.weight' has shape \(12, 3, 3, 3\), the model needs \(24, 3, 3, 3\)"):
        encoders.load(str(path))


def test_timm_models_take_local_weights(tmp_path):
    pytest.importorskip("synthlearn.vision")  # as the library does: timm imports torchvision
    timm = pytest.importorskip("timm")
    model = timm.create_model("resnet10t", num_classes=0)
    safetensors.torch.save_file(model.state_dict(), tmp_path / "w.safetensors")
    e = encoders.load(f"timm:resnet10t@{tmp_path / 'w.safetensors'}")
    x = torch.randn(1, 3, 64, 64)
    assert torch.allclose(e.features(x, ("pooled",))["pooled"], model.eval()(x), atol=1e-5)
    with pytest.raises(ParameterError, match="timm has no such model"):
        encoders.load("timm:resnet9999")


def test_resnets_have_unit_outputs_their_pooled_units_and_come_back_from_their_file(tmp_path):
    encoder = encoders.build("resnet18", 1.0, 64, 3).eval()
    x = rng.normal(rng.key("x"), (2, 3, 64, 64))
    with torch.no_grad():
        assert torch.allclose(encoder(x).norm(dim=1), torch.ones(2), atol=1e-5) and encoder.embed(x).shape == (2, 512)
        encoders.save(tmp_path / "r.safetensors", encoder, {})
        again = encoders.load(str(tmp_path / "r.safetensors"))
        assert torch.equal(again(x), encoder(x)) and again.options == {"name": "resnet18", "input_size": 64}
    assert encoder.first_layer.shape == (64, 3, 7, 7)
    assert not torch.equal(encoders.build("resnet18", 1.0, 64, 4).first_layer, encoder.first_layer)
    with pytest.raises(ParameterError, match="encoder = 'vgg': must be one of SmallAlexNet, resnet18, resnet50"):
        encoders.build("vgg", 1.0, 64, 0)


def released(width=0.0625, size=64, seed=5):
    """A state dict with the layout of the authors' code: blocks in a list, the flattening inside the first linear one."""
    ours = SmallAlexNet(width, size, seed).state_dict()
    return ours, {f"module.blocks.{number}.{name}": tensor for number, (name, tensor) in enumerate(ours.items())}


@pytest.mark.parametrize("size", [64, 96])
def test_the_authors_encoders_are_read_from_their_state_dict(tmp_path, size):
    ours, theirs = released(size=size)
    torch.save({"state_dict": theirs, "epoch": 199}, tmp_path / "encoder.pth")
    encoder = encoders.load(str(tmp_path / "encoder.pth"))
    assert encoder.options == {"width": 0.0625, "input_size": size}
    assert all(torch.equal(ours[k], v) for k, v in encoder.state_dict().items())


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (print, ("code of the file ran",))


def test_foreign_state_dicts_are_named_and_run_nothing(tmp_path, capsys):
    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    torch.save({"weight": torch.ones(3)}, tmp_path / "other.pth")
    torch.save(dict(list(released()[1].items())[:-1]), tmp_path / "short.pth")
    for name, message in (
        ("evil", "not a state dict of tensors"),
        ("missing", "not a state dict of tensors"),
        ("other", "not a SmallAlexNet"),
        ("short", "has 43"),
    ):
        with pytest.raises(CheckpointError, match=message):
            encoders.load(str(tmp_path / f"{name}.pth"))
    assert "ran" not in capsys.readouterr().out


def test_a_vision_transformer_has_unit_outputs_a_head_of_its_own_and_comes_back(tmp_path):
    vit = ViT(32, 3)
    x = rng.normal(rng.key("x"), (4, 3, 32, 32))
    vit.eval()
    out, features = vit(x), vit.features(x)["pooled"]
    assert out.shape == (4, 128) and torch.allclose(out.norm(dim=1), torch.ones(4), atol=1e-5)
    assert features.shape == (4, vit.embedding_size) and torch.equal(vit.project(features), out)
    assert vit.first_layer.shape == (192, 3, 4, 4) and float(vit.first_layer.std().detach()) == pytest.approx(0.02, rel=0.05)
    assert not any(isinstance(m, torch.nn.BatchNorm1d) for m in vit.trunk.modules()) and sum(isinstance(m, torch.nn.BatchNorm1d) for m in vit.head) == 2
    save(tmp_path / "vit.safetensors", vit, {})
    assert torch.equal(load(str(tmp_path / "vit.safetensors"))(x), out)
    assert torch.equal(ViT(32, 3).first_layer, vit.first_layer) and not torch.equal(ViT(32, 4).first_layer, vit.first_layer)
    with pytest.raises(ParameterError, match="multiple of 8"):
        ViT(30)
