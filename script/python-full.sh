#!/usr/bin/env bash
# shellcheck disable=SC2154 # results, suites, say and run_pytest are those of script/test
# For script/test --python-full: what takes too long for CI. The package with every Python from 3.10 that is here, with
# the newest PyTorch, and the portable wheel.

# The Pythons from 3.10 on PATH or of pyenv, one of each minor version.
pythons() {
    local minor candidate
    for minor in $(seq 10 19); do
        for candidate in "python3.$minor" "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor".*/bin/python; do
            if "$candidate" -c "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, $minor))" \
                >/dev/null 2>&1; then
                echo "$candidate"
                break
            fi
        done
    done
}

run_portable_wheel() {
    local python=$1 wheel=$2 suite=$3
    say "$suite: tests with $("$python" --version)"
    HEADRACE_WHEEL=$wheel HEADRACE_WHEEL_PYTHON=$python HEADRACE_SOURCE=$PWD \
        timeout 600 .venv/bin/python -m pytest tests/test_wheel.py -q -rfE -p no:cacheprovider \
        --junitxml="$results/$suite.xml"
}

# The programs of the portable wheel do what those of the build do: the command, and HDF5 by another build of
# the library, on damaged files too.
run_wheel_programs() {
    local wheel=$1 into=build/wheel/installed
    say "wheel-programs: tests"
    rm -rf "$into"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target "$into" "$wheel" || return 1
    env -u HEADRACE_LIBEXEC HEADRACE_BIN="$PWD/$into/headrace/bin" HEADRACE_SOURCE="$PWD" \
        HEADRACE_SHARED="${HEADRACE_SHARED:-$PWD/../shared/data}" \
        timeout 900 .venv/bin/python -m pytest tests/test_cli.py tests/test_cli_epoch.py tests/test_round_trip.py \
        tests/test_hdf5_files.py -q -rfE -p no:cacheprovider --junitxml="$results/wheel-programs.xml"
}

# full_environment FOLDER PYTHON MODULES...: made anew where it has other modules.
full_environment() {
    local folder=$1 python=$2
    shift 2
    if [ "$(cat "$folder/installed-modules.txt" 2>/dev/null)" = "$*" ]; then
        return
    fi
    "$python" -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" &&
        echo "$*" >"$folder/installed-modules.txt"
}

# The package with another Python: what needs no framework. NumPy 1.24 with 3.10, the newest with others.
run_package() {
    local python=$1 minor=$2 numpy=numpy environment
    environment=build/python-full/$minor
    [ "$minor" = 3.10 ] && numpy="numpy==1.24.*"
    full_environment "$environment" "$python" "$numpy" pytest tqdm || return 1
    run_pytest "package-$minor" "$environment" tests/test_python_{abi,convert,dataset,indexing,lifetimes,loader,memory,writer}.py
}

# The newest PyTorch, which CI does not have, and Keras on it; each in a process of its own, as the threads of one do not
# go well with the forks of another, and a process has one CUDA module.
run_newest_frameworks() {
    local name environment=build/python-full/frameworks
    if ! full_environment "$environment" .venv/bin/python h5py jax keras numpy pytest tensorflow-cpu torch torchdata tqdm; then
        suites+=("newest-frameworks=1")
        return
    fi
    for name in torch jax keras tensorflow; do
        run_pytest "newest-$name" "$environment" "tests/test_python_$name.py"
        suites+=("newest-$name=$?")
    done
}

run_python_full() {
    local python minor wheels
    run_newest_frameworks
    for python in $(pythons); do
        minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        run_package "$python" "$minor"
        suites+=("package-$minor=$?")
    done
    say "the portable wheel: build"
    if ! script/build-wheel build/wheel; then
        suites+=("wheel=1")
        return
    fi
    wheels=(build/wheel/headrace-*.whl)
    run_wheel_programs "${wheels[0]}"
    suites+=("wheel-programs=$?")
    for python in $(pythons); do
        minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        run_portable_wheel "$python" "$PWD/${wheels[0]}" "wheel-$minor"
        suites+=("wheel-$minor=$?")
    done
}
