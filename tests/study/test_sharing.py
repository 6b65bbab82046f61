"""Encoders for strangers: the same features in their library, a card, no overwriting."""

import re
from pathlib import Path

import pytest
import torch

from synthlearn.__main__ import main
from synthlearn.core.errors import CheckpointError, ParameterError
from synthlearn.core.vision import torchvision
from synthlearn.learn import encoders
from synthlearn.learn.networks import RESNETS
from synthlearn.study import sharing
from synthlearn.study.records import Run, read

LEAVES = {"generator": "dead_leaves-mixed", "options": {}, "revision": 1}
TRAINING = {
    "source": LEAVES,
    "profile": {"method": "simclr", "epochs": 3, "batch_size": 8},
    "method_options": {"temperature": 0.2},
    "seed": 4,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Files of small encoders by name, whose batch norms have counted something."""
    folder, paths = tmp_path_factory.mktemp("encoders"), {}
    for name in ("resnet18", "vit", "SmallAlexNet"):
        encoder = encoders.build(name, 1 / 16, 32, seed=1).train()
        with torch.no_grad():
            encoder(torch.rand(4, 3, 32, 32))
        paths[name] = folder / f"{name}.safetensors"
        encoders.save(paths[name], encoder, {"training": TRAINING})
    return paths


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("resnet18", "timm"),
        ("resnet18", "torchvision"),
        ("vit", "timm"),
        ("vit", "torchvision"),
        ("SmallAlexNet", "torch"),
    ],
)
def test_the_lines_of_the_card_give_the_same_features(name, to, trained, tmp_path, monkeypatch):
    line = sharing.share(trained[name], to, tmp_path / "theirs.safetensors")
    card = (tmp_path / "theirs.md").read_text()
    lines = "".join(re.findall(r"```python\n(.*?)```", card, re.DOTALL))
    monkeypatch.chdir(tmp_path)
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    there = {"images": images}
    with torch.no_grad():
        exec(lines, there)
        ours = encoders.load(str(trained[name]))
        mean, std = (torch.tensor(v)[:, None, None] for v in ours.normalisation)
        x = (images / 255 - mean) / std
        torch.testing.assert_close(there["features"], ours.embed(x), rtol=1e-4, atol=1e-5)
        if name == "SmallAlexNet":
            fc6 = ours.features(x, ("fc6",))["fc6"]
            torch.testing.assert_close(there["fc6"](x), fc6, rtol=1e-4, atol=1e-5)
    assert lines.split("import torch\n\nmean")[0].strip() in line
    for part in ("dead_leaves-mixed", "simclr", "temperature", "CC0-1.0", "none: trained by"):
        assert part in card


def test_timm_and_torchvision_name_every_resnets_layers_alike():
    import timm  # after torchvision

    for name in RESNETS:
        with torch.device("meta"):
            theirs = [timm.create_model(name), torchvision.models.get_model(name)]
        assert theirs[0].state_dict().keys() == theirs[1].state_dict().keys()


def test_nothing_is_replaced_and_a_library_without_such_a_network_is_named(trained, tmp_path):
    for there in ("a.safetensors", "a.md"):
        (tmp_path / there).write_text("a user's own")
        with pytest.raises(ParameterError, match=f"{there} is there; choose another name"):
            sharing.share(trained["resnet18"], "timm", tmp_path / "a.safetensors")
        assert (tmp_path / there).read_text() == "a user's own"
        (tmp_path / there).unlink()
    with pytest.raises(ParameterError, match="a SmallAlexNet goes to torch; name one of these"):
        sharing.share(trained["SmallAlexNet"], "timm", tmp_path / "b.safetensors")
    with pytest.raises(ParameterError, match="a ViT goes to timm or torchvision"):
        sharing.share(trained["vit"], "torch", tmp_path / "b.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a", "a.bin", "a.md", "a.safetensors.gz"])
def test_weights_that_timm_would_take_for_a_pickle_are_refused(name, trained, tmp_path):
    with pytest.raises(ParameterError, match=r"must end with \.safetensors, as in a"):
        sharing.share(trained["resnet18"], "timm", tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_card_without_weights_does_not_stay(trained, tmp_path, monkeypatch):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(sharing.files, "atomic", interrupted)
    monkeypatch.setattr(sharing.files, "write_text", lambda path, text: path.write_text(text))
    with pytest.raises(KeyboardInterrupt):
        sharing.share(trained["resnet18"], "timm", tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


def test_the_encoder_is_a_file_of_ours_whatever_its_name(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("random", "timm:resnet18"):  # names that mean other encoders elsewhere
        out = tmp_path / "theirs.safetensors"
        with pytest.raises(CheckpointError, match=f"{name}: no such file"):
            sharing.share(Path(name), "torch", out)
        assert not list(tmp_path.iterdir())
    Path("random").write_bytes(trained["vit"].read_bytes())
    lines = sharing.share(Path("random"), "timm", Path('with "quotes".safetensors'))
    exec(lines.split("\n\n", 1)[1], {})
    for wrong in (tmp_path, Path('with "quotes".safetensors')):  # a folder; timm's
        with pytest.raises(CheckpointError) as error:
            sharing.share(wrong, "timm", Path("b.safetensors"))
        assert "delete" not in str(error.value)


def test_the_card_of_a_recorded_encoder_names_its_row_and_what_is_not_ours(tmp_path):
    path = next(sharing.records_of("cpu"))
    record = read(path, Run)
    encoder = encoders.build("SmallAlexNet", 1 / 16, 32, seed=0)
    for number, part in ((record.id, f"{record.row}, profile cpu"), ("0" * 64, "not among")):
        file, out = tmp_path / f"{number}.safetensors", tmp_path / f"{number[:4]}-out.safetensors"
        encoders.save(file, encoder, {"record": number})
        sharing.share(file, "torch", out)
        assert part in out.with_suffix(".md").read_text()
    assert f"{100 * record.main.top1:.1f} %" in (tmp_path / f"{record.id[:4]}-out.md").read_text()
    of_real = tmp_path / "real.safetensors"
    encoders.save(of_real, encoder, {"training": {**TRAINING, "source": {"real": "digits"}}})
    sharing.share(of_real, "torch", tmp_path / "real-out.safetensors")
    card = (tmp_path / "real-out.md").read_text()
    assert "license: other" in card and "which are not ours" in card and "CC0" not in card


def test_the_command_exports_and_our_file_as_timms_is_told_the_way(trained, tmp_path, capsys):
    out = str(tmp_path / "theirs.safetensors")
    own = str(trained["resnet18"])
    assert main(["export-encoder", "--encoder", own, "--to", "timm", "--out", out]) == 0
    assert 'checkpoint_path="theirs.safetensors"' in capsys.readouterr().out
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        theirs, ours = encoders.load(f"timm:resnet18@{out}"), encoders.load(own)
        torch.testing.assert_close(theirs.embed(x), ours.embed(x))
    with pytest.raises(ParameterError, match="is a file of `pretrain`: give it without timm:"):
        encoders.load(f"timm:resnet18@{own}")
    with pytest.raises(CheckpointError):
        sharing.share(tmp_path / "theirs.safetensors", "timm", tmp_path / "again.safetensors")
