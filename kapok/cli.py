"""`kapok`: the way in. Light and guarded, because Ctrl-C may come while the rest still loads."""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """Run one command; the process ends with its exit status."""
    try:
        open_streams()
        from kapok.app import app

        app(prog_name="kapok")
    except KeyboardInterrupt:
        sys.exit(130)


def open_streams() -> None:
    """UTF-8 whatever the locale; what a shell closed (`>&-`) leads nowhere.

    A closed descriptor must be taken: the next file that is opened would get it, and the text.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nowhere, "w" if descriptor else "r", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


if __name__ == "__main__":
    main()
