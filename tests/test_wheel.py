"""The wheel, installed into an environment of its own and used from an empty folder, with nothing of a checkout near.

It is built here from the sdist, which is built here too. script/test --python-full tests the portable wheel as well:
HEADRACE_WHEEL names it (its sdist lies beside it), HEADRACE_WHEEL_PYTHON the Python to install it for."""

import os
import re
import signal
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")
h5py = pytest.importorskip("h5py")

from headrace_command import listens_to_interrupts, wait_until  # noqa: E402

ROOT = Path(os.environ.get("HEADRACE_SOURCE", Path(__file__).parent.parent)).resolve()
GIVEN = os.environ.get("HEADRACE_WHEEL")
PYTHON = os.environ.get("HEADRACE_WHEEL_PYTHON", sys.executable)
VERSION = re.search(r"^project\(headrace VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)[1]
CODE = {"base", "cmake", "convert", "format", "gpu", "guard", "include", "io", "measure", "python", "reader", "tools",
        "transfer", "writer"}
BINARIES = {"headrace/bin/headrace", "headrace/lib/libheadrace.so.0", "headrace/libexec/headrace/headrace-source"}
CUDA_MODULE = "headrace/lib/headrace-cuda.so"
C_LIBRARY = re.compile(r"(linux-vdso|ld-linux-x86-64|libc|libm|libdl|librt|libpthread)\.so")
portable = pytest.mark.skipif(GIVEN is None, reason="not the portable wheel; script/test --python-full tests that one")


def alone():
    """This process's environment without what leads to other builds."""
    names = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
    return {k: v for k, v in os.environ.items() if not k.startswith("HEADRACE_") and k not in names}


def run(*args, **options):
    options = {"capture_output": True, "text": True, "timeout": 300, "env": alone(), **options}
    return subprocess.run(list(map(str, args)), **options)


def good(*args, **options):
    done = run(*args, **options)
    assert done.returncode == 0, f"{args}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    if GIVEN is not None:
        return Path(GIVEN).resolve()
    folder = tmp_path_factory.mktemp("dist")
    good(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder,
         "-Ccmake.define.HEADRACE_BUILD_CUDA=OFF", ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def sdist(wheel):
    return wheel.parent / f"headrace-{VERSION}.tar.gz"


@pytest.fixture(scope="module")
def place(wheel, tmp_path_factory):
    """An environment that holds the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("environment")
    good(PYTHON, "-m", "venv", folder)
    good(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    return folder


@pytest.fixture(scope="module")
def package(place):
    return next(place.glob("lib/python3*/site-packages/headrace"))


@pytest.fixture
def command(place, tmp_path, monkeypatch):
    """Runs the installed command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *args, **options: run(place / "bin" / "headrace", *args, **options)


@pytest.fixture
def made(command, tmp_path):
    """The folder, with X and y as .npy files and as X.hrd."""
    rng = np.random.default_rng(1)
    np.save(tmp_path / "X.npy", rng.normal(size=(3000, 64)).astype("float32"))
    np.save(tmp_path / "y.npy", rng.integers(10, size=3000))
    done = command("convert", "X.npy", "y.npy", "-o", "X.hrd")
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_sdist__its_files__are_what_building_needs(sdist):
    names = [Path(name).parts[1:] for name in tarfile.open(sdist).getnames()]
    assert {parts[0] for parts in names if len(parts) > 1} == CODE
    assert {parts[0] for parts in names if len(parts) == 1} == {
        "CMakeLists.txt", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}
    assert ("python", "headrace", "py.typed") in names
    assert not [parts for parts in names if "__pycache__" in parts or "build" in parts]


def test_wheel__its_files__are_the_package_and_what_it_runs(wheel):
    infos = [info for info in zipfile.ZipFile(wheel).infolist() if not info.is_dir()]
    names = {info.filename for info in infos}
    others = {n for n in names if not n.endswith(".py") and ".dist-info/" not in n}
    assert others - {CUDA_MODULE} == BINARIES | {"headrace/py.typed", f"headrace-{VERSION}.data/scripts/headrace"}
    assert f"headrace-{VERSION}.dist-info/licenses/LICENSE" in names
    modes = {info.filename: info.external_attr >> 16 for info in infos}
    assert all(modes[n] & stat.S_IXUSR for n in BINARIES if "/lib/" not in n)
    assert wheel.name == f"headrace-{VERSION}-py3-none-{'manylinux_2_34' if GIVEN else 'linux'}_x86_64.whl"


def test_binaries__as_installed__are_stripped_and_name_no_folder(package):
    for name in BINARIES:
        path = package.parent / name
        assert ".debug_info" not in good("readelf", "--section-headers", "--wide", path)
        paths = re.findall(r"(?:RPATH|RUNPATH).*\[(.*)\]", good("readelf", "--dynamic", path))
        assert paths == (["$ORIGIN/../lib"] if name == "headrace/bin/headrace" else [])


@portable
def test_binaries__of_the_portable_wheel__need_the_c_library_alone(package):
    for name in sorted(BINARIES):
        path = package.parent / name
        needed = [line.strip() for line in good("ldd", path).splitlines()]
        others = [line for line in needed if not C_LIBRARY.search(line)]
        assert all(line.startswith("libheadrace.so.0 => " + str(package)) for line in others), others


@portable
def test_licences__of_the_portable_wheel__are_those_of_what_is_linked_statically(wheel):
    names = {Path(n).name for n in zipfile.ZipFile(wheel).namelist() if "/licenses/" in n}
    libraries = ("hdf5", "jansson", "libaec", "libaio", "libdeflate", "liblz4", "liburing", "libxxhash", "libzip",
                 "libzstd", "zlib1g")
    assert {f"{library}.txt" for library in libraries} <= names
    assert any(re.match(r"libaio_.*\.orig\.tar", name) for name in names), "the LGPL asks for libaio's source"


def test_import__from_an_empty_folder__is_the_installed_package(place, package, tmp_path):
    code = "import headrace; print(headrace.__version__); print(headrace.__file__)"
    assert good(place / "bin" / "python", "-c", code, cwd=tmp_path).splitlines() == [
        VERSION, str(package / "__init__.py")]


def test_command__by_name_and_as_a_module__is_the_same_program(command, place, tmp_path):
    assert command("--version").stdout == f"headrace {VERSION}\n"
    module = [place / "bin" / "python", "-m", "headrace"]
    assert good(*module, "--help") == command("--help").stdout
    for args in (["info"], ["info", "nothing.hrd"]):
        here, there = command(*args), run(*module, *args, cwd=tmp_path)
        assert (here.returncode, here.stdout, here.stderr) == (there.returncode, there.stdout, there.stderr)
    assert command("info").returncode == 2
    assert command("info", "nothing.hrd").returncode == 1


def test_command__by_name__does_not_import_the_package(place, tmp_path):
    nowhere = {**alone(), "HEADRACE_LIBRARY": "/nowhere/libheadrace.so.0"}
    assert run(place / "bin" / "python", "-c", "import headrace", cwd=tmp_path, env=nowhere).returncode == 1
    assert good(place / "bin" / "headrace", "--version", cwd=tmp_path, env=nowhere) == f"headrace {VERSION}\n"


def test_convert__npy__comes_back_bit_for_bit(command, made):
    assert command("verify", "X.hrd").returncode == 0
    assert command("export", "X.hrd", "-o", "out").returncode == 0
    for name in ("X.npy", "y.npy"):
        assert (made / "out" / name).read_bytes() == (made / name).read_bytes()


@pytest.mark.parametrize("compression", [None, "gzip", "szip"])
def test_convert__hdf5__is_read_by_the_helper_of_the_package(command, tmp_path, compression):
    if compression == "szip" and not h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP):
        pytest.skip("h5py cannot write szip here")
    x = np.arange(40000, dtype="int32").reshape(1000, 40) // 7
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=x, chunks=(100, 40), compression=compression, shuffle=compression == "gzip")
    done = command("convert", "x.h5", "-o", "x.hrd")
    assert done.returncode == 0, done.stderr
    assert command("export", "x.hrd", "-o", "out").returncode == 0
    assert np.array_equal(np.load(tmp_path / "out" / "x.npy"), x)


