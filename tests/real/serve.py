"""What both Python servers share: flags, where they listen, how they say so, when they end. Nothing of MCP itself but one tool's
wait to be cancelled."""

import argparse
import asyncio
import os
import socket
import sys
import threading

import uvicorn
from starlette.responses import JSONResponse


def parse_flags(about):
    """--stateless, --json, --sse, --port."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--stateless", action="store_true", help="no sessions")
    parser.add_argument("--json", action="store_true", help="answer as JSON, not as a stream of events")
    parser.add_argument("--sse", action="store_true", help="the transport of 2024-11-05, at /sse")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    return parser.parse_args()


cancelled = 0


async def wait_to_be_cancelled():
    """Waits, and counts if that was in vain."""
    global cancelled
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        cancelled += 1
        raise


def serve(app, session_manager, port, path="/mcp"):
    """Serves the MCP app until stdin ends or SIGTERM comes."""
    listener = socket.create_server(("127.0.0.1", port))
    # asyncio does this for listeners it opens itself; without it every answer waits for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        WithSessionCount(app, session_manager), log_level="warning", timeout_graceful_shutdown=1
    )
    # A test run that dies closes our stdin, so no server outlives it.
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    server = AnnouncingServer(config)
    server.path = path
    server.run(sockets=[listener])


class AnnouncingServer(uvicorn.Server):
    """Prints the one line on stdout once connections are accepted."""

    async def startup(self, sockets=None):
        await super().startup(sockets)
        address, port = sockets[0].getsockname()
        print(f"listening http://{address}:{port}{self.path}", flush=True)


class WithSessionCount:
    """The MCP app, and at /sessions how many sessions are live, how many were ever opened, and how many calls were cancelled."""

    def __init__(self, app, session_manager):
        self.app = app
        self.session_manager = session_manager
        self.opened = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["path"] == "/sessions":
            live = len(self.session_manager._server_instances) if self.session_manager else 0
            counts = {"live": live, "opened": self.opened, "cancelled": cancelled}
            return await JSONResponse(counts)(scope, receive, send)
        had_session = has_session_id(scope)

        async def send_and_count(message):
            # A refusal carries a session id too, but of a session that does not exist.
            if message["type"] == "http.response.start" and message["status"] < 300:
                self.opened += not had_session and has_session_id(message)
            await send(message)

        await self.app(scope, receive, send_and_count)


def has_session_id(message):
    return any(name.lower() == b"mcp-session-id" for name, _ in message["headers"])
