"""python/headrace/_abi.py against the headers: every constant, struct, member and prototype. The headers are read as
text, so that nothing is missed, and measured by the compiler, so that nothing is misread."""

import ctypes
import os
import pathlib
import re
import shutil
import types

import pytest

import c_headers
from c_headers import needs_compiler

SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).resolve().parent.parent))
INCLUDE = SOURCE / "include" / "headrace"
ABI = SOURCE / "python" / "headrace" / "_abi.py"
#: Exported functions that the package has no use for.
NOT_NEEDED = set()

POINTERS = (ctypes.c_void_p, ctypes.c_char_p)


def load(text):
    module = types.ModuleType("_abi")
    exec(compile(text, "_abi.py", "exec"), module.__dict__)
    return module


def structs_of(abi):
    return {
        name: made
        for name, made in vars(abi).items()
        if isinstance(made, type) and issubclass(made, ctypes.Structure) and made is not ctypes.Structure
    }


def constants_of(abi):
    return {name: value for name, value in vars(abi).items() if name.startswith("HR_")}


def is_callback(kind):
    return isinstance(kind, type) and issubclass(kind, ctypes._CFuncPtr)


class Comparison:
    """Differences between a module like _abi and headers, one line each."""

    def __init__(self, abi, headers, measured):
        self.abi, self.headers, self.measured = abi, headers, measured
        self.structs = structs_of(abi)
        self.found = []

    def run(self):
        self.constants()
        for name in sorted(set(self.headers.structs) | set(self.structs)):
            self.struct(name)
        for name in sorted(set(self.headers.functions) | set(self.abi.PROTOTYPES)):
            self.prototype(name)
        return self.found

    def differs(self, what, python, headers):
        if python != headers:
            self.found.append(f"{what}: {python} in Python, {headers} in the headers")

    def constants(self):
        ours = constants_of(self.abi)
        self.differs(
            "constants", sorted(set(ours) - self.headers.constants), sorted(self.headers.constants - set(ours))
        )
        for name in set(ours) & self.headers.constants:
            value = ours[name](0) if callable(ours[name]) else ours[name]
            self.differs(name, value, self.measured[name])

    def struct(self, name):
        ours, theirs = self.structs.get(name), self.headers.structs.get(name)
        if ours is None or theirs is None:
            self.differs(f"struct {name}", ours, theirs)
            return
        self.differs(f"members of {name}", [entry[0] for entry in ours._fields_], list(theirs))
        self.differs(f"size of {name}", ctypes.sizeof(ours), self.measured[name])
        for member, kind in ours._fields_:
            if member in theirs:
                place = getattr(ours, member)
                measured = (self.measured[f"{name}.{member}"], self.measured[f"{name}.{member}.bytes"])
                self.differs(f"place of {name}.{member}", (place.offset, place.size), measured)
                self.kind(f"{name}.{member}", kind, theirs[member])

    def prototype(self, name):
        ours, theirs = self.abi.PROTOTYPES.get(name), self.headers.functions.get(name)
        if ours is None or theirs is None:
            if name not in NOT_NEEDED:
                self.differs(f"function {name}", ours, theirs)
            return
        self.differs(f"arguments of {name}", len(ours) - 1, len(theirs) - 1)
        for place, (kind, declared) in enumerate(zip(ours, theirs, strict=False)):
            what = f"argument {place} of {name}" if place else f"result of {name}"
            if not (kind is None and declared == "void"):
                self.kind(what, kind, declared)

    def kind(self, what, kind, declared):
        if not self.fits(kind, declared):
            self.found.append(f"{what}: {getattr(kind, '__name__', kind)} in Python, {declared} in the headers")

    def fits(self, kind, declared):
        if kind is None:
            return False
        if isinstance(declared, tuple):
            return kind is ctypes.c_void_p or (is_callback(kind) and self.callback_fits(kind, declared[1:]))
        if declared.endswith("]"):
            return self.array_fits(kind, *declared[:-1].split(" ["))
        declared = declared.removesuffix("const").strip()
        if declared.endswith("*"):
            return self.pointer_fits(kind, declared[:-1].strip())
        declared = declared.removeprefix("const ")
        if declared in self.headers.enums:
            return kind is ctypes.c_int
        return kind is (c_headers.NUMBERS.get(declared) or self.structs.get(declared, ctypes.Structure))

    def callback_fits(self, kind, types):
        result, *arguments = types
        same = kind._restype_ is None if result == "void" else self.fits(kind._restype_, result)
        return same and len(arguments) == len(kind._argtypes_) and all(map(self.fits, kind._argtypes_, arguments))

    def array_fits(self, kind, declared, length):
        number = int(length) if length.isdigit() else self.measured[length]
        return getattr(kind, "_length_", None) == number and self.fits(kind._type_, declared)

    def pointer_fits(self, kind, target):
        """c_void_p stands for any pointer, also to a function, c_char_p for text and buffers, POINTER(T) for T *."""
        if kind in POINTERS:
            return kind is ctypes.c_void_p or target in ("const char", "char")
        return issubclass(kind, ctypes._Pointer) and self.fits(kind._type_, target)