@pytest.mark.parametrize(("asked", "used"), [("libaio", ("libaio",)), ("direct", ("io_uring", "libaio"))])
def test_epoch__direct_reads__are_there(command, made, asked, used):
    try:
        os.close(os.open(made / "X.hrd", os.O_RDONLY | os.O_DIRECT))
    except OSError:
        pytest.skip("no direct reads of the temporary folder")
    done = command("epoch", "X.hrd", "--shuffle", "--io", asked, "--json")
    assert done.returncode == 0, done.stderr
    assert re.search(r'"io": ?"(\w+)"', done.stdout)[1] in used


def test_command__while_it_runs__is_the_c_program_and_gets_signals(place, package, made):
    child = subprocess.Popen([place / "bin" / "headrace", "epoch", "X.hrd", "--epochs", "100000000"], cwd=made,
                             env=alone(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.readlink(f"/proc/{child.pid}/exe") == str(package / "bin" / "headrace"))
        ignored = re.search(r"^SigIgn:\s*(\w+)", Path(f"/proc/{child.pid}/status").read_text(), re.MULTILINE)[1]
        assert int(ignored, 16) >> (signal.SIGPIPE - 1) & 1 == 0
        wait_until(lambda: listens_to_interrupts(child.pid))
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=60) == 130
    finally:
        child.kill()
        child.wait()
