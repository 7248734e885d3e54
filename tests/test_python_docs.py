"""The examples in the docstrings of python/headrace, and the Python of the pages, are run."""

import contextlib
import doctest
import importlib
import io
import os
import pkgutil
import re
import shutil

import numpy as np
import pytest

from headrace_command import good
from python_package import SOURCE, hr

PAGES = ("README.md", "docs/python.md")
BLOCK = re.compile(r"^```python tested$\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: Packages that a part of the package is for, and that need not be there.
FRAMEWORKS = {"keras", "tensorflow", "torch", "jax", "ml_dtypes", "pandas", "pyarrow", "h5py", "tqdm"}


def modules():
    for found in pkgutil.iter_modules(hr.__path__, "headrace."):
        if found.name == "headrace.__main__":
            continue
        try:
            yield importlib.import_module(found.name)
        except ImportError as error:
            if error.name not in FRAMEWORKS:
                raise


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {}
    for module in (hr, *modules()):
        for made in finder.find(module, module.__name__, module=module):
            if made.examples:
                found.setdefault(made.name, made)
    return found


EXAMPLES = examples()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With X.npy, y.npy and train.hrd of both: 1000 samples of (28, 28) uint8 and of int64."""
    made = tmp_path_factory.mktemp("docs")
    np.save(made / "X.npy", np.random.default_rng(0).integers(0, 256, (1000, 28, 28), np.uint8))
    np.save(made / "y.npy", np.arange(1000))
    good("convert", "X.npy", "y.npy", "-o", "train.hrd", "--quiet", cwd=made)
    return made


@pytest.fixture
def there(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example__of_a_docstring__does_what_it_says(name, there):
    example = EXAMPLES[name]
    framework = f"{name}.".split(".")[1].lstrip("_")
    if framework in FRAMEWORKS:
        pytest.importorskip(framework)
    for made in ("made.hrd", "arrays/y.npy"):  # by other examples
        if os.path.exists(made):
            os.unlink(made)
    with hr.open("train.hrd") as data:
        example.globs.update(hr=hr, np=np, data=data)
        out = io.StringIO()
        with contextlib.redirect_stderr(io.StringIO()):
            results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=out.write, clear_globs=True)
    assert results.failed == 0, out.getvalue()


@pytest.mark.parametrize("page", PAGES)
def test_page__run_from_top_to_bottom__raises_nothing(page, folder, tmp_path, monkeypatch):
    for name in ("X.npy", "y.npy"):
        shutil.copy(folder / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    text = (SOURCE / page).read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks, "no block begins with ```python tested"
    names = {"__name__": "__main__"}
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        code = "\n" * line + block[1]  # so that an error names the line
        try:
            exec(compile(code, page, "exec"), names)
        except ModuleNotFoundError as error:
            if error.name not in FRAMEWORKS:
                raise
