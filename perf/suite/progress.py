"""What is going on, on stderr: one line that is rewritten, or plain lines if nobody looks."""

from __future__ import annotations

import shutil
import sys
import time

from . import units


class Progress:
    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.done = 0
        self.started = time.monotonic()
        self.tty = sys.stderr.isatty()
        self.last_row = ""

    def show(self, row: str, who: str) -> None:
        """`row` and `who` are being measured."""
        if self.tty:
            line = f"[{self.done}/{self.steps}, {self.time_left()} left] {row}: {who}"
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[K" + line[:width])
            sys.stderr.flush()
        elif row != self.last_row:
            print(f"[{self.done}/{self.steps}, {self.time_left()} left] {row}", file=sys.stderr, flush=True)
        self.last_row = row

    def step(self) -> None:
        """A row is done."""
        self.done += 1

    def time_left(self) -> str:
        if self.done == 0:
            return "?"
        passed = time.monotonic() - self.started
        return units.duration(passed / self.done * (self.steps - self.done))

    def say(self, text: str) -> None:
        """A line that stays."""
        if self.tty:
            sys.stderr.write("\r\x1b[K")
        print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.tty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
