#!/usr/bin/env bash
# Installs into a prefix, moves the prefix, and uses it from outside the tree: the command, and two
# programs, one built by CMake's find_package and one by pkg-config.
set -euo pipefail

if [ -n "$HEADRACE_SANITIZE" ]; then
    echo "skipped: a sanitized library is not installed for others"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HEADRACE_LIBEXEC= # what is found must be that of the prefix

cmake --install "$HEADRACE_BUILD" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/moved"
prefix=$work/moved

echo "nothing in the prefix names the place it was installed to"
if grep -rlF -e "$work/first" "$prefix"; then
    exit 1
fi
echo "the licence is there"
test -s "$prefix/share/doc/headrace/LICENSE"
echo "so are the pages and the completion"
test -s "$prefix/share/doc/headrace/convert.md"
test -s "$prefix/share/bash-completion/completions/headrace"
test -s "$prefix/share/zsh/site-functions/_headrace"
if [ -e "$HEADRACE_BUILD/share/man/man1/headrace.1" ]; then
    test -s "$(find "$prefix" -name headrace-convert.1)"
fi

if [ -x "$HEADRACE_BUILD/libexec/headrace/headrace-source" ]; then
    echo "the helper is where the library looks for it"
    test -x "$prefix/libexec/headrace/headrace-source"
fi

if [ -e "$HEADRACE_BUILD/lib/headrace-cuda.so" ]; then
    echo "the CUDA module is where the library looks for it, and stands alone"
    module=$(dirname "$(find "$prefix" -name libheadrace.so)")/headrace-cuda.so
    test -s "$module"
    if ldd "$module" | grep -E 'cuda|headrace|stdc'; then
        exit 1
    fi
fi

echo "the headers are C++11 too"
printf '#include <headrace/headrace.h>\nint main() { return hr_version() == nullptr; }\n' \
    >"$work/plus.cpp"
g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$prefix/include" -fsyntax-only "$work/plus.cpp"

echo "a consumer by CMake"
cp -r "$HEADRACE_SOURCE/tests/consumer" "$work/consumer"
cmake -S "$work/consumer" -B "$work/by_cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" ||
    { cat "$work/log"; exit 1; }
cmake --build "$work/by_cmake" >"$work/log" || { cat "$work/log"; exit 1; }
"$work/by_cmake/consumer"

echo "a consumer by pkg-config"
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name headrace.pc)")
version=$(pkg-config --modversion headrace)
read -ra flags <<<"$(pkg-config --cflags --libs headrace)"
libdir=$(pkg-config --variable=libdir headrace)
cc -DCONSUMER_EXPECTS="\"$version\"" "$work/consumer/main.c" -o "$work/by_pkg_config" "${flags[@]}" \
    -Wl,-rpath,"$libdir"
"$work/by_pkg_config"
readlink -f "$(ldd "$work/by_pkg_config" | sed -n 's/.*libheadrace.* => \([^ ]*\).*/\1/p')" |
    grep -F "$(readlink -f "$prefix")/"

if [ -x "$HEADRACE_BIN/headrace" ]; then
    echo "the command"
    "$prefix/bin/headrace" --version
    ldd "$prefix/bin/headrace" | grep -F "$prefix/"
fi
if [ -x "$prefix/bin/headrace" ] && [ -x "$prefix/libexec/headrace/headrace-source" ] &&
    command -v h5import >/dev/null; then
    echo "the command with the helper"
    echo "1 2 3 4" >"$work/x.txt"
    h5import "$work/x.txt" -dims 4 -path x -type TEXTIN -size 32 -o "$work/x.h5"
    (cd / && "$prefix/bin/headrace" convert "$work/x.h5" -o "$work/x.hrd")
    "$prefix/bin/headrace" verify "$work/x.hrd"
fi
