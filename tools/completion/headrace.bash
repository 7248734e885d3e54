# Completion of the `headrace` command for bash. Commands and options are read from its own --help,
# so that they are those of the installed version.

_headrace_words() { # OPTION: the words it takes, or nothing
    case "$1" in
    --codec) echo "auto raw zstd" ;;
    --filter) echo "auto none shuffle bitshuffle delta delta+shuffle delta+bitshuffle" ;;
    --optimize) echo "speed balanced size" ;;
    --sparse) echo "refuse dense varlen" ;;
    --kind) echo "auto npy npz hdf5" ;;
    --io) echo "auto direct libaio cached threads" ;;
    --numa) echo "auto off" ;;
    --attributes) echo "same first" ;;
    --rank) echo "auto torchrun openmpi slurm headrace" ;;
    --device) echo "host cuda:0" ;;
    esac
}

_headrace() {
    local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local choices
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        choices=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z-]\{1,\}\)   *[a-z].*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$choices --help --version" -- "$word")
        return
    fi
    choices=$(_headrace_words "$before")
    if [ -n "$choices" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
    elif [[ $word == -* ]]; then
        choices=$("$program" "${COMP_WORDS[1]}" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*')
        mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word" | sort -u)
    else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -F _headrace headrace
