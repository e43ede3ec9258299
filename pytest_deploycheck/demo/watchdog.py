"""Stops the daemons of a process that died without stopping them; runs as a process of its own.

Reads messages from the socket on descriptor 0: `+PID START SIGNAL` for a daemon that started, `-PID` for one
that was stopped, `hold NAME` with a descriptor that stays open until `drop NAME` or until all is over. The
socket's end means that the parent is gone: every daemon left gets its stop signal, and two seconds later its
process group is killed. The start time (clock ticks since boot, field 22 of /proc/PID/stat) tells a daemon
from a later process that was given the same number.

The parent's death signal of Linux is no substitute: it is bound to the thread that started the child, and
reaches neither grandchildren nor a process that changed its user.
"""

import contextlib
import os
import signal
import socket
import sys
import time

GRACE_S = 2.0


def start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty when there is none, or only its zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - importing pathlib would double the start time
            fields = file.read().rpartition(")")[2].split()
            return "" if fields[0] == "Z" else fields[19]
    except OSError:
        return ""


def listen(channel: socket.socket) -> dict[int, tuple[str, int]]:
    """Follow the parent until it is gone; the daemons that it left behind."""
    daemons: dict[int, tuple[str, int]] = {}
    held: dict[str, list[int]] = {}
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 256, 4)
        words = message.decode().split()
        if not words:
            return daemons
        if words[0].startswith("+"):
            daemons[int(words[0][1:])] = (words[1], int(words[2]))
        elif words[0].startswith("-"):
            daemons.pop(int(words[0][1:]), None)
        elif words[0] == "hold":
            held[words[1]] = descriptors
        elif words[0] == "drop":
            for descriptor in held.pop(words[1], []):
                os.close(descriptor)


def sweep(daemons: dict[int, tuple[str, int]]) -> None:
    """Stop what is left, politely first."""

    def same(pid: int) -> bool:
        return start_time(pid) == daemons[pid][0]

    left = [pid for pid in daemons if same(pid)]
    for pid in left:
        with contextlib.suppress(OSError):
            os.kill(pid, daemons[pid][1])
    deadline = time.monotonic() + GRACE_S
    while any(same(pid) for pid in left) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in daemons:
        # A leader that died alone leaves its group to its children; its number stays taken meanwhile.
        if same(pid) or not start_time(pid):
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sweep(listen(socket.socket(fileno=0)))
    sys.exit(0)
