"""openapi-llm, which Haystack's OpenAPI components are built on."""

import asyncio
import json
import re

from openapi_llm.client.openapi import OpenAPIClient

from tools import Tool


async def tools(base, server, document, running):
    client = OpenAPIClient.from_spec(document)

    def tool(definition):
        function = definition["function"]

        async def call(arguments):
            # What OpenAI's API returns for a call.
            call = {"id": "1", "type": "function", "function": {"name": function["name"], "arguments": json.dumps(arguments)}}
            payload = {"role": "assistant", "tool_calls": [call]}
            return await asyncio.to_thread(client.invoke, payload)

        assert re.fullmatch("[a-zA-Z0-9_]{1,64}", function["name"]), function["name"]
        return Tool(function["name"], function["description"], function["parameters"], call)

    return [tool(it) for it in client.tool_definitions]
