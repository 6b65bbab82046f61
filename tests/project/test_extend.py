"""The page on extending, step by step as it is written."""

import json
import math
import re
import shutil
import sys

import pytest
import torch
from PIL import Image

import synthlearn as sl
from synthlearn.core import checked, files
from synthlearn.core.errors import ExtensionError
from synthlearn.core.options import Options
from synthlearn.generators import registry as generators
from synthlearn.learn.methods import METHODS
from synthlearn.learn.methods.base import Method
from synthlearn.measure.base import MEASUREMENTS, Accuracy, Measurement, Value
from synthlearn.study import contracts
from synthlearn.study.rules.base import RULES

ROOT = files.root()
PAGE = (ROOT / "book" / "extend.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def add(path, text):
    with path.open("a") as file:
        file.write(f"\n\n{text}")


@pytest.fixture(scope="module")
def run(checkout, shell):
    """Runs a command in the changed copy, with its library, and returns what it prints."""
    return lambda command: shell(command, checkout, [checkout / "lib"]).stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, shell):
    """A copy of the project, changed as the page says."""
    root = tmp_path_factory.mktemp("extended")
    for part in ("lib", "workflow", "tests", "benchmarks", "book"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("*.egg-info"))
    for part in ("pyproject.toml", "_toc.yml", "_config.yml"):
        shutil.copy(ROOT / part, root)
    (root / "notebooks").mkdir()
    library = root / "lib" / "synthlearn"
    generator, method, measurement, rule = blocks("python")
    (library / "generators" / "stripes.py").write_text(generator)
    (library / "learn" / "methods" / "cosine.py").write_text(method)
    (library / "measure" / "class_means.py").write_text(measurement)
    (library / "study" / "rules" / "class_means.py").write_text(rule)
    row, _, measured, claim = blocks("toml")
    add(root / "workflow" / "study.toml", row)
    add(root / "workflow" / "measurements.toml", measured)
    add(root / "book" / "claims.toml", claim)
    baselines = "      - file: notebooks/07_baselines\n"
    toc = (root / "_toc.yml").read_text()
    (root / "_toc.yml").write_text(toc.replace(baselines, baselines + blocks("yaml")[0]))
    for command in blocks("bash")[1].splitlines()[:2]:  # the chapter
        shell(command, root, [root / "lib"])
    return root


def test_the_generator_is_short_and_its_commands_work(checkout, run, shell):
    assert len([line for line in blocks("python")[0].splitlines() if line.strip()]) <= 30
    generate, contract, bench = blocks("bash")[0].splitlines()
    run(generate)
    assert len(list((checkout / "stripes").rglob("*.png"))) == 8
    out = run(f"{contract} -p no:cacheprovider")
    assert "failed" not in out and int(re.search(r"(\d+) passed", out)[1]) >= 5
    done = shell(bench, checkout, [checkout / "lib"])
    speed = done.stdout + done.stderr
    ratio, low, high = re.search(
        r"stripes .*/s +(\S+) × numpy_noise \[(\S+), (\S+)\]   memory .+ MB", speed
    ).groups()
    assert (
        0 < float(low) <= float(ratio) <= float(high)
    )  # against white noise small, but not nothing


def test_speeds_are_told_with_three_digits():
    from benchmarks.pairs import line
    from benchmarks.timing import digits

    assert [digits(x) for x in (0.00012345, 0.0456, 3.14159, 99.94, 167.4, 12345.6)] == [
        "0.000123",
        "0.0456",
        "3.14",
        "99.9",
        "167",
        "12,346",
    ]
    row = {
        "what": "voronoi",
        "against": "numpy_noise",
        "ours": [1, 167.2, 300],
        "ratio": [0.031, 0.0312, 0.04],
        "goal": None,
        "memory_mb": 0,
    }
    assert line(row).split() == [
        "voronoi",
        "167/s",
        "0.0312",
        "×",
        "numpy_noise",
        "[0.031,",
        "0.04]",
        "memory",
        "below",
        "1",
        "MB",
    ]
    assert line(row | {"goal": 1.5, "memory_mb": None}).endswith("[0.031, 0.04]   goal 1.5")


LISTED = """
import synthlearn as sl
from synthlearn.site import build
from synthlearn.book.pages import gallery
print(build.chapters(), [name for name, row in gallery.generators_with_rows() if row])
"""


