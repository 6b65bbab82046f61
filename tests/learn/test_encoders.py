"""The encoder's architecture by its counts, its taps, its files."""

import pytest
import safetensors.torch
import torch

from synthlearn.core import rng
from synthlearn.core.errors import CheckpointError, ParameterError
from synthlearn.core.image import MEAN, STD
from synthlearn.learn import encoders
from synthlearn.learn.encoders import SmallAlexNet, ViT, load, save


@pytest.mark.parametrize(
    ("width", "size", "count"),
    [
        (1.0, 64, 58_678_368),
        (0.25, 64, 3_769_848),
        (0.25, 32, 1_803_768),
        (0.125, 64, 976_668),
        (0.125, 32, 485_148),
    ],
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
    assert (
        sum(b.numel() for b in e.buffers()) == 18_887
    )  # 2·(96 + 192 + 384 + 384 + 192 + 4096 + 4096) means and variances, 7 counters


def test_initial_weights_are_normal_and_a_function_of_the_seed():
    a, b, c = SmallAlexNet(0.125, 32, 1), SmallAlexNet(0.125, 32, 1), SmallAlexNet(0.125, 32, 2)
    assert all(
        torch.equal(x, y)
        for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )
    assert not torch.equal(a.fc6[0].weight, c.fc6[0].weight)
    assert (
        float(a.fc7[0].weight.detach().std()) == pytest.approx(0.02, rel=0.01)
        and float(a.fc8.bias.detach().abs().max()) == 0
    )


def test_outputs_are_unit_vectors_and_taps_are_named():
    e, x = SmallAlexNet(0.125, 32).eval(), torch.randn(4, 3, 32, 32)
    assert torch.allclose(e(x).norm(dim=1), torch.ones(4), atol=1e-5)
    found = e.features(x, ("conv3", "fc6", "fc7"))
    assert [tuple(v.shape) for v in found.values()] == [(4, 48), (4, 512), (4, 512)]
    assert torch.equal(found["fc7"], e.fc7(found["fc6"]))
    with pytest.raises(ParameterError, match="tap 'fc9': must be one of conv1"):
        e.features(x, ("fc9",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width = 0: must be a number from 0.03125 to 4"),
        ({"width": float("nan")}, "width = nan: must be a number from 0.03125 to 4"),
        ({"width": "1"}, "width = '1': must be a number from 0.03125 to 4"),
        ({"input_size": 16}, "input_size = 16: must be a whole number from 32 to 512"),
        ({"input_size": 10**6}, "input_size = 1000000: must be a whole number from 32 to 512"),
        ({"input_size": 64.0}, "input_size = 64.0: must be a whole number"),
        ({"input_size": True}, "input_size = True: must be a whole number"),
        ({"width": 4, "input_size": 512}, "fc6 would have 49,941,577,728 weights; at most"),
    ],
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
    with pytest.raises(CheckpointError, match=r"not a readable safetensors file|damaged"):
        encoders.load(str(path))
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="no header"):
        encoders.load(str(path))
    with pytest.raises(CheckpointError, match="no such file"):
        encoders.load(str(tmp_path / "none.safetensors"))
    small = SmallAlexNet(0.125, 32)
    small.options = {"width": 0.25, "input_size": 32}
    encoders.save(path, small, {})
    with pytest.raises(
        CheckpointError,
        match=r"tensor 'conv.0.0.weight' has shape \(12, 3, 3, 3\), "
        r"the model needs \(24, 3, 3, 3\)",
    ):
        encoders.load(str(path))


@pytest.fixture(scope="module")
def timm():
    """timm, after what makes sure that it can be imported."""
    pytest.importorskip("synthlearn.core.vision")
    return pytest.importorskip("timm")


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224"])
def test_timm_models_take_the_files_that_exist(tmp_path, timm, name):
    """With the classifier and without, of either format, in each wrapping."""
    model = timm.create_model(name, num_classes=7).eval()
    state = model.state_dict()
    bare = {n: t for n, t in state.items() if not n.startswith(("fc.", "head."))}
    old = {n: t for n, t in state.items() if not n.endswith("num_batches_tracked")}
    assert len(bare) == len(state) - 2
    safetensors.torch.save_file(state, tmp_path / "whole.safetensors")
    torch.save(state, tmp_path / "whole.pth")
    torch.save({"model": bare, "epoch": 3}, tmp_path / "model.pth")
    wrapped = {f"module.{n}": t for n, t in old.items()}
    other = {n: torch.zeros_like(t) for n, t in state.items()}
    torch.save({"state_dict": other, "state_dict_ema": wrapped}, tmp_path / "average.pt")
    x = rng.normal(rng.key("x"), (1, 3, 224, 224))
    with torch.no_grad():
        expected = model.forward_head(model.forward_features(x), pre_logits=True)
        for file in ("whole.safetensors", "whole.pth", "model.pth", "average.pt"):
            e = encoders.load(f"timm:{name}@{tmp_path / file}")
            assert torch.equal(e.features(x)["pooled"], expected) and not e.training
            assert e.options == {"timm": name, "input_size": model.pretrained_cfg["input_size"][-1]}


def test_timm_files_that_do_not_fit_are_refused_in_one_line(tmp_path, timm, capsys):
    state = timm.create_model("resnet10t").state_dict()
    torch.save({**state, "extra": torch.zeros(1)}, tmp_path / "extra.pth")
    torch.save({n: t for n, t in state.items() if n != "conv1.0.weight"}, tmp_path / "less.pth")
    torch.save({**state, "conv1.0.weight": torch.zeros(1)}, tmp_path / "shape.pth")
    torch.save(
        {**state, "conv1.0.weight": torch.full_like(state["conv1.0.weight"], torch.nan)},
        tmp_path / "nan.pth",
    )
    torch.save({**state, "conv1.0.weight": state["conv1.0.weight"].long()}, tmp_path / "whole.pth")
    torch.save(
        {**state, "conv1.0.weight": state["conv1.0.weight"].to_sparse()}, tmp_path / "sparse.pth"
    )
    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    torch.save({3: torch.ones(1), "epoch": 3}, tmp_path / "none.pth")
    (tmp_path / "empty.pth").touch()
    (tmp_path / "cut.safetensors").write_bytes(b"\x10" + bytes(7) + b"{")
    for name, message in (
        ("extra.pth", "tensor 'extra' is not part of the model"),
        ("less.pth", r"tensor 'conv1.0.weight' is missing"),
        ("shape.pth", r"tensor 'conv1.0.weight' has shape \(1,\)"),
        ("nan.pth", r"tensor 'conv1.0.weight' holds NaN"),
        ("whole.pth", r"tensor 'conv1.0.weight' is of torch.int64"),
        ("sparse.pth", r"tensor 'conv1.0.weight' is sparse"),
        ("evil.pth", "not a state dict of tensors"),
        ("list.pth", "holds no tensors"),
        ("none.pth", "holds no tensors"),
        ("empty.pth", "not a state dict of tensors"),
        ("cut.safetensors", "not a state dict of tensors"),
        ("missing.pth", "no such file"),
        (".", "is not a file"),
        ("x" * 300, "cannot be read"),
    ):
        with pytest.raises(CheckpointError, match=message) as caught:
            encoders.load(f"timm:resnet10t@{tmp_path / name}")
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 800
    assert "ran" not in capsys.readouterr().out


def test_timm_encoders_are_named_right_or_refused(tmp_path, timm):
    encoders.save(tmp_path / "ours.safetensors", SmallAlexNet(1 / 16, 32), {})
    with pytest.raises(ParameterError, match="is a file of `pretrain`: give it without timm:"):
        encoders.load(f"timm:resnet10t@{tmp_path / 'ours.safetensors'}")
    with pytest.raises(ParameterError, match="timm has no such model"):
        encoders.load("timm:resnet9999")
    with pytest.raises(ParameterError, match="names no file"):
        encoders.load("timm:resnet10t@")
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="Invalid pretrained tag"):
        encoders.load(f"timm:resnet10t.no_such_tag@{tmp_path / 'a.pth'}")


