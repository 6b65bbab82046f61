"""The wrapper of Stable Diffusion on a tiny pipeline with random weights, saved to disk by the test."""

import json

import pytest
import torch

import synthlearn as sl
from synthlearn import export, vision  # noqa: F401  (vision makes torchvision importable, which transformers wants)
from synthlearn.errors import CheckpointError, DataError, ParameterError

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
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16)
    torch.manual_seed(0)
    text = transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=16,
            bos_token_id=0, eos_token_id=1, pad_token_id=1,
        )
    )  # fmt: skip
    unet = diffusers.UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4, cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    vae = diffusers.AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4, sample_size=16, **blocks)
    pipeline = diffusers.StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=diffusers.PNDMScheduler(steps_offset=1, skip_prk_steps=True),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder / "model", safe_serialization=True)
    (folder / "captions.txt").write_text("a cat\n\na dog\na bird in a tree\n")
    return {"model": str(folder / "model"), "captions": str(folder / "captions.txt"), "steps": 2, "side": 32}


def test_pictures_follow_seed_caption_and_number_not_their_batch(tiny):
    source = sl.generator("text2image", **tiny)
    whole = source.sample(range(6), 32)
    assert whole.shape == (6, 3, 32, 32) and whole.dtype == torch.uint8 and float(whole.float().std()) > 1
    alone = source.sample([4], 32)
    assert int((alone[0].int() - whole[4].int()).abs().max()) <= 1
    assert source.labels(range(6)).tolist() == [0, 1, 2, 0, 1, 2] and source.texts()[2] == "a bird in a tree"
    assert not torch.equal(whole[1], whole[4])  # two samples of a caption
    assert not torch.equal(source.sample([4], 32, seed=1)[0], whole[4])
    assert source.sample([0], 16).shape == (1, 3, 16, 16)


def test_guidance_and_steps_share_the_noise_and_change_the_picture(tiny):
    plain = sl.generator("text2image", **{**tiny, "w": 1.0}).sample([0, 1], 32)
    for other in ({"w": 6.0}, {"steps": 5}):
        assert not torch.equal(sl.generator("text2image", **{**tiny, "w": 1.0, **other}).sample([0, 1], 32), plain)


def test_the_sampler_is_ddim_by_hand(tiny):
    """The same latents through the pipeline's own networks and DDIM's rule, w = 3."""
    from synthlearn import rng
    from synthlearn.generators.text2image import _pipeline

    source = sl.generator("text2image", **{**tiny, "w": 3.0, "steps": 4})
    p = _pipeline(tiny["model"], "cpu")
    side = 32 // p.vae_scale_factor
    x = rng.normal(rng.key("text2image latents", 0, torch.tensor([1]), torch.tensor([2])), (4, side, side)).view(1, 4, side, side)

    def encode(words):
        return p.text_encoder(p.tokenizer(words, padding="max_length", max_length=16, return_tensors="pt").input_ids)[0]

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
    assert sl.generator("text2image", **{**tiny, "captions": str(tmp_path / "same.txt")}).spec() == spec
    (tmp_path / "other.txt").write_text("a cat")
    assert sl.generator("text2image", **{**tiny, "captions": str(tmp_path / "other.txt")}).spec() != spec
    assert len(spec["options"]["model"]) == 64 and str(tmp_path) not in json.dumps(spec)


def test_sets_are_written_in_shards(tiny, tmp_path):
    source = sl.generator("text2image", **tiny)
    export.write(source, 3, 32, 0, tmp_path / "set", "webdataset", "cpu")
    assert list((tmp_path / "set").rglob("*.tar"))


def test_what_is_missing_is_named(tiny, tmp_path):
    with pytest.raises(ParameterError, match=r"4 GB under the CreativeML OpenRAIL-M licence.*0.8 s per picture"):
        sl.generator("text2image")
    with pytest.raises(DataError, match="no such file; give a text file"):
        sl.generator("text2image", model=tiny["model"], captions=str(tmp_path / "none.txt"))
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(DataError, match="holds no caption"):
        sl.generator("text2image", model=tiny["model"], captions=str(tmp_path / "empty.txt"))
    for options in ({"w": -1.0}, {"steps": 0}, {"side": 20}):
        with pytest.raises(ParameterError, match="side a multiple of 8"):
            sl.generator("text2image", **{**tiny, **options})
    (tmp_path / "model").mkdir()
    with pytest.raises(CheckpointError, match="not readable"):
        sl.generator("text2image", **{**tiny, "model": str(tmp_path / "model")}).sample([0], 32)