def test_the_row_and_its_chapter_give_a_record_a_page_and_a_tile(checkout, run):
    run(blocks("bash")[1].splitlines()[2])
    page = json.loads((checkout / "out.ipynb").read_text())
    html = "".join(
        "".join(output.get("data", {}).get("text/html", ""))
        for cell in page["cells"]
        for output in cell.get("outputs", [])
    )
    assert "<td>stripes</td>" in html and "gain, points" in html
    assert "Eight images of the set stripes" in html
    assert run(blocks("bash")[2]).startswith("stripes seed 0: fc6")
    assert list((checkout / "runs" / "records" / "smoke").glob("stripes-s0.json"))
    listed = run(f"python -c '{LISTED}'")
    assert "'08_stripes'" in listed and "'stripes'" in listed


def test_the_method_trains_and_its_encoder_is_probed_on_a_folder(checkout, run):
    pretrain, contract = blocks("bash")[3].splitlines()
    run(pretrain)
    passed = run(f"{contract} -p no:cacheprovider")
    assert "failed" not in passed and int(re.search(r"(\d+) passed", passed)[1]) >= 2
    for split in ("train", "test"):
        for name in ("noise-perlin", "dead_leaves-squares"):
            (checkout / "DIR" / split / name).mkdir(parents=True)
            for i, picture in enumerate(sl.generator(name).sample(range(24), 32, seed=len(split))):
                Image.fromarray(picture.permute(1, 2, 0).numpy()).save(
                    checkout / "DIR" / split / name / f"{i}.png"
                )
    assert "fc6" in run(blocks("bash")[5])


JUDGED = """
from synthlearn import study
from synthlearn.study import claims
from synthlearn.study.rules import Known
(claim,) = (c for c in claims.read() if c.id == "stripes_class_means")
measured = {"class_means": study.measured("class_means", study.resolve("smoke"))}
for known in (Known(), Known(measured=measured)):
    print(*(evidence.text for evidence in claim.evidence(known)))
"""


def test_the_measurement_measures_its_example_runs_and_its_claim_is_judged(run):
    measure, example = blocks("bash")[4].splitlines()
    lines = run(measure).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "class_means of random seed 0",
        "class_means of stripes seed 0",
    ]
    assert all(re.search(r": nearest mean 0\.\d{3}$", line) for line in lines)
    assert "1 passed" in run(f"{example} -p no:cacheprovider")
    without, judged = run(f"python -c '{JUDGED}'").splitlines()
    assert without == "class means: no record" and judged.startswith("stripes − ")


def test_another_package_can_offer_it(tmp_path, shell):
    (tmp_path / "stripes.py").write_text(blocks("python")[0])
    point = re.search(r'stripes = "(\w+)"', blocks("toml")[1])[1]
    information = tmp_path / "stripes-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: stripes\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[synthlearn.generators]\nstripes = {point}\n")
    shown = "import synthlearn as sl; print(sl.generator('stripes').sample([1, 2], 32).shape)"
    out = shell(f'python -c "{shown}"', tmp_path)
    assert out.stdout.strip() == "torch.Size([2, 3, 32, 32])"


# ---- mistakes, each of which ends in one line that says what to do ----


def page_with(number, *changes):
    """A file of the page, changed."""
    text = blocks("python")[number]
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