def test_a_hub_model_is_named_with_its_revision(tmp_path, timm, monkeypatch):
    """As the hub's client keeps it: refs/main names the commit, snapshots/COMMIT holds the file."""
    constants = pytest.importorskip("huggingface_hub.constants")
    cache, commit = (
        tmp_path / "models--timm--resnet10t.c3_in1k",
        "0123456789abcdef" * 2 + "01234567",
    )
    model = timm.create_model("resnet10t").eval()
    for folder in ("refs", f"snapshots/{commit}"):
        (cache / folder).mkdir(parents=True)
    (cache / "refs" / "main").write_text(commit)
    safetensors.torch.save_file(
        model.state_dict(), cache / "snapshots" / commit / "model.safetensors"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    e = encoders.load("timm:resnet10t")
    assert e.options["hub"] == {
        "repository": "timm/resnet10t.c3_in1k",
        "tag": "c3_in1k",
        "revision": commit,
    }
    assert torch.equal(e.state_dict()["trunk.conv1.0.weight"], model.state_dict()["conv1.0.weight"])
    with pytest.raises(CheckpointError, match="encoder timm:resnet18: no weights") as caught:
        encoders.load("timm:resnet18")
    assert "\n" not in str(caught.value)


def test_resnets_have_unit_outputs_their_pooled_units_and_come_back_from_their_file(tmp_path):
    encoder = encoders.build("resnet18", 1.0, 64, 3).eval()
    x = rng.normal(rng.key("x"), (2, 3, 64, 64))
    with torch.no_grad():
        assert torch.allclose(encoder(x).norm(dim=1), torch.ones(2), atol=1e-5) and encoder.embed(
            x
        ).shape == (2, 512)
        encoders.save(tmp_path / "r.safetensors", encoder, {})
        again = encoders.load(str(tmp_path / "r.safetensors"))
        assert torch.equal(again(x), encoder(x)) and again.options == {
            "name": "resnet18",
            "input_size": 64,
        }
    assert encoder.first_layer.shape == (64, 3, 7, 7)
    assert not torch.equal(encoders.build("resnet18", 1.0, 64, 4).first_layer, encoder.first_layer)
    with pytest.raises(
        ParameterError, match="encoder = 'vgg': must be one of SmallAlexNet, resnet18, resnet50"
    ):
        encoders.build("vgg", 1.0, 64, 0)


def released(width=0.0625, size=64, seed=5):
    """A state dict with the layout of the authors' code: blocks in a list, the flattening inside
    the first linear one."""
    ours = SmallAlexNet(width, size, seed).state_dict()
    return ours, {
        f"module.blocks.{number}.{name}": tensor
        for number, (name, tensor) in enumerate(ours.items())
    }


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
    torch.save({"a": torch.tensor(3.0), "b": torch.ones(2, 2)}, tmp_path / "scalar.pth")
    torch.save({"a": torch.ones(0, 3, 3, 3), "b": torch.ones(2, 2)}, tmp_path / "empty.pth")
    torch.save({"state_dict": [torch.ones(2, 2)]}, tmp_path / "list.pth")
    torch.save({"state_dict": {"a": "b", 3: 4}}, tmp_path / "words.pth")
    torch.save(
        {"a": torch.ones(96, 3, 3, 3), "b": torch.ones(1).expand(1, 10**12)}, tmp_path / "huge.pth"
    )
    theirs = released()[1]
    torch.save(dict(list(theirs.items())[:-1]), tmp_path / "short.pth")
    torch.save(
        {n: t * torch.nan if t.is_floating_point() else t for n, t in theirs.items()},
        tmp_path / "nan.pth",
    )
    safetensors.torch.save_file(theirs, tmp_path / "foreign.pth")
    for name, message in (
        ("evil", "not a state dict of tensors"),
        ("missing", "no such file"),
        ("other", "not a SmallAlexNet"),
        ("scalar", "not a SmallAlexNet"),
        ("empty", "not a SmallAlexNet"),
        ("list", "holds no tensors"),
        ("words", "holds no tensors"),
        ("huge", "not a SmallAlexNet"),
        ("short", "has 43"),
        ("nan", "tensor 'conv.0.0.weight' holds NaN or infinity"),
        ("foreign", "is safetensors; give the .pth file"),
    ):
        with pytest.raises(CheckpointError, match=message):
            encoders.load(str(tmp_path / f"{name}.pth"))
    assert "ran" not in capsys.readouterr().out


def test_a_flipped_bit_of_anothers_weights_is_never_a_result(tmp_path):
    ours, theirs = released()
    path, refused = tmp_path / "e.pth", 0
    torch.save(theirs, path)
    whole = path.read_bytes()
    for at in range(7, len(whole), len(whole) // 16):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 8]) + whole[at + 1 :])
        try:
            found = encoders.load(str(path)).state_dict()
            assert all(torch.equal(ours[k], v) for k, v in found.items())  # it was in the padding
        except CheckpointError:
            refused += 1
    assert refused > 10


def test_our_own_file_under_another_suffix_is_told_from_a_released_one(tmp_path):
    encoders.save(tmp_path / "e.pth", SmallAlexNet(1 / 16, 32), {})
    with pytest.raises(
        ParameterError, match=r"e.pth: is a file of `pretrain`: rename it to e.safetensors"
    ):
        encoders.load(str(tmp_path / "e.pth"))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"encoder": []}, r"holds no encoder \(its header says '\[\]'\)"),
        ({"encoder": None}, "holds no encoder"),
        ({"encoder": "load"}, "holds no encoder"),
        (
            {"options": None},
            r"options \(None\) are not those of a SmallAlexNet \(input_size, width\)",
        ),
        ({"options": ["width"]}, "are not those of a SmallAlexNet"),
        ({"options": {"width": 1 / 16}}, r"options \(width\) are not those"),
        (
            {"options": {"width": 1 / 16, "input_size": 32, "depth": 9}},
            r"options \(depth, input_size, width\) .* update synthlearn",
        ),
        (
            {"options": {"width": 1 / 16, "input_size": 32, "seed": 9}},
            "are not those of a SmallAlexNet",
        ),
        ({"options": {"width": "wide", "input_size": 32}}, "width = 'wide': must be a number from"),
        (
            {"options": {"width": 1 / 16, "input_size": "32"}},
            "input_size = '32': must be a whole number",
        ),
        (
            {"options": {"width": 1 / 16, "input_size": 10**30}},
            "must be a whole number from 32 to 512",
        ),
        (
            {"encoder": "ResNet", "options": {"name": ["resnet18"], "input_size": 32}},
            r"encoder = \['resnet18'\]: must be one of",
        ),
        ({"normalisation": None}, "normalisation = None: must be the mean of three channels"),
        ({"normalisation": [[0, 0, 0], [1, 1]]}, "must be the mean of three channels"),
        ({"normalisation": [[0, 0, 0], [1, 1, 0]]}, "must be the mean of three channels"),
        (
            {"normalisation": [[0, 0, float("nan")], [1, 1, 1]]},
            "must be the mean of three channels",
        ),
        ({"normalisation": ["123", "123"]}, "must be the mean of three channels"),
    ],
)
def test_headers_that_describe_no_encoder_name_the_file_in_one_line(tmp_path, header, message):
    encoders.save(tmp_path / "e.safetensors", SmallAlexNet(1 / 16, 32), header)
    with pytest.raises(CheckpointError, match=message) as caught:
        encoders.load(str(tmp_path / "e.safetensors"))
    assert str(caught.value).startswith(str(tmp_path / "e.safetensors")) and "\n" not in str(
        caught.value
    )


