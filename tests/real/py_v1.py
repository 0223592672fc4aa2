"""Python SDK 1 over Streamable HTTP: sessions and SSE unless told otherwise."""

from collections import Counter

from mcp.server.fastmcp import Context, FastMCP
from pydantic import BaseModel

from serve import parse_flags, serve


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


if not flags.stateless:

    @server.tool()
    def count(context: Context) -> str:
        """How often this session has called it"""
        session_id = context.request_context.request.headers["mcp-session-id"]
        calls[session_id] += 1
        return str(calls[session_id])


app = server.streamable_http_app()
serve(app, server.session_manager, flags.port)
