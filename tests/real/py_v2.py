"""Python SDK 2 over HTTP, both eras at one endpoint; legacy requests get sessions and SSE unless told otherwise."""

from collections import Counter
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import Completion, ElicitRequest, ElicitRequestFormParams, InputRequiredResult
from pydantic import BaseModel, Field

from offers import register_offers
from serve import parse_flags, serve, wait_to_be_cancelled


class Sum(BaseModel):
    sum: float


flags = parse_flags(__doc__)
server = MCPServer("py_v2")
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
    raise ToolError("it failed")


@server.tool(name="grüße", description="Grüßt – 挨拶 👋")
def greet(name: str) -> str:
    return f"Grüße, {name}! 👋"


register_offers(server, Completion)


@server.tool()
def header_region(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
    """Returns the region, which a modern client must repeat in the header Mcp-Param-Region"""
    return region


@server.tool()
def introduce(context: Context) -> str | InputRequiredResult:
    """Asks for a name and greets it"""
    if context.input_responses is None:
        schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        question = ElicitRequest(params=ElicitRequestFormParams(message="Who are you?", requested_schema=schema))
        return InputRequiredResult(input_requests={"who": question}, request_state="asked once")
    assert context.request_state == "asked once"
    return f"Hello, {context.input_responses['who'].content['name']}!"


@server.tool()
async def wait() -> str:
    """Waits until it is cancelled"""
    await wait_to_be_cancelled()


if not flags.stateless:

    @server.tool()
    def count(context: Context) -> str:
        """How often this session has called it; modern requests have no session and share one count"""
        session_id = context.headers.get("mcp-session-id")
        calls[session_id] += 1
        return str(calls[session_id])


app = server.streamable_http_app(stateless_http=flags.stateless, json_response=flags.json)
serve(app, server.session_manager, flags.port)
