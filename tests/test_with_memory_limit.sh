#!/usr/bin/env bash
# script/with-memory-limit: the limit bites, the exit status is that of the command, and the group is
# gone afterwards.
set -uo pipefail

limit=$HEADRACE_SOURCE/script/with-memory-limit
said=$(mktemp)
trap 'rm -f "$said"' EXIT
unset LD_PRELOAD

expect() {
    local wanted=$1 what=$2 status
    shift 2
    "$@" 2>"$said"
    status=$?
    cat "$said"
    if [ "$status" -ne "$wanted" ]; then
        echo "FAILED: $what: exit status $status, expected $wanted"
        exit 1
    fi
    echo "ok: $what"
}

group_is_gone() {
    local group
    group=$(sed -n 's/.*cgroup v[12] (\(.*\))$/\1/p' "$said")
    if [ -n "$group" ] && [ -e "$group" ]; then
        echo "FAILED: $group is still there"
        exit 1
    fi
}

use='import sys; b = bytearray(int(sys.argv[1]) << 20); b[::4096] = bytes(len(b[::4096]))'

expect 3 "the exit status is passed on" "$limit" 256M sh -c 'exit 3'
group_is_gone
expect 143 "so is a signal" "$limit" 256M sh -c 'kill -TERM $$'
group_is_gone
expect 0 "64 MiB fit in 256 MiB" "$limit" 256M python3 -c "$use" 64
group_is_gone
if grep -q cgroup "$said"; then
    expect 137 "200 MiB do not fit in 64 MiB" "$limit" 64M python3 -c "$use" 200
    # shellcheck disable=SC2016 # expanded by the inner shell
    expect 137 "in a child neither" "$limit" 64M sh -c 'python3 -c "$0" 200; exit $?' "$use"
    group_is_gone
    expect 0 "what is left running" "$limit" 64M sh -c 'sleep 100 & exit 0'
    group_is_gone
else
    expect 1 "1 GiB does not fit in 256 MiB" "$limit" 256M python3 -c "$use" 1024
fi
expect 1 "a limit without a number" "$limit" M true
expect 127 "a command that is not there" "$limit" 64M /no/such/command
