"""Interleavings of next, view, release, collection, close and resume from several threads (python_stress.py), with the
library built with AddressSanitizer: not one wrong byte, and nothing that is used after it was freed."""

import os
import subprocess
import sys

import pytest

from c_headers import COMPILER
from python_package import ENVIRONMENT, PLACE, SOURCE, write_indexed

#: Interleavings, of which as many are done as fit the seconds.
COUNT = int(os.environ.get("HEADRACE_INTERLEAVINGS", "1000"))
SECONDS = float(os.environ.get("HEADRACE_INTERLEAVINGS_SECONDS", "40"))
ASAN = PLACE.parent.parent / "asan" / "lib" / "libheadrace.so.0"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_indexed(tmp_path_factory.mktemp("stress"), 700, "4K")


def stress(path, first, count, seconds, **environment):
    program = [
        sys.executable,
        "-X",
        "faulthandler",
        SOURCE / "tests" / "python_stress.py",
        path,
        str(first),
        str(count),
        str(seconds),
    ]
    done = subprocess.run(
        program, env={**ENVIRONMENT, **environment}, capture_output=True, text=True, timeout=seconds + 500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "", done.stderr
    return int(done.stdout)


def with_sanitizer():
    if COMPILER is None or not ASAN.is_file():
        pytest.skip(f"no library {ASAN}; cmake --build --preset asan makes it")
    found = subprocess.run(
        [COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not os.path.isabs(found):
        pytest.skip("the compiler has no libasan.so to preload")
    return {
        "LD_PRELOAD": found,
        "HEADRACE_LIBRARY": str(ASAN),
        "ASAN_OPTIONS": "detect_leaks=0:exitcode=99",
        "UBSAN_OPTIONS": "halt_on_error=1",
        "PYTHONMALLOC": "malloc",
    }


def test_sanitizer__of_a_program_that_uses_what_was_freed__ends_it(path):
    code = """
from python_package import hr
data = hr.open(sys.argv[1])
pointer = data._handle.pointer.value
data.close()
hr._library.LIB.hr_dataset_num_samples(pointer)
"""
    program = [sys.executable, "-c", f"import sys\n{code}", path]
    done = subprocess.run(program, env={**ENVIRONMENT, **with_sanitizer()}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 99 and "heap-use-after-free" in done.stderr


def test_interleavings__with_the_address_sanitizer__have_no_wrong_byte(path):
    done = stress(path, 0, COUNT, SECONDS, **with_sanitizer())
    print(f"{done} interleavings with AddressSanitizer")
    assert done > 0


def test_interleavings__with_warnings_as_errors__have_no_wrong_byte(path):
    done = stress(path, 10_000, COUNT, SECONDS / 4, PYTHONDEVMODE="1", PYTHONWARNINGS="error")
    print(f"{done} interleavings in development mode")
    assert done > 0
