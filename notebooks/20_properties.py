# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Properties of a set
#
# Why does one set teach more than another? The paper's answer is *diversity* before *realism* {cite:p}`baradad2021`. **Which property of the pictures
# goes with accuracy, and is it a cause?**

# %% tags=["parameters", "hide-input"]
profile: str = "smoke"  # smoke, cpu, gpu or paper: the settings that are not given below
epochs: int = None  # None: the profile's value
n_images: int = None
batch_size: int = None
width: float = None
seeds: int = None
data: str = None  # digits, cifar10-20k … or a folder with train/ and test/
device: str = None

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## What is measured
#
# Two thousand pictures of each set against as many real test images, in features of a stated encoder: the fifth convolution, averaged over
# space, of the network that this book trained on real images. That encoder is small and knows little, and every number below depends on it.
# **Fréchet distance**: of the Gaussians with the same moments (not FID, which is a name for Inception's features). **Precision** and
# **recall** {cite:p}`kynkaanniemi2019`: the share of synthetic pictures among real ones, and the share of real ones among synthetic;
# **density** and **coverage** {cite:p}`naeem2020`. **Log volume**: half the log determinant of the features' covariance. **Effective
# rank**: how many directions carry it. **Colour**: divergence of L\*a\*b\* histograms. **Slope** of the spectrum. **Coherence**: how much
# more alike two views of one picture are than views of two.
#
# Most of these are distances to real images under other names: recall and coverage count *real* images, the Fréchet distance is taken *to* them, and so
# is the divergence of colours. Log volume, rank, slope and coherence look at the set alone.

# %% tags=["hide-input"]
properties = sl.study.measured("properties", p)
neutral = sl.book.pages.properties.neutral(p)
records = {name: sl.book.baseline(p, name) for name in properties}
sl.book.pages.properties.properties_figure(properties, records)

# %% tags=["hide-input"]
sl.book.pages.properties.properties_table(properties)

# %% [markdown]
# ## What goes with accuracy

# %% tags=["hide-input"]
sl.book.pages.properties.correlations(properties, records)

# %% [markdown]
# A correlation over so few sets is a weak witness: families differ in everything at once. (The mixture is left out: it would stand among its own
# parts.) Nor does it tell diversity from realism: where accuracy goes with recall and coverage it goes with nearness to real images too, as the line of
# the Fréchet distance says. Hence two more tests: other eyes, and the cut that the paper lacks.
#
# ## A neutral eye
#
# All of this is seen by a small network that we trained ourselves, on real images of the probe's own set. A classifier of ImageNet {cite:p}`tan2019`
# has learned from a million other photographs. It sees the same pictures and test images, brought to one size and enlarged to what it reads:

# %% tags=["hide-input"]
sl.book.pages.properties.eyes_table(properties, neutral)

# %% [markdown]
# **Diversity or nearness?** The paper's sentence is about two things that go together, so each is asked with the other held fixed: does accuracy rise with
# the volume among sets that are equally near to real images, and with nearness among sets of equal volume?

# %% tags=["hide-input"]
sl.book.pages.properties.partials(properties, neutral, records)

# %% [markdown]
# ## Cutting diversity at a fixed look
#
# The same generator, the same pictures one by one, but less variety between them: a single random network in place of one per 400 pictures;
# fractals of one system and of ten in place of a thousand; leaves filled from ten textures in place of a thousand. If diversity is a cause,
# accuracy falls.

# %% tags=["hide-input"]
runs = sl.study.chapter("20_properties", p)
sl.book.ablation_figure(runs, p)

# %% tags=["hide-input"]
sl.book.ablation(runs, p)

# %% [markdown]
# The StyleGAN of one network has 2,500 pictures; its counterpart with as many pictures of several networks is on [the page about numbers of
# images](22_number_of_images). In the tables of properties, *a quarter of the images* repeats the StyleGAN's own line to the digit: both are measured on
# their first 2,000 pictures, and those are the same.
#
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("20_properties")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# python -m synthlearn measure --profile smoke --what properties
# python -m synthlearn pretrain --generator fractals-sigma --option systems=3 --out encoder.safetensors
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, properties)
