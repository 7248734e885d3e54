"""docs/cli.md is true: its examples run, and it has every option and every key of the command."""

import json
import os
import pathlib
import re
import subprocess

import pytest

np = pytest.importorskip("numpy")

from headrace_command import COMMANDS, PROGRAM, needs_program  # noqa: E402

SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))
GUARDED = PROGRAM.parent.parent / "tests" / "tool_guarded"
pytestmark = needs_program

PAGE = (SOURCE / "docs" / "cli.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh tested\n(.*?)^```$", PAGE, re.M | re.S)
SHARED = PAGE[PAGE.index("## What all") : PAGE.index("## convert")]


def section(command):
    return re.search(rf"^## {command}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the examples speak of: X.npy, y.npy, table.npy, arrays.npz, images.bin, changed.npy (X, not quite); the
    first block makes train.hrd."""
    place = tmp_path_factory.mktemp("docs")
    rng = np.random.default_rng(1)
    np.save(place / "X.npy", rng.integers(0, 9, (8000, 8, 8)).astype("float32"))
    np.save(place / "y.npy", rng.integers(0, 10, 8000))
    np.save(place / "table.npy", np.zeros(100, [("age", "i4"), ("pos", [("x", "f4"), ("y", "f4")])]))
    np.savez_compressed(place / "arrays.npz", X=np.zeros((100, 8)), y=np.arange(100), more=np.arange(3))
    changed = np.load(place / "X.npy")
    changed[17, 3, 4] += 1
    np.save(place / "changed.npy", changed)
    (place / "images.bin").write_bytes(bytes(16 + 50 * 3 * 32 * 32))
    return place


def run(script, folder):
    env = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-e", "-c", script], cwd=folder, env=env, capture_output=True,
                          text=True, timeout=100)


def test_examples__there_are_some():
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split()[1])
def test_examples__as_printed__run(block, folder):
    done = run(block, folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_options__of_the_help__are_all_documented(command, folder):
    text = run(f"headrace {command} --help", folder).stdout
    names = set(re.findall(r"--[a-z][a-z-]*", text))
    assert "--json" in names
    known = section(command) + SHARED + (section("epoch") if command == "plan" else "")
    documented = set(re.findall(r"--[a-z][a-z-]*", known))
    assert names - documented == set()
    own = set(re.findall(r"^\| (.*?) \|", section(command), re.M))
    for name in re.findall(r"--[a-z][a-z-]*", " ".join(own)):
        assert name in names, f"{name} is documented, but {command} --help has it not"


def keys(value):
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("command", COMMANDS)
def test_json__of_the_page__has_the_keys_of_the_command(command, folder):
    page = json.loads(re.search(r"^```json\n(.*?)^```$", section(command), re.M | re.S)[1])
    spoil = "cp train.hrd bad.hrd; printf X | dd of=bad.hrd bs=1 seek=140000 conv=notrunc 2>/dev/null; "
    line = {
        "convert": "headrace convert X.npy -o keys.hrd --json",
        "verify": spoil + "headrace verify bad.hrd --json || [ $? = 3 ]",
        "export": "headrace export train.hrd -o keys --json",
        "split": "headrace split train.hrd --fractions 0.5,0.5 --out a.npy --out b.npy --json",
        "bench": "headrace bench train.hrd --rounds 1 --seconds 20ms --json",
        "join": "headrace join train.hrd -o joined.hrd --json",
        "compare": "headrace compare X.npy changed.npy --json || [ $? = 4 ]",
        "memory": "headrace memory --json",
        "why-died": f"'{GUARDED}' .headrace pause >/dev/null & "
                    "until [ -s .headrace/*.box ]; do sleep 0.1; done; sleep 0.2; kill -9 $!; wait || true; "
                    "headrace why-died .headrace --json",
    }.get(command, f"headrace {command} train.hrd --json")
    if command == "why-died" and not GUARDED.is_file():
        pytest.skip(f"no program {GUARDED}")
    done = run(line, folder)
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout)
    if command == "memory":
        page["gpus"] = out["gpus"] = []
    if command == "info":
        # What a file's own texts hold is format.md's; labels have figures of their own.
        for document in (page, out):
            document.pop("provenance")
            document["fields"] = document["fields"][:1]
            document["fields"][0].pop("storage")
    assert keys(out) == keys(page)
