"""The `headrace` command, which is the C program: its process takes the place of this one."""

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

_PROGRAM = Path(__file__).parent / "bin" / "headrace"


def main() -> NoReturn:
    """Become the program, with this process's arguments, streams and environment."""
    # Python ignores these for itself, and a program inherits what is ignored.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execv(_PROGRAM, ["headrace", *sys.argv[1:]])
    except OSError as error:
        sys.exit(f"headrace: {_PROGRAM} cannot be run: {error.strerror}; install Headrace again")


if __name__ == "__main__":
    main()
