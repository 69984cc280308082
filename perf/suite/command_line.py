"""What the programs of the suite have in common on the command line: how they end, and where their results go."""

from __future__ import annotations

import argparse
import os
import pathlib
import signal
import sys
from collections.abc import Callable

# What a shell says of a program that a signal ended.
INTERRUPTED = 128 + signal.SIGINT
PIPE_CLOSED = 128 + signal.SIGPIPE


def exit_status(body: Callable[[], int]) -> int:
    """What `body` gives. Neither Ctrl-C nor a reader that has seen enough (`... | head`) leaves a traceback.

    SIGTERM ends it as Ctrl-C does, so that what it has started is ended, too.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        try:
            return body()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What has not been printed goes nowhere, or the interpreter would try once more, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def file_to_write(text: str) -> pathlib.Path:
    """The type of an argument: a file that can be written, so that this is known before anything is measured."""
    path = pathlib.Path(text)
    existed = path.exists()
    try:
        path.open("a").close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be written: {error.strerror}") from None
    if not existed:
        path.unlink()
    return path
