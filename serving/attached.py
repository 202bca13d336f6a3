"""A program that ends with the process that started it, even one that is killed: `python -m serving.attached MODULE …`.

Its standard input must be a pipe whose other end the starter holds and never writes to. The system closes that end when
the starter is gone, however it went; the program then ends as if by SIGTERM.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _end_with_the_starter() -> None:
    # Not sys.stdin: its lock would be held when the interpreter ends.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_starter, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
