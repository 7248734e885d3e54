"""The notebooks of examples/notebooks: run by a real Jupyter kernel under a limit of memory that their data exceed, and
stored with what such a run of the same sources has shown."""

import hashlib
import importlib.util
import json
import re
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy", minversion="1.24")

from python_package import ENVIRONMENT, SOURCE  # noqa: E402

STORED = sorted((SOURCE / "examples" / "notebooks").glob("[0-9]_*.ipynb"))
#: The data are larger.
LIMITS_MIB = {1: 1024, 2: 1024, 3: 1024, 4: 512, 5: 512}
EVERY = ["nbclient", "ipykernel", "ipywidgets", "tqdm"]
MODULES = {1: ["keras"], 2: ["keras", "h5py"], 3: ["torch"], 4: ["matplotlib"], 5: ["matplotlib"]}
#: What a run must have shown.
SHOWN = {
    1: [
        r"The kernel appears to have died",
        r"killed by the memory limit of its control group .* were in use .*; Headrace held nothing; .* grew by",
        r"MemoryError: Unable to allocate 1\.12 GiB",
        r"train\.hrd: 100%",
        r"3,019,898 samples in \d+ s, shuffled",
        r"'accuracy': 0\.9[5-9]",
        r"headroom +\d+ MiB",
        r"limited by ",
    ],
    2: [r"stripes\.hrd: 100%", r"sorted by class", r"58400 of 73000 samples", r"val_accuracy: 0\.9|val_accuracy: 1\.0",
        r"accuracy (\d\.\d{3}); by hand \1"],
    3: [r"step 450, loss (\d\.\d{6})\n(?s:.*)step 450, loss \1\nended by signal 9", r"no sign that memory ended it",
        r"goes on after step 4\d0", r"step 900, loss (\d\.\d{6})\n(?s:.*)step 900, loss \1\n",
        r"\{'0\.weight': True, '0\.bias': True, '2\.weight': True, '2\.bias': True\}"],
    4: [r"data:image/bmp", r"'cross'\] \[b'", r"stopped: the disk of the camera is full\nalready there: 1\d\d\d\n",
        r"\nwhole: True", r"<b>1 NaN</b>", r"sentence 0"],
    5: [r"an epoch takes [\d.]+ s", r"limited by the consumer: it waited", r"budget of 1\.0 MiB is too small",
        r"waiting for reads</td>"],
}  # fmt: skip


def number_of(path):
    return int(path.name[0])


every_notebook = pytest.mark.parametrize("path", STORED, ids=number_of)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def sources(notebook):
    return ["".join(cell["source"]) for cell in notebook["cells"]]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell["outputs"]]


def shown(notebook):
    """All texts that were shown, pages as HTML among them."""
    texts = []
    for output in outputs(notebook):
        texts.append("".join(output.get("text", [])))
        texts += ["".join(text) for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join(texts)


def kinds(notebook):
    """Of what each cell has given as values and pictures; what was printed may differ from run to run."""
    return [
        [sorted(output["data"]) for output in cell["outputs"] if "data" in output] for cell in code_cells(notebook)
    ]


def data_mib(text):
    """Of the largest data set that was shown."""
    sizes = re.findall(r"samples, ([\d.]+) (MiB|GiB) in", text)
    return max(float(size) * {"MiB": 1, "GiB": 1024}[unit] for size, unit in sizes)


def limited_run(number, folder):
    command = [SOURCE / "script" / "notebooks", "--into", folder, str(number)]
    return subprocess.run([sys.executable, *command], env=ENVIRONMENT, capture_output=True, text=True, timeout=400)


def test_stored__all_five_are_there():
    assert [number_of(path) for path in STORED] == [1, 2, 3, 4, 5]


@every_notebook
def test_stored__what_is_shown_is_of_these_sources(path):
    notebook = read(path)
    said = hashlib.sha256("\0".join(sources(notebook)).encode()).hexdigest()
    assert notebook["metadata"]["headrace"]["sources_sha256"] == said, "changed since it ran: run script/notebooks"
    assert [cell["execution_count"] for cell in code_cells(notebook)] == [*range(1, len(code_cells(notebook)) + 1)]
    for expected in SHOWN[number_of(path)]:
        assert re.search(expected, shown(notebook)), expected
    assert data_mib(shown(notebook)) > LIMITS_MIB[number_of(path)]


@every_notebook
def test_stored__nothing_of_the_machine_is_in_it(path):
    notebook = read(path)
    assert not [output for output in outputs(notebook) if output["output_type"] == "error"]
    assert not re.search(r"/home/|/root/|/tmp/|headrace-limit|site-packages|\x1b", json.dumps(outputs(notebook)))
    assert set(notebook["metadata"]) == {"headrace", "kernelspec", "language_info"}
    assert all(cell["metadata"] == {} for cell in notebook["cells"])


@every_notebook
def test_run__under_a_limit_smaller_than_the_data__shows_what_is_stored(path, tmp_path):
    number = number_of(path)
    for module in EVERY + MODULES[number]:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    limit = subprocess.run([SOURCE / "script" / "with-memory-limit", "64M", "true"], capture_output=True, text=True)
    if "cgroup" not in limit.stderr:
        pytest.skip("no control group can be made here")
    done = limited_run(number, tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    fresh = read(tmp_path / path.name)
    assert sources(fresh) == sources(read(path))
    assert not [output for output in outputs(fresh) if output["output_type"] == "error"]
    for expected in SHOWN[number]:
        assert re.search(expected, shown(fresh)), f"{expected}\n{shown(fresh)}"
    assert data_mib(shown(fresh)) > LIMITS_MIB[number]
    assert kinds(fresh) == kinds(read(path))
