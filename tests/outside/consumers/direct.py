"""The official SDK's client: what a server offers and answers without the gateway."""

import json
from contextlib import asynccontextmanager

from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult


@asynccontextmanager
async def connected(url):
    async with streamable_http_client(url) as (read, write, *_), ClientSession(read, write) as session:
        await session.initialize()
        yield Direct(session)


class Direct:
    def __init__(self, session):
        self.session = session

    async def tools(self):
        tools, cursor = [], None
        while True:
            page = await self.session.list_tools(cursor=cursor) if cursor else await self.session.list_tools()
            tools += [dumped(it) for it in page.tools]
            cursor = page.next_cursor
            if not cursor:
                return tools

    async def call(self, name, arguments):
        return normal(dumped(await self.session.call_tool(name, arguments)))


def dumped(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def normal(result):
    """A result as the SDK's types read it."""
    result = dumped(CallToolResult.model_validate(result))
    return {key: value for key, value in result.items() if key in ("content", "structuredContent", "isError") and value is not False}


def value_of(result):
    """The value of a result, as the contract says it."""
    if "structuredContent" in result:
        return result["structuredContent"]
    values = [value_of_block(it) for it in result.get("content", [])]
    return values[0] if len(values) == 1 else values or None


def value_of_block(block):
    if block["type"] == "text":
        try:
            return json.loads(block["text"])
        except ValueError:
            return block["text"]
    if block["type"] in ("image", "audio"):
        return {"mimeType": block["mimeType"], "data": block["data"]}
    return block


# What says nothing of which values are valid, or says it twice; `discriminator` is OpenAPI's.
ANNOTATIONS = {"title", "$schema", "$defs", "definitions", "$comment", "discriminator"}


def unfolded(schema, root=None, depth=12):
    """A schema to be compared with another: references are replaced by what they lead to, so many levels deep."""
    root = schema if root is None else root
    if isinstance(schema, list):
        return [unfolded(it, root, depth) for it in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        found = root
        for part in schema["$ref"].removeprefix("#").split("/")[1:]:
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return unfolded({**found, **{key: it for key, it in schema.items() if key != "$ref"}}, root, depth)
    if len(schema.get("allOf", [])) == 1:
        [only] = schema["allOf"]
        rest = {key: it for key, it in schema.items() if key != "allOf"}
        return unfolded({**only, **rest} if "$ref" in only else {**unfolded(only, root, depth), **rest}, root, depth)
    if depth == 0:
        return "..."
    result = {}
    for key, it in schema.items():
        if key in ANNOTATIONS or key == "additionalProperties" and it is True or key == "default" and it is None:
            continue
        if key == "properties":
            result[key] = {name: unfolded(property, root, depth - 1) for name, property in it.items()}
        else:
            # FastMCP writes the one for the other.
            result["anyOf" if key == "oneOf" else key] = unfolded(it, root, depth - 1)
    if "required" in result:
        result["required"] = sorted(result["required"])
    return {key: it for key, it in result.items() if it or key not in ("required", "properties")}
