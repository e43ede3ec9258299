"""Owns the demo's network namespace and carries connections from it to the demo's servers.

Run as `python warden.py PLAN.json`. The sockets that listen are made inside the namespace and stay there; the
connections to the servers are made from outside. Nothing outlives the process: the namespace has no name and
no other holder, and the link goes with it.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_NEWNET = 0x40000000
_CHUNK = 65536


def _libc(name: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


def enter(plan: dict[str, Any]) -> int:
    """Make the namespace, its link and its rules; this thread is inside afterwards. Returns its descriptor."""
    ip = plan["tools"]["ip"]
    link = plan["link"]
    subprocess.run([ip, "link", "del", link], capture_output=True)
    _libc("unshare", _NEWNET)
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.accept_dad", "net.ipv6.conf.default.accept_dad"):
        value = "1" if name.endswith("forward") else "0"
        with contextlib.suppress(OSError):  # no IPv6 in this kernel
            Path("/proc/sys", *name.split(".")).write_text(value)
    outside = str(os.getppid())
    run(ip, "link", "set", "lo", "up")
    run(ip, "link", "add", "eth0", "type", "veth", "peer", "name", link, "netns", outside)
    for address in plan["inside"]:
        run(ip, "address", "add", address, "dev", "eth0", *nodad(address))
    run(ip, "link", "set", "eth0", "up")
    for address in plan["outside"]:
        run(ip, "route", "add", "default", "via", address.partition("/")[0], "dev", "eth0")
    run(plan["tools"]["nft"], "-f", plan["rules"])
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def nodad(address: str) -> list[str]:
    """Take an IPv6 address into use at once: nobody else is on the link."""
    return ["nodad"] if ":" in address else []


def run(*command: str) -> None:
    """Run a tool; what it complains about goes to the log."""
    subprocess.run(command, check=True)


def listen(ports: Sequence[int]) -> list[socket.socket]:
    """Listen on every port, by both families."""
    made = []
    for port in ports:
        for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104 - in the namespace
            one = socket.socket(family)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((host, port))
            one.listen(64)
            made.append(one)
    return made


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Join a connection with one to a server of the demo."""
    try:
        there, back = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, back), copy(there, writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction to its end."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


async def serve(sockets: list[socket.socket], listeners: dict[int, int]) -> None:
    """Accept connections until told to stop."""
    for one in sockets:
        there = listeners[one.getsockname()[1]]

        async def joined(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, there: int = there
        ) -> None:
            await carry(reader, writer, there)

        await asyncio.start_server(joined, sock=one)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


def main(path: Path) -> None:
    """Build the wall, listen behind it, and say where it is."""
    plan = json.loads(path.read_text())
    listeners = {int(port): there for port, there in plan["listeners"].items()}
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    namespace = enter(plan)
    sockets = listen(list(listeners))
    _libc("setns", home, _NEWNET)
    ip = plan["tools"]["ip"]
    for address in plan["outside"]:
        run(ip, "address", "add", address, "dev", plan["link"], *nodad(address))
    run(ip, "link", "set", plan["link"], "up")
    told = Path(plan["namespace_file"])
    told.write_text(f"/proc/{os.getpid()}/fd/{namespace}\n")
    try:
        asyncio.run(serve(sockets, listeners))
    finally:
        told.unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
