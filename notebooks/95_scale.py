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
# # At full scale
#
# The study runs on a laptop. **What would the papers' own runs take with this code, and what would break first?** Operations and bytes are
# counted here. Speeds are our own measurements ([benchmarks](93_benchmarks.ipynb)); where a GPU has not been measured, the caption says what is assumed.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # changes nothing here: the page counts and reads committed measurements

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
study = sl.book.study_profile(p)
runs = sl.book.stored(study)

# %% [markdown]
# ## Training

# %% tags=["remove-input"]
sl.book.pages.scale.training_table()

# %% [markdown]
# The first line is one set of the noise paper's small scale, which `-p profile paper` runs.
#
# ## A run of the papers, a run of ours

# %% tags=["remove-input"]
sl.book.pages.budgets.compared(runs, study)

# %% [markdown]
# ## Images

# %% tags=["remove-input"]
sl.book.pages.scale.pictures_table(runs)

# %% [markdown]
# Sets are functions of an index, so their images can be made by as many machines as there are: `generate --format webdataset` writes shards,
# goes on where it stopped, and two machines with other ranges write what one would have written.
#
# ## A web-scale text-to-image model

# %% tags=["remove-input"]
sl.book.pages.scale.diffusion_table()

# %% [markdown]
# So making the images costs far more than training on them, which is why the authors call generation a limit {cite:p}`tian2023`. Storage and download fall
# away if samples are made where they are used.
#
# ## More machines
#
# *Several GPUs*: `accelerate launch -m synthlearn pretrain …`; losses gather their negatives over processes, and two processes give the same
# loss and gradient as one (tested on two CPU processes; not yet run on more than one GPU).
#
# *A cluster*: every row is a job of its own, so the study scales with the number of rows.
#
# ```bash
# pip install -e '.[cluster]'
# snakemake --snakefile workflow/Snakefile --workflow-profile workflow/profiles/slurm --config profile=gpu rows
# ```
#
# The profile gives each job one core, a GPU where the study's profile asks for one, memory and time from the committed records, and more of
# both after a failure. Jobs that are cut off go on from their checkpoint. The plan is tested by a dry run; it has not been run on a real cluster.
#
# ## What would break first
#
# - **Slow sets.** Images with wavelet marginals and StyleGANs take days of a server's cores for 1.3 million; on a GPU, hours. The network that
#   waits for images would be the bottleneck of a stream without repetition (`refresh=1`), so make a pool first.
# - **Pools in one file.** A pool is one uncompressed file that is read at random: a quarter of a terabyte for 1.3 million images of 256 px.
#   It needs a fast local disk; on a network file system, shards and a reader of their own would be needed.
# - **Views per second.** Views are cut and coloured on the training device; on a GPU they are a small share of the step, on CPUs a large one
#   ([benchmarks](93_benchmarks.ipynb)).
# - **Large batches.** StableRep's batch of 8,256 needs many GPUs for its activations, and the similarity of all pairs is computed on each of
#   them: 8,256 × 8,256 is small; a hundred thousand would not be.
# - **The probe.** Logistic regression by L-BFGS on all features at once suits ten thousand images; ImageNet's 1.3 million features of ResNet-50
#   are 10 GB, and would need the papers' own linear probe by SGD.

# %% tags=["remove-input"]
sl.book.provenance(study, runs)