def read_and_measure(include, folder):
    headers = c_headers.read(include)
    return headers, c_headers.measure(include, headers, folder)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return read_and_measure(INCLUDE, tmp_path_factory.mktemp("measured"))


@needs_compiler
def test_abi__against_the_headers__is_the_same(measured):
    assert Comparison(load(ABI.read_text(encoding="utf-8")), *measured).run() == []


def test_headers__read_as_text__have_every_exported_function():
    exported = set(re.findall(r"\b(hr_\w+);", (SOURCE / "cmake" / "headrace.map").read_text()))
    assert set(c_headers.read(INCLUDE).functions) == exported
    assert NOT_NEEDED <= exported


def test_abi__version__is_that_of_the_library():
    built = re.search(r"SOVERSION (\d+)", (SOURCE / "cmake" / "library.cmake").read_text())
    assert load(ABI.read_text(encoding="utf-8")).ABI_VERSION == built[1]


# Each is found: pattern, what stands there then, and what the first difference names.
PYTHON_DRIFTS = {
    "a value": (r"HR_LOADER_PAD_LAST = 4", "HR_LOADER_PAD_LAST = 8", "HR_LOADER_PAD_LAST"),
    "a macro": (r"return 0x100 \+ index", "return 0x200 + index", "HR_DEVICE_CUDA"),
    "no constant": (r"HR_TIMEOUT = 100\n", "", "constants"),
    "own constant": (r"HR_TIMEOUT = 100\n", "HR_TIMEOUT = 100\nHR_EXTRA = 1\n", "constants"),
    "sign": (r'\("os_errno", c_int32\)', '("os_errno", c_uint32)', "hr_error.os_errno"),
    "float for int": (r'\("inflation", c_double\)', '("inflation", c_uint64)', "inflation"),
    "swapped": (
        r'("num_samples", c_uint32\),\s+\()"num_padding"',
        r'"num_padding", c_uint32), ("num_samples"',
        "members",
    ),
    "no last member": (r'\("trace_events", c_uint64\),\n', "", "members of hr_loader_options"),
    "array length": (r"c_char \* 96", "c_char * 95", "other_storage"),
    "pointer's target": (r'\("scale", POINTER\(c_float\)\)', '("scale", POINTER(c_double))', "hr_finish.scale"),
    "callback": (r"CFUNCTYPE\(c_int, c_void_p, c_uint64\)", "CFUNCTYPE(c_int, c_void_p, c_uint32)", "on_resume"),
    "no struct": (r"\bhr_rank_info\b", "hr_other_info", "hr_other_info"),
    "argument's type": (
        r'"hr_loader_next": \(c_int, c_void_p, c_int64',
        '"hr_loader_next": (c_int, c_void_p, c_int',
        "hr_loader_next",
    ),
    "no argument": (
        r'"hr_dataset_num_samples": \(c_uint64, c_void_p\)',
        '"hr_dataset_num_samples": (c_uint64,)',
        "hr_dataset_num_samples",
    ),
    "result": (r'"hr_memory_in_use": \(c_uint64', '"hr_memory_in_use": (c_int', "hr_memory_in_use"),
    "no result": (r'"hr_memory_cap": \(c_uint64', '"hr_memory_cap": (None', "hr_memory_cap"),
    "no function": (r'"hr_version": \(c_char_p,\),', "", "hr_version"),
    "own function": (r'"hr_version":', '"hr_verzion": (c_char_p,), "hr_version":', "hr_verzion"),
}
HEADER_DRIFTS = {
    "a value": ("status.h", r"HR_TIMEOUT = 100", "HR_TIMEOUT = 99", "HR_TIMEOUT"),
    "a new status": ("status.h", r"HR_TIMEOUT = 100", "HR_ERR_NEW = 23, HR_TIMEOUT = 100", "constants"),
    "a new macro": (
        "loader.h",
        r"#define HR_LOADER_STATE_BYTES",
        "#define HR_NEW 5u\n#define HR_LOADER_STATE_BYTES",
        "constants",
    ),
    "a new member": ("hold.h", r"uint32_t reserved;", "uint32_t reserved; uint64_t more;", "members of hr_taken_batch"),
    "in the padding": (
        "dataset.h",
        r"(uint32_t field;[^}]*?uint64_t first_sample;)",
        r"uint32_t more; \1",
        "members of hr_damage",
    ),
    "another name": (
        "loader.h",
        r"uint32_t device_slots; +/\*\*< batches that the GPU has room for: m",
        "uint32_t slots; /**< m",
        "members",
    ),
    "a new argument": (
        "hold.h",
        r"hr_batch_let_go\(hr_batch \*batch\)",
        "hr_batch_let_go(hr_batch *batch, int how)",
        "hr_batch_let_go",
    ),
    "another argument": ("memory.h", r"set_cap\(uint64_t", "set_cap(uint32_t", "hr_memory_set_cap"),
    "another result": (
        "dataset.h",
        r"HR_API uint32_t hr_dataset_num_files",
        "HR_API uint64_t hr_dataset_num_files",
        "hr_dataset_num_files",
    ),
    "a new function": (
        "hold.h",
        r"HR_API void hr_batch_let_go",
        "HR_API int hr_new(void);\nHR_API void hr_batch_let_go",
        "hr_new",
    ),
    "a new struct": (
        "hold.h",
        r"HR_API void hr_batch_let_go",
        "typedef struct hr_a {\n int b;\n} hr_a;\nHR_API void hr_batch_let_go",
        "hr_a",
    ),
}


@needs_compiler
@pytest.mark.parametrize("name", PYTHON_DRIFTS)
def test_comparison__of_a_changed_module__names_the_change(name, measured):
    pattern, other, named = PYTHON_DRIFTS[name]
    text, changes = re.subn(pattern, other, ABI.read_text(encoding="utf-8"))
    assert changes, "the pattern is not there"
    assert named in " ".join(Comparison(load(text), *measured).run())


@needs_compiler
@pytest.mark.parametrize("name", HEADER_DRIFTS)
def test_comparison__of_a_changed_header__names_the_change(name, tmp_path):
    header, pattern, other, named = HEADER_DRIFTS[name]
    include = tmp_path / "headrace"
    shutil.copytree(INCLUDE, include)
    text, changes = re.subn(pattern, other, (include / header).read_text(encoding="utf-8"), count=1)
    assert changes, "the pattern is not there"
    (include / header).write_text(text, encoding="utf-8")
    changed = read_and_measure(include, tmp_path)
    assert named in " ".join(Comparison(load(ABI.read_text(encoding="utf-8")), *changed).run())
