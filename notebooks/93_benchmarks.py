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
# # Benchmarks
#
# **How fast are the generators, the views and the training step, and against what?** Ratios to a named reference loop, both measured in turns in one run;
# absolute speeds differ from machine to machine by a factor of two. Training is compared with what the hardware allows. The command is `make bench`.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # changes nothing here: the page shows the committed measurements

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## Ratios
#
# A vertical line marks equal speed. A goal, where one was set beforehand, is a tick. Ours computes whole batches with all threads; the reference
# loops make one image after the other on one thread. Generators that no such loop exists for are in the table alone, beside NumPy's white noise.

# %% tags=["remove-input"]
sl.book.pages.benchmarks.ratios_figure()

# %% tags=["remove-input"]
sl.book.pages.benchmarks.ratios_table()

# %% [markdown]
# ## On a GPU
#
# Here the question is how far the hardware is used. Each line has a **floor**: what it would be if the chip did its arithmetic, or moved its
# bytes, at the speed of a large matrix product or a copy, measured just before. Norms, pooling and a solver's iterations are not in the floor.
# Goals were set before anything was measured. `python -m benchmarks --card` takes a minute and a half; `benchmarks/card.sh` is for a card that is
# there for ten minutes. Without a GPU, `make bench` measures the same at the *cpu* profile's sizes.

# %% tags=["remove-input"]
sl.book.pages.benchmarks.engine_tables()

# %% [markdown]
# ### Generated or stored?
#
# Images that are made when they are needed take no disk and never repeat. Do they slow training down?

# %% tags=["remove-input"]
sl.book.pages.benchmarks.stored_table()

# %% [markdown]
# ## What the reference loops are
#
# They are in `benchmarks/reference.py`.
#
# - *opencv_leaves*: parameters drawn 200 leaves at a time, OpenCV's fills, cover tested every 200 leaves; about fifty times faster than the
#   published code, which tests the whole image after every leaf.
# - *masked_textures*: leaves as by *opencv_leaves*, then a pass over the image for every leaf, as published.
# - *python_fractal*: the published way, a Python loop over 100,000 points with a paste each.
# - *numba_fractal*: a compiled chaos game of 100,000 points with count and colour, one fractal per image; our sigma images hold up to five
#   fractals on a background and draw one new fractal per two images.
# - *numpy_noise*: NumPy's own generator, which need not give the same image in any batch.
# - *numpy_statistics*: the authors' MATLAB channel by channel in NumPy, with pyrtools' pyramid.
# - *full_stylegan*: the same network with all its channels at 256 px.
# - *pil_views*: torchvision's pipeline on PIL images.
# - *png_files* and *memory*: the same images as an ImageFolder and as a tensor, read by a DataLoader with as many workers.

# %% tags=["remove-input"]
sl.book.provenance(p, {})
