"""The house rules that a script can check. Prints each violation as FILE:LINE: what and why."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
OPEN_ENDS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
API = re.compile(r"^HR_API\b[^;]*?\b(hr_\w+)\s*\([^;]*;", re.MULTILINE)
CUDA_USERS = ("gpu/", "tests/fake_cuda/", "tests/gpu/", "bench/gpu/", "examples/minimal_cuda.c",
              "examples/train_cuda.cu", "examples/mlp_cuda.cu")
LIBRARY = ("base/", "format/", "io/", "gpu/", "reader/", "measure/", "writer/", "convert/",
           "transfer/")


def tracked(*patterns):
    done = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, check=True, capture_output=True
    )
    return [name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def text_of(name):
    return (ROOT / name).read_bytes().decode("utf-8", errors="replace")


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def includes(name):
    """(line, is it quoted, what is included) for each include of a file."""
    text = text_of(name)
    for match in INCLUDE.finditer(text):
        yield line_of(text, match.start()), match[1] == '"', match[2]


def rule_cuda(name, quoted, what):
    if re.match(r"(cuda|cublas|nvrtc|nvml)", what) and not name.startswith(CUDA_USERS):
        return "CUDA is included by gpu/ and programs for GPUs only: the core never depends on it"
    return None


def rule_hdf5(name, quoted, what):
    if re.match(r"(hdf5|H5\w+|zip)\.h$", what) and not name.startswith("convert/helper/"):
        return "HDF5 and libzip are linked into the helper only: HDF5 ends its process on damaged files"
    return None


def rule_reader_writer(name, quoted, what):
    for here, there in (("reader", "writer"), ("writer", "reader")):
        if quoted and name.startswith(here + "/") and (ROOT / there / what).is_file():
            return f"{here}/ and {there}/ do not know each other: what both need is in format/"
    return None


def rule_public_only(name, quoted, what):
    folder = Path(name).parent
    if name.split("/")[0] not in ("tools", "examples") or not quoted:
        return None
    if what.startswith("headrace/") or (ROOT / folder / what).is_file():
        return None
    return "tools/ and examples/ use the public headers only: they show that these suffice"


def check_includes():
    rules = (rule_cuda, rule_hdf5, rule_reader_writer, rule_public_only)
    for name in tracked("*.c", "*.h", "*.cu", "*.cpp"):
        for line, quoted, what in includes(name):
            for rule in rules:
                reason = rule(name, quoted, what)
                if reason:
                    yield f"{name}:{line}: includes {what}: {reason}"


def check_open_ends():
    for name in tracked("*.c", "*.h", "*.cu", "*.py", "*.sh", "*.cmake", "*.md", "*CMakeLists.txt", "script"):
        text = text_of(name)
        for match in OPEN_ENDS.finditer(text):
            yield (
                f"{name}:{line_of(text, match.start())}: {match[0]}: do it now, or write down "
                "what is missing where its users look"
            )


def check_unique_names():
    places = {}
    for name in tracked("*.c", "*.h"):
        if name.startswith(LIBRARY):
            places.setdefault(Path(name).name, []).append(name)
    for names in places.values():
        if len(names) > 1:
            yield f"{names[1]}:1: {names[0]} has this name too: includes are by bare file name"


def comment_before(text, at):
    """The comment that ends directly before a position, or ''."""
    before = text[:at].rstrip()
    if not before.endswith("*/"):
        return ""
    return before[before.rindex("/*") :]


def check_public_functions():
    listed = set(re.findall(r"^\s+(hr_\w+);", text_of("cmake/headrace.map"), re.MULTILINE))
    declared = set()
    for name in tracked("include/headrace/*.h"):
        text = text_of(name)
        for match in API.finditer(text):
            function, place = match[1], f"{name}:{line_of(text, match.start())}"
            declared.add(function)
            comment = comment_before(text, match.start())
            for word in ("@since", "Threads:", "Fork:"):
                if word not in comment:
                    yield f"{place}: {function} needs a comment with {word} the header is the contract"
            if function not in listed:
                yield f"{place}: {function} is not in cmake/headrace.map, so it is not exported"
    for function in sorted(listed - declared):
        yield f"cmake/headrace.map:1: {function} is in no public header, so nobody can use it"


def main():
    broken = [
        message
        for check in (check_includes, check_open_ends, check_unique_names, check_public_functions)
        for message in check()
    ]
    print("\n".join(broken), end="\n" if broken else "")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