@pytest.fixture
def extension(tmp_path, monkeypatch):
    """Reads a file of the page, changed, as its wing's registry reads its own."""

    def read(package, number, *changes):
        registry = REGISTRIES[package]
        len(registry)  # the library's own are there
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
        folder = tmp_path / "added"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "trial.py").write_text(page_with(number, *changes))
        monkeypatch.syspath_prepend(str(tmp_path))
        for name in ("added", "added.trial"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        registry._import("added.trial")

    return read


REGISTRIES = {
    "generators": generators.REGISTRY,
    "learn.methods": METHODS,
    "measure": MEASUREMENTS,
    "study.rules": RULES,
}
FROZEN = ("@dataclass(frozen=True)\n", "")


@pytest.mark.parametrize(
    ("package", "number", "change", "message"),
    [
        ("generators", 0, ('"stripes"', '"noise-white"'), "'noise-white': taken by .*; choose ano"),
        ("generators", 0, ("def paint", "def pain"), r"'stripes': lacks paint\(\).*; mend"),
        ("generators", 0, ("(Options)", ""), "Options = .* must be a frozen dataclass .*; mend"),
        ("generators", 0, FROZEN, "StripesOptions.most does nothing: .* under @dataclass"),
        ("generators", 0, ("most: int", "most"), "StripesOptions.most does nothing: .* has a type"),
        ("generators", 0, ("at_least", "choices"), "choices does nothing.*allowed, at_least, at_m"),
        ("generators", 0, ('{"most": 1}', '{"mots": 1}'), "names 'mots', no option; options are m"),
        ("generators", 0, ('{"most": 1}', '{"most": "1"}'), r"at_least\['most'\] = '1': must be a"),
        ("generators", 0, ("int = 12", "int = 0"), "a default is not allowed: option most = 0: mu"),
        ("generators", 0, ("int = 12", "Many = 12"), "trial cannot be imported .*Many.* line 17"),
        ("generators", 0, ("import torch", "import no_such"), "trial cannot be imported .* line 6"),
        ("generators", 0, (":\n", "\n"), "trial cannot be imported .SyntaxError.*; mend that file"),
        ("generators", 0, ('("stripes")', ""), "generator name <class .*: must be of letters"),
        ("learn.methods", 1, ('"cosine"', '"simclr"'), "'simclr': taken by .*; choose another"),
        ("learn.methods", 1, ("    Options =", "    Option ="), "Options = None: must be a frozen"),
        ("learn.methods", 1, ("def loss", "def los"), r"'cosine': lacks loss\(\).*; mend"),
        ("learn.methods", 1, ("(Method)", ""), "'cosine': must be a subclass of Method; mend"),
        ("learn.methods", 1, ('("cosine")', ""), "name of a method = <class .*: must be a text"),
        ("measure", 2, ('"class_means"', '"layers"'), "'layers': taken by .*; choose another"),
        ("measure", 2, ("def parts", "def part_s"), r"'class_means': lacks parts\(\).*; mend"),
        ("measure", 2, ("(Measurement)", ""), "must be a subclass of Measurement; mend"),
        ("study.rules", 3, ('@rule("class_means")', '@rule("share")'), "'share': taken by"),
        ("study.rules", 3, ("def evidence", "def proof"), r"lacks evidence\(\).*; mend"),
    ],
)
def test_a_file_that_does_not_keep_its_kind_is_refused(extension, package, number, change, message):
    with pytest.raises(ExtensionError, match=message) as caught:
        extension(package, number, change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("package", "number"), [(p, i) for i, p in enumerate(REGISTRIES)])
def test_the_files_of_the_page_keep_their_kinds(extension, package, number):
    before = len(REGISTRIES[package])
    extension(package, number)
    assert len(REGISTRIES[package]) == before + 1


class Trial(sl.generators.Generator):
    """Pictures whose spec and labels are what a test gives."""

    given = None

    def spec(self):
        return super().spec() if self.given is None else self.given()

    def labels(self, indices):
        return self.given()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: None, r"'trial': its spec\(\) gives None, must give a table"),
        (lambda: ["trial"], r"gives \['trial'\], must give a table"),
        (lambda: {"options": {}}, "must give a table that says 'generator'"),
        (lambda: {"generator": "other"}, "must give a table that says 'generator'"),
        (lambda: {"generator": "trial", "w": torch.ones(1)}, r"gives w = tensor\(\[1\.\]\); must"),
        (lambda: {"generator": "trial", "w": math.nan}, "gives w = nan; must be of texts, finite"),
        (lambda: 1 / 0, r"its spec\(\) fails \(ZeroDivisionError: .*, line \d+\); mend"),
    ],
)
def test_a_spec_that_no_record_can_hold_is_refused(given, message):
    trial = Trial("trial", sl.generators.Options())
    assert checked.spec_of(trial) == trial.spec()
    trial.given = given
    with pytest.raises(ExtensionError, match=message):
        checked.spec_of(trial)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: torch.rand(4), r"gives torch.float32 \(4,\); for 4 pictures must give int64 \(4,"),
        (lambda: torch.arange(3), r"gives torch.int64 \(3,\); for 4 pictures"),
        (lambda: [0, 1, 2, 3], "gives a list; for 4 pictures"),
        (lambda: None, "gives a NoneType; for 4 pictures"),
        (lambda: torch.arange(4) - 1, "gives numbers from -1 to 2; for 4 pictures"),
        (lambda: torch.arange(4) << 40, "gives numbers from 0 to 3298534883328; for 4 pictures"),
        (lambda: [][0], r"its labels\(\) fails \(IndexError: .*, line \d+\); mend"),
    ],
)
def test_labels_that_are_no_classes_are_refused(given, message):
    trial = Trial("trial", sl.generators.Options())
    trial.given = lambda: torch.arange(4)
    checked.check_labels(trial, 4)
    trial.given = given
    with pytest.raises(ExtensionError, match=message):
        checked.check_labels(trial, 4)


