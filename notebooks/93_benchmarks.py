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
# absolute speeds differ from machine to machine by a factor of two. The reference loops are in `benchmarks/reference.py`; the command is `make bench`.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # changes nothing here: the page shows the committed measurements

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## Ratios
#
# A vertical line marks equal speed. A goal, where one was set beforehand, is a tick. Ours computes whole batches with all threads; the reference
# loops make one picture after the other on one thread.

# %% tags=["remove-input"]
sl.book.benchmark_figures()

# %% tags=["remove-input"]
sl.book.benchmark_tables()

# %% [markdown]
# ## What the reference loops are
#
# *opencv_leaves*: parameters drawn 200 leaves at a time, OpenCV's fills, cover tested every 200 leaves; about fifty times faster than the
# published code, which tests the whole picture after every leaf. *python_fractal*: the published way, a Python loop over 100,000 points with
# a paste each. *numba_fractal*: a compiled chaos game of 100,000 points with count and colour, one fractal per picture; our sigma pictures
# hold up to five fractals on a background and draw one new fractal per two pictures. *numpy_noise*: NumPy's own generator, which need not
# give the same picture in any batch. *masked_textures*: leaves as by *opencv_leaves*, then a pass over the picture for every leaf, as
# published. *numpy_statistics*: the authors' MATLAB channel by channel in NumPy, with pyrtools' pyramid. *full_stylegan*: the same network
# with all its channels at 256 px. *pil_views*: torchvision's pipeline on PIL images.

# %% tags=["remove-input"]
sl.book.provenance(p, {})
