#!/usr/bin/env bash
# What libheadrace.so exports is what the public headers declare with HR_API, and what
# cmake/headrace.map lists: no more, no less.
set -euo pipefail

# Compares two sorted lists of names.
same() {
    local what=$1
    if ! diff --unchanged-line-format= --old-line-format='  only left:  %L' \
        --new-line-format='  only right: %L' "$2" "$3"; then
        echo "FAILED: $what differ"
        exit 1
    fi
    echo "ok: $what are the same ($(wc -l <"$2") names)"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C

cat "$HEADRACE_SOURCE"/include/headrace/*.h | tr '\n' ' ' | grep -oE '\bHR_API [^;({]*\(' |
    grep -oE 'hr_[a-z0-9_]+ *\($' | tr -d ' (' | sort >"$work/headers"
grep -oE '^ +hr_[a-z0-9_]+;' "$HEADRACE_SOURCE/cmake/headrace.map" | tr -d ' ;' | sort >"$work/map"
nm -D --defined-only "$HEADRACE_BUILD/lib/libheadrace.so" | awk '$2 != "A" { print $3 }' |
    sed 's/@.*//' | sort >"$work/library"

test -s "$work/headers"
if ldd "$HEADRACE_BUILD/lib/libheadrace.so" | grep -i cuda; then
    echo "FAILED: libheadrace.so needs CUDA"
    exit 1
fi
same "headers and cmake/headrace.map" "$work/headers" "$work/map"
if [ -n "$HEADRACE_SANITIZE" ]; then
    grep -E '^hr_' "$work/library" >"$work/own" # a sanitizer exports names of its own
    mv "$work/own" "$work/library"
fi
same "headers and libheadrace.so" "$work/headers" "$work/library"
