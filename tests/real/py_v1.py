"""Python SDK 1 over Streamable HTTP: sessions and SSE unless told otherwise."""

from collections import Counter

from mcp.server.fastmcp import Context, FastMCP
from mcp.types import Completion
from pydantic import BaseModel

from offers import register_offers
from serve import parse_flags, serve, wait_to_be_cancelled


class Sum(BaseModel):
    sum: float


flags = parse_flags(__doc__)
server = FastMCP("py_v1", stateless_http=flags.stateless, json_response=flags.json)
calls = Counter()


@server.tool()
def echo(message: str) -> str:
    """Returns the message unchanged"""
    return message


@server.tool()
def add(a: float, b: float) -> Sum:
    """Adds two numbers"""
    return Sum(sum=a + b)


@server.tool()
def fail() -> str:
    """Always fails"""
    raise ValueError("it failed")


@server.tool(name="grüße", description="Grüßt – 挨拶 👋")
def greet(name: str) -> str:
    return f"Grüße, {name}! 👋"


register_offers(server, Completion)


if not flags.stateless:

    @server.tool()
    def count(context: Context) -> str:
        """How often this session has called it"""
        session_id = context.request_context.request.headers["mcp-session-id"]
        calls[session_id] += 1
        return str(calls[session_id])


if not flags.stateless:

    @server.tool()
    async def ask(what: str, context: Context) -> str:
        """Asks its client on the stream of the session, where this SDK sends its requests"""
        session = context.session
        if what == "ping":
            await session.send_ping()
        elif what == "sampling":
            await session.create_message([], max_tokens=1)
        else:
            await session.list_roots()
        return "answered"

    @server.tool()
    async def wait() -> str:
        """Waits until it is cancelled"""
        await wait_to_be_cancelled()


if flags.sse:
    serve(server.sse_app(), None, flags.port, "/sse")
else:
    serve(server.streamable_http_app(), server.session_manager, flags.port)
