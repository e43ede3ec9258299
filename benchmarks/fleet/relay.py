"""A way to servers that takes time: every byte towards the client waits, as on a long line.

Run as `python relay.py DELAY_S LISTEN:CONNECT…` (ports of 127.0.0.1); it stands in for `tc netem delay`, which needs a
kernel module that not every machine has. Like netem on one interface it delays one direction, so that a round trip
takes `DELAY_S` more.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Copy bytes, each chunk `delay_s` late and none waiting for another."""
    loop, late = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]]()

    async def deliver() -> None:
        while True:
            due, chunk = await late.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not chunk:
                break
            writer.write(chunk)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    delivery = asyncio.create_task(deliver())
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65536):
            late.put_nowait((loop.time() + delay_s, chunk))
    late.put_nowait((loop.time() + delay_s, b""))
    await delivery


async def serve(listen: int, connect: int, delay_s: float) -> None:
    """Take connections on one port and carry them to another."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", connect)
            await asyncio.gather(pump(reader, back, 0.0), pump(there, writer, delay_s))
            back.close()
        writer.close()

    await asyncio.start_server(carry, "127.0.0.1", listen)


async def main() -> None:
    """Carry for ever."""
    delay_s, *pairs = sys.argv[1:]
    for pair in pairs:
        listen, _, connect = pair.partition(":")
        await serve(int(listen), int(connect), float(delay_s))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
