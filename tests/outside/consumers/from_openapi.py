"""FastMCP's `from_openapi`: the tools of a document, served as MCP again. An official client lists and calls them there, so that each tool
has gone from MCP to REST and back."""

import asyncio
import socket

import httpx
import uvicorn
from fastmcp import FastMCP

from direct import connected, unfolded
from tools import Tool


async def tools(base, server, document, running):
    serving = await running.enter_async_context(Served(document))
    client = await running.enter_async_context(connected(serving.url))

    def tool(it):
        async def call(arguments):
            result = await client.call(it["name"], arguments)
            if result.get("isError"):
                raise ValueError(result)
            return result["structuredContent"]

        return Tool(it["name"], it["description"], it["inputSchema"], call, again=it)

    return [tool(it) for it in await client.tools()]


class Served:
    """The document as an MCP server over HTTP."""

    def __init__(self, document):
        spec = httpx.get(document).json()
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        server = FastMCP.from_openapi(spec, mcp_component_fn=with_its_own_name)
        self.server = uvicorn.Server(uvicorn.Config(server.http_app(), log_level="error"))
        self.listener = listener

    async def __aenter__(self):
        self.task = asyncio.create_task(self.server.serve(sockets=[self.listener]))
        while not self.server.started:
            await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_):
        self.server.should_exit = True
        await self.task


def with_its_own_name(route, tool):
    # FastMCP makes names of operation ids, and replaces all but letters, digits and `_` in them.
    tool.name = route.extensions["x-mcp-tool"]


def differences(original, again):
    """What has become of the definition of a tool."""
    found = []
    for member in ["name", "description"]:
        if original.get(member) != again.get(member):
            found.append(f"{member}: {again.get(member)!r} instead of {original.get(member)!r}")
    before, after = (unfolded(it["inputSchema"]) for it in (original, again))
    if before != after:
        found.append(f"inputSchema: {after}\n    instead of   {before}")
    return found
