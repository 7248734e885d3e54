"""What the public headers declare, read from their text and measured by the compiler: for test_python_abi.py."""

import ctypes
import re
import shutil
import subprocess
from dataclasses import dataclass, field

import pytest

COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

NUMBERS = {
    "char": ctypes.c_char,
    "int": ctypes.c_int,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "size_t": ctypes.c_size_t,
    **{f"{sign}int{bits}_t": getattr(ctypes, f"c_{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_MEMBER = re.compile(r"(?P<type>[\w\s*]+?)(?P<name>\w+)(?:\[(?P<length>\w+)\])?", re.DOTALL)
_CALLBACK = re.compile(r"(?P<type>[\w\s*]+?)\(\*(?P<name>\w+)\)\((?P<arguments>.*)\)", re.DOTALL)
_NO_NAME = re.compile(r"[\w\s]+\*")


@dataclass
class Headers:
    """Types are texts such as "const char *", with the length of an array after them: "char [32]"."""

    structs: dict = field(default_factory=dict)  # name: {member: type}
    functions: dict = field(default_factory=dict)  # name: [result, *arguments]
    constants: set = field(default_factory=set)
    enums: set = field(default_factory=set)


def _without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)


def _apart(arguments):
    """By the commas outside of parentheses; (void) are none."""
    if arguments.strip() == "void":
        return []
    return re.split(r",(?![^()]*\))", arguments)


def _member(declaration):
    """Name and type of "const char *name", "char text[32]", "int (*on_note)(void *user)", "void *"."""
    declaration = declaration.strip()
    if _NO_NAME.fullmatch(declaration):
        return None, declaration
    found = _CALLBACK.fullmatch(declaration)
    if found:
        types = [found["type"].strip(), *(_member(part)[1] for part in _apart(found["arguments"]))]
        return found["name"], ("callback", *types)
    found = _MEMBER.fullmatch(declaration)
    assert found, declaration
    length = f" [{found['length']}]" if found["length"] else ""
    return found["name"], " ".join(found["type"].split()) + length


def _members(body):
    """Of a struct; "uint32_t first, second" are two."""
    for declaration in filter(str.strip, body.split(";")):
        first, *others = [declaration] if "(" in declaration else declaration.split(",")
        name, kind = _member(first)
        yield name, kind
        for other in others:
            yield other.strip(), kind


def _read_text(text, headers):
    defined = re.findall(r"^#define (HR_\w+)(?:\(\w+\))?[ \t]+(?:\\\n)?[ \t]*\S", text, re.MULTILINE)
    headers.constants |= {
        name for name in defined if not name.endswith("_INIT") and name not in ("HR_API", "HR_NODISCARD")
    }
    code = re.sub(r"^#.*?(?<!\\)$", "", text, flags=re.MULTILINE | re.DOTALL)
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", code, re.DOTALL):
        headers.structs[name] = dict(_members(body))
    for name, body in re.findall(r"typedef enum (\w+) \{(.*?)\} \1;", code, re.DOTALL):
        headers.enums.add(name)
        headers.constants |= set(re.findall(r"\bHR_\w+", body))
    for result, name, arguments in re.findall(
        r"HR_API\s(?:HR_NODISCARD\s)?([\w\s*]+?)\b(hr_\w+)\((.*?)\);", code, re.DOTALL
    ):
        headers.functions[name] = [" ".join(result.split()), *(_member(part)[1] for part in _apart(arguments))]


def read(include):
    """Headers of a folder include/headrace."""
    headers = Headers()
    for path in sorted(include.glob("*.h")):
        _read_text(_without_comments(path.read_text(encoding="utf-8")), headers)
    return headers


def measure(include, headers, folder):
    """By the compiler: value of each constant, size of each struct, offset and size of each member."""
    lines = [f'printf("{name} %lld\\n", (long long){_value(name)});' for name in sorted(headers.constants)]
    for name, members in headers.structs.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        for member in members:
            size = f"sizeof((({name} *)0)->{member})"
            lines.append(
                f'printf("{name}.{member} %zu\\n{name}.{member}.bytes %zu\\n", offsetof({name}, {member}), {size});'
            )
    source = "#include <stddef.h>\n#include <stdio.h>\n"
    source += "".join(f'#include "{path}"\n' for path in sorted(include.glob("*.h")))
    (folder / "measure.c").write_text(f"{source}int main(void)\n{{\n" + "\n".join(lines) + "\nreturn 0;\n}\n")
    subprocess.run([COMPILER, "-o", folder / "measure", folder / "measure.c"], check=True, timeout=60)
    printed = subprocess.run([folder / "measure"], check=True, timeout=60, capture_output=True, text=True).stdout
    return {name: int(value) for name, value in (line.split() for line in printed.splitlines())}


def _value(name):
    return f"{name}(0)" if name == "HR_DEVICE_CUDA" else name