class Losing(Method):
    """A method whose loss is what a test gives."""

    Options = Options

    def loss(self, outputs, labels=None):
        return self.given(*outputs)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda x, y: x.sum(), r"its loss\(\) must give a scalar"),
        (lambda x, y: (x.sum(1), {}), r"its loss\(\) must give a scalar"),
        (lambda x, y: (x.sum(), {"near": 1.0}), r"its loss\(\) must give a scalar"),
        (lambda x, y: (x.sum(), {"near": y.detach()}), r"its loss\(\) must give a scalar"),
        (lambda x, y: (x.sum().detach(), {}), r"its loss\(\) must give a scalar"),
        (
            lambda x, y: (x.sum(), {"loss": y.sum().detach()}),
            r"its loss\(\) has a part named 'loss'",
        ),
        (lambda x, y: (x.sum() + undefined, {}), r"its code fails \(NameError: .*, line \d+\)"),  # noqa: F821
        (lambda x: (x.sum(), {}), r"its code fails \(TypeError: .*, line \d+\)"),
    ],
)
def test_a_loss_that_cannot_be_trained_on_names_its_method(given, message):
    encoder = sl.encoders.build("SmallAlexNet", width=1 / 32, input_size=32, seed=0)
    method = Losing(encoder)
    method.given = given
    settings = sl.train.Optimisation(epochs=1, batch_size=8)
    pictures = sl.generator("noise-white").sample(range(8), 32)
    training = sl.train.Training(pictures, method, sl.augment.Augmentation(32), settings)
    with pytest.raises(ExtensionError, match=rf"method Losing: {message}"):
        contracts.train(training)


class Yielding(Measurement):
    """A measurement whose parts a test gives."""

    name = "yielding"

    def parts(self, subject, seed):
        yield from self.given()


HALF = Accuracy(10, 0.5, 0.2, 0.8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: [("a", HALF), ("b", HALF), ("a", HALF)], "yields two parts of the name 'a'; give"),
        (lambda: [], "yields nothing; mend"),
        (lambda: None, r"fails \(TypeError: .*, line \d+\); mend"),
        (lambda: [HALF], r"yields Accuracy.*; must yield \(name, result\)"),
        (lambda: [("a", 0.5)], r"yields \('a', 0.5\); must yield \(name, result\)"),
        (lambda: [(3, HALF)], r"yields \(3, Accuracy.*; must yield \(name, result\)"),
        (
            lambda: [("a", Accuracy(10, math.nan, 0.2, 0.8))],
            "yields 'a' = Accuracy.*of finite numbers",
        ),
        (
            lambda: [("a", Accuracy(10, torch.ones(1), 0.2, 0.8))],
            "yields 'a' = Accuracy.*of finite",
        ),
        (
            lambda: [("a", Value(10, 0.5, 1.0))],
            r"yields 'a' = Value.*; must be an? Accuracy \(its Re",
        ),
        (lambda: [("a", Accuracy(10, 1 / 0, 0.2, 0.8))], r"fails \(ZeroDivisionError: .*, line \d"),
    ],
)
def test_a_part_that_no_record_can_hold_is_refused(given, message):
    measurement = Yielding()
    measurement.given = lambda: [("a", HALF), ("b", HALF)]
    assert [*contracts.parts(measurement, None, 0)] == [("a", HALF), ("b", HALF)]
    measurement.given = given
    with pytest.raises(ExtensionError, match=r"measurement 'yielding': its parts\(\) " + message):
        list(contracts.parts(measurement, None, 0))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("generate --generator stripes --option mots=6", "unknown option 'mots' .*: allowed are m"),
        ("generate --generator stripes --option most=six", "option most = 'six': must be a whole"),
        ("generate --generator stripes --option most=NaN", "most = 'NaN': must be a finite number"),
        ("pretrain --generator stripes --method-option fra=1", "unknown option 'fra' of method"),
        ("pretrain --generator stripes --set method=cosin", "method = 'cosin': must be one of"),
        ("measure --profile smoke --what class_mean", "--what class_mean: must be one of"),
    ],
)
def test_a_wrong_word_on_the_command_line_is_named(checkout, shell, command, message):
    out = " --out trial" if command.startswith("generate") else ""
    out = " --out trial.safetensors" if command.startswith("pretrain") else out
    line = f"python -m synthlearn {command}{out}"
    with pytest.raises(AssertionError, match=message):
        shell(line, checkout, [checkout / "lib"])


def test_a_measurement_without_its_entry_says_what_to_add(checkout, shell):
    plans = checkout / "workflow" / "measurements.toml"
    whole, command = plans.read_text(), "python -m synthlearn measure --profile smoke --what "
    plans.write_text(whole.replace(blocks("toml")[2], ""))
    try:
        with pytest.raises(AssertionError, match=r"class_means: has no entry in .*add \[class_mea"):
            shell(command + "class_means", checkout, [checkout / "lib"])
    finally:
        plans.write_text(whole)
