"""The wrapper of Stable Diffusion on a tiny pipeline with random weights, saved to disk by the
test.
"""

import json
import shutil

import pytest
import safetensors.torch
import torch

import synthlearn as sl
from synthlearn.core import vision  # noqa: F401  (vision makes torchvision importable, which transformers wants)
from synthlearn.core.errors import CheckpointError, DataError, ParameterError
from synthlearn.data import export

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A pipeline of 8-channel networks that paints 16 px, and a file of three captions."""
    folder = tmp_path_factory.mktemp("pipeline")
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{c}</w>" for c in letters)]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16
    )
    torch.manual_seed(0)
    text = transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=16,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )
    unet = diffusers.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=16,
        attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    blocks = {
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
    }
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4, sample_size=16, **blocks
    )
    pipeline = diffusers.StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=diffusers.PNDMScheduler(steps_offset=1, skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder / "model", safe_serialization=True)
    (folder / "captions.txt").write_text("a cat\n\na dog\na bird in a tree\n")
    return {
        "model": str(folder / "model"),
        "captions": str(folder / "captions.txt"),
        "steps": 2,
        "side": 32,
    }


def test_pictures_follow_seed_caption_and_number_not_their_batch(tiny):
    source = sl.generator("text2image", **tiny)
    whole = source.sample(range(6), 32)
    assert (
        whole.shape == (6, 3, 32, 32)
        and whole.dtype == torch.uint8
        and float(whole.float().std()) > 1
    )
    alone = source.sample([4], 32)
    assert int((alone[0].int() - whole[4].int()).abs().max()) <= 1
    assert (
        source.labels(range(6)).tolist() == [0, 1, 2, 0, 1, 2]
        and source.texts()[2] == "a bird in a tree"
    )
    assert not torch.equal(whole[1], whole[4])  # two samples of a caption
    assert not torch.equal(source.sample([4], 32, seed=1)[0], whole[4])
    assert source.sample([0], 16).shape == (1, 3, 16, 16)


def test_guidance_and_steps_share_the_noise_and_change_the_picture(tiny):
    plain = sl.generator("text2image", **{**tiny, "w": 1.0}).sample([0, 1], 32)
    for other in ({"w": 6.0}, {"steps": 5}):
        assert not torch.equal(
            sl.generator("text2image", **{**tiny, "w": 1.0, **other}).sample([0, 1], 32), plain
        )


def test_the_sampler_is_ddim_by_hand(tiny):
    """The same latents through the pipeline's own networks and DDIM's rule, w = 3."""
    from synthlearn.core import rng
    from synthlearn.generators.text2image import _pipeline

    source = sl.generator("text2image", **{**tiny, "w": 3.0, "steps": 4})
    p = _pipeline(tiny["model"], "cpu")
    side = 32 // p.vae_scale_factor
    x = rng.normal(
        rng.key("text2image latents", 0, torch.tensor([1]), torch.tensor([2])), (4, side, side)
    ).view(1, 4, side, side)

    def encode(words):
        return p.text_encoder(
            p.tokenizer(words, padding="max_length", max_length=16, return_tensors="pt").input_ids
        )[0]

    with torch.no_grad():
        told, free = encode("a dog"), encode("")
        p.scheduler.set_timesteps(4)
        kept = p.scheduler.alphas_cumprod
        times = p.scheduler.timesteps.tolist()
        gap = p.scheduler.config.num_train_timesteps // 4
        for t in times:
            a, last = (p.unet(x, t, c).sample for c in (free, told))
            noise = a + 3 * (last - a)
            here = kept[t]
            before = kept[t - gap] if t >= gap else p.scheduler.final_alpha_cumprod
            clean = (x - (1 - here).sqrt() * noise) / here.sqrt()
            if p.scheduler.config.clip_sample:
                clean = clean.clamp(-1, 1)
            x = before.sqrt() * clean + (1 - before).sqrt() * noise
        painted = p.vae.decode(x / p.vae.config.scaling_factor).sample
    expected = ((painted / 2 + 0.5).clamp(0, 1) * 255).round()
    found = source.sample([1 + 3 * 2], 32).float()  # the third sample of caption 1
    assert float((found - expected).abs().max()) <= 1


def test_a_record_knows_the_model_by_its_content_and_the_captions_by_theirs(tiny, tmp_path):
    spec = sl.generator("text2image", **tiny).spec()
    (tmp_path / "same.txt").write_text("a cat\na dog\na bird in a tree")
    assert (
        sl.generator("text2image", **{**tiny, "captions": str(tmp_path / "same.txt")}).spec()
        == spec
    )
    (tmp_path / "other.txt").write_text("a cat")
    assert (
        sl.generator("text2image", **{**tiny, "captions": str(tmp_path / "other.txt")}).spec()
        != spec
    )
    assert len(spec["options"]["model"]) == 64 and str(tmp_path) not in json.dumps(spec)


def test_sets_are_written_in_shards(tiny, tmp_path):
    source = sl.generator("text2image", **tiny)
    export.write(source, 3, 32, 0, tmp_path / "set", "webdataset", "cpu")
    assert list((tmp_path / "set").rglob("*.tar"))


def test_what_is_missing_is_named(tiny, tmp_path):
    with pytest.raises(
        ParameterError, match=r"4 GB under the CreativeML OpenRAIL-M licence.*0.8 s per picture"
    ):
        sl.generator("text2image")
    with pytest.raises(DataError, match="no such file; give a text file"):
        sl.generator("text2image", model=tiny["model"], captions=str(tmp_path / "none.txt"))
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(DataError, match="holds no caption"):
        sl.generator("text2image", model=tiny["model"], captions=str(tmp_path / "empty.txt"))
    (tmp_path / "model").mkdir()
    with pytest.raises(CheckpointError, match="not readable"):
        sl.generator("text2image", **{**tiny, "model": str(tmp_path / "model")}).sample([0], 32)


@pytest.mark.parametrize("w", [-1.0, 0.0, 0.99, float("nan"), float("inf"), 1e9])
def test_guidance_that_diffusers_would_not_give_is_refused(tiny, w):
    with pytest.raises(ParameterError, match="option w ="):
        sl.generator("text2image", **{**tiny, "w": w})


@pytest.mark.parametrize(
    "option", [{"steps": 0}, {"steps": 1001}, {"side": 20}, {"side": 0}, {"side": 1 << 20}]
)
def test_steps_and_side_are_bounded(tiny, option):
    with pytest.raises(ParameterError, match=f"option {next(iter(option))} ="):
        sl.generator("text2image", **{**tiny, **option})


def test_any_size_can_be_asked_for(tiny):
    assert sl.generator("text2image", **tiny).sample([0], 43).shape == (1, 3, 43, 43)


def test_captions_are_utf_8_with_or_without_a_mark_and_end_at_line_feeds_alone(tiny, tmp_path):
    path = tmp_path / "captions.txt"
    path.write_bytes("\ufeffa cat\r\na dog\u2028in a\fhouse\n\n é \n".encode())
    found = sl.generator("text2image", model=tiny["model"], captions=str(path))
    assert found.texts() == ("a cat", "a dog\u2028in a\fhouse", "é")
    path.write_bytes("a cat\na café\n".encode("latin-1"))
    with pytest.raises(DataError, match="line 2 is not UTF-8"):
        sl.generator("text2image", model=tiny["model"], captions=str(path))
    for bad in (str(tmp_path), str(tmp_path / ("x" * 300)), "a\0b", ""):
        with pytest.raises(DataError, match="option captions = "):
            sl.generator("text2image", model=tiny["model"], captions=bad)


def test_equal_captions_are_refused_by_their_lines(tiny, tmp_path):
    path = tmp_path / "captions.txt"
    path.write_text("a cat\na dog\n\n a cat\n")
    with pytest.raises(DataError, match="lines 1 and 4 are both 'a cat'"):
        sl.generator("text2image", model=tiny["model"], captions=str(path))


def test_captions_that_are_the_same_to_the_model_are_refused(tiny, tmp_path):
    """The tiny model reads 16 tokens: a start, 14 letters, an end."""
    path, start = tmp_path / "captions.txt", "a b c d e f g h i j k l m n"
    for text in ("a cat\n\nA  cat\n", f"{start}\n\n{start} o\n", f"{start} o\n\n{start} p q r\n"):
        path.write_text(text)
        source = sl.generator("text2image", **{**tiny, "captions": str(path)})
        with pytest.raises(DataError, match="lines 1 and 3 are the same to the model"):
            source.sample([0], 32)


def test_captions_that_are_cut_off_are_counted_once(tiny, tmp_path, capsys):
    path = tmp_path / "captions.txt"
    path.write_text("a cat\n" + " ".join("abcdefghijklmnopq") + "\n" + "b " * 14)
    source = sl.generator("text2image", **{**tiny, "captions": str(path)})
    source.sample([0], 32)
    source.sample([1], 32)
    told = [line for line in capsys.readouterr().err.splitlines() if "cut off" in line]
    assert (
        len(told) == 1 and "1 of 3 captions, the first in line 2, are cut off after 16" in told[0]
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["vae", "unet"])
def test_a_picture_that_is_not_finite_is_an_error(tiny, tmp_path, part, value):
    """Not black, and not clipped to white."""
    shutil.copytree(tiny["model"], tmp_path / "model")
    (path,) = (tmp_path / "model" / part).glob("*.safetensors")
    weights = safetensors.torch.load_file(path)
    name = "decoder.conv_out.bias" if part == "vae" else "conv_out.bias"
    weights[name][0] = value
    safetensors.torch.save_file(weights, path, {"format": "pt"})
    source = sl.generator("text2image", **{**tiny, "model": str(tmp_path / "model")})
    with pytest.raises(DataError, match="picture 1, of caption 'a dog', is not finite"):
        source.sample([1], 32)


def test_a_model_on_the_hub_is_known_by_its_commit(tiny, monkeypatch):
    for revision in ("", "main", "4" * 39):
        with pytest.raises(ParameterError, match="a model on the hub needs its commit"):
            sl.generator("text2image", **{**tiny, "model": "some/model", "revision": revision})
    with pytest.raises(ParameterError, match="known by its content; leave it out"):
        sl.generator("text2image", **{**tiny, "revision": "4" * 40})
    asked = []

    def download(model, **options):
        asked.append((model, options["revision"], options["use_safetensors"]))
        return tiny["model"]

    monkeypatch.setattr(diffusers.StableDiffusionPipeline, "download", download)
    source = sl.generator("text2image", **{**tiny, "model": "some/model", "revision": "4" * 40})
    local = sl.generator("text2image", **tiny)
    assert torch.equal(source.sample([0], 32), local.sample([0], 32))
    assert asked == [("some/model", "4" * 40, True)]
    options = source.spec()["options"]
    assert (options["model"], options["revision"]) == ("some/model", "4" * 40)


def test_code_in_a_model_never_runs(tiny, tmp_path):
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w')\nclass Evil:\n    pass\n"
    index = json.loads((tmp_path.parent / tiny["model"] / "model_index.json").read_text())
    cases = {
        "pipeline": ({"_class_name": ["evil", "Evil"]}, "evil.py"),
        "part": ({"unet": ["evil", "Evil"]}, "unet/evil.py"),
        "library": ({"unet": ["antigravity", "Evil"]}, None),
    }
    for name, (changed, file) in cases.items():
        folder = tmp_path / name
        shutil.copytree(tiny["model"], folder)
        (folder / "model_index.json").write_text(json.dumps({**index, **changed}))
        if file:
            (folder / file).write_text(code)
        with pytest.raises(CheckpointError, match=r"holds code|is of 'antigravity'"):
            sl.generator("text2image", **{**tiny, "model": str(folder)}).sample([0], 32)
        assert not ran.exists()


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_weights_in_pickles_are_not_read(tiny, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny["model"], folder)
    for path in folder.rglob("*.safetensors"):
        torch.save({"weight": Evil(str(tmp_path / "ran"))}, path.with_suffix(".bin"))
        path.unlink()
    with pytest.raises(CheckpointError, match="not readable") as error:
        sl.generator("text2image", **{**tiny, "model": str(folder)}).sample([0], 32)
    assert not (tmp_path / "ran").exists() and "\n" not in str(error.value)
