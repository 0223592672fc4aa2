"""A tiny MCP server with fixed answers, for measuring what stands in front of it.

Listens on a free port of 127.0.0.1, prints it, and answers until standard input ends. One answer is about 1 KB; the JSON-RPC
id is copied from the request. Paths: /json and /sse answer as a legacy server does, /modern as a 2026-07-28 one, /stream sends
100 KB as an event in pieces.
"""

import asyncio
import json
import sys

TEXT = "x" * 880
RESULT = json.dumps({"content": [{"type": "text", "text": TEXT}], "isError": False})
MODERN = json.dumps({"resultType": "complete", "content": [{"type": "text", "text": TEXT}], "isError": False})
LONG = json.dumps({"content": [{"type": "text", "text": "y" * 100_000}], "isError": False})
LIST = json.dumps({"resultType": "complete", "ttlMs": 3_600_000, "cacheScope": "public",
                   "tools": [{"name": "echo", "inputSchema": {"type": "object"}}]})
DISCOVER = json.dumps({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}})


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


async def answer(writer, path, message):
    identity = json.dumps(message["id"])
    result = {"server/discover": DISCOVER, "tools/list": LIST}.get(message["method"])
    if result is None:
        result = {"/modern": MODERN, "/stream": LONG}.get(path, RESULT)
    body = ('{"jsonrpc":"2.0","id":%s,"result":%s}' % (identity, result)).encode()
    if path not in ("/sse", "/stream"):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        return
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    event = b"event: message\r\ndata: " + body + b"\r\n\r\n"
    if path == "/sse":
        writer.write(head + chunk(event) + b"0\r\n\r\n")
        return
    writer.write(head)
    for start in range(0, len(event), 16_384):
        writer.write(chunk(event[start:start + 16_384]))
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = head.split(" ", 2)[1]
            length = next((int(line.split(":")[1]) for line in head.split("\r\n")
                           if line.lower().startswith("content-length:")), 0)
            await answer(writer, path, json.loads(await reader.readexactly(length)))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
