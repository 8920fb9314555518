"""The library `websockets`, which connects again by itself: the URL is all that it is given.

Each line of stdin is sent, each text that comes is a line of stdout.
"""

import asyncio
import sys

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


async def _listen(url: str) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    async for socket in connect(url):
        sending = asyncio.create_task(_send(lines, socket))
        async for text in socket:
            sys.stdout.write(f"{text!s}\n")
            sys.stdout.flush()
        sending.cancel()


async def _send(lines: asyncio.StreamReader, socket: ClientConnection) -> None:
    try:
        while line := await lines.readline():
            await socket.send(line.decode().rstrip("\n"))
    except ConnectionClosed:
        return


if __name__ == "__main__":
    asyncio.run(_listen(sys.argv[1]))