def test_the_recorded_normalisation_is_the_encoders(tmp_path):
    e = SmallAlexNet(1 / 16, 32)
    encoders.save(tmp_path / "own.safetensors", e, {})
    assert (
        encoders.load(str(tmp_path / "own.safetensors")).normalisation == SmallAlexNet.normalisation
    )
    e.normalisation = ((0.5, 0.25, 0.125), (1.0, 2.0, 3.0))
    encoders.save(tmp_path / "e.safetensors", e, {})
    assert encoders.load(str(tmp_path / "e.safetensors")).normalisation == e.normalisation
    assert SmallAlexNet.normalisation == (MEAN, STD)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", ["conv.0.0.weight", "fc8.bias", "conv.1.1.running_var"])
def test_weights_that_are_not_finite_are_refused(tmp_path, name, value):
    e = SmallAlexNet(1 / 16, 32)
    e.state_dict()[name].flatten()[-1:].fill_(value)
    encoders.save(tmp_path / "e.safetensors", e, {})
    with pytest.raises(
        CheckpointError, match=f"e.safetensors: tensor '{name}' holds NaN or infinity"
    ):
        encoders.load(str(tmp_path / "e.safetensors"))


def test_a_vision_transformer_has_unit_outputs_a_head_of_its_own_and_comes_back(tmp_path):
    vit = ViT(32, 3)
    x = rng.normal(rng.key("x"), (4, 3, 32, 32))
    vit.eval()
    out, features = vit(x), vit.features(x)["pooled"]
    assert out.shape == (4, 128) and torch.allclose(out.norm(dim=1), torch.ones(4), atol=1e-5)
    assert features.shape == (4, vit.embedding_size) and torch.equal(vit.project(features), out)
    assert vit.first_layer.shape == (192, 3, 4, 4) and float(
        vit.first_layer.std().detach()
    ) == pytest.approx(0.02, rel=0.05)
    assert (
        not any(isinstance(m, torch.nn.BatchNorm1d) for m in vit.trunk.modules())
        and sum(isinstance(m, torch.nn.BatchNorm1d) for m in vit.head) == 2
    )
    save(tmp_path / "vit.safetensors", vit, {})
    assert torch.equal(load(str(tmp_path / "vit.safetensors"))(x), out)
    assert torch.equal(ViT(32, 3).first_layer, vit.first_layer) and not torch.equal(
        ViT(32, 4).first_layer, vit.first_layer
    )
    with pytest.raises(ParameterError, match="multiple of 8"):
        ViT(36)
