"""Open WebUI's own code for tool servers: the functions of its `utils/tools.py` and `utils/middleware.py` that list a server's tools, call
one, and prepare what it returned for the model. They are taken out of the published wheel by name; beside them stand only constants of
its configuration. The rest of the two modules needs its database and its web server."""

import ast
import asyncio
import base64
import copy
import json
import logging
import re
import types
import typing
from pathlib import Path
from urllib.parse import quote, urlencode

import aiohttp
import yaml

from tools import Tool

WHEEL = Path(__file__).parent / ".installed/open_webui"
TOOLS = {
    "OPENAPI_HTTP_METHODS", "add_terminal_display_file_inline_param", "clean_openai_tool_schema", "clean_properties",
    "convert_openapi_to_tool_payload", "execute_tool_server", "get_tool_server_data", "get_tool_server_url", "get_tool_servers_data",
    "resolve_schema",
}  # fmt: skip
RESULTS = {"BASE64_IMAGE_DATA_URI_RE", "extract_base64_images", "process_tool_result"}


class JSONCodec:
    loads = staticmethod(json.loads)
    dumps = staticmethod(json.dumps)
    JSONDecodeError = json.JSONDecodeError


SURROUNDINGS = {
    **vars(typing), "aiohttp": aiohttp, "asyncio": asyncio, "base64": base64, "copy": copy, "json": json, "log": logging.getLogger("webui"),
    "quote": quote, "re": re, "urlencode": urlencode, "yaml": yaml, "JSONCodec": JSONCodec,
    "ENABLE_TOOL_SERVERS": True, "AIOHTTP_CLIENT_ALLOW_REDIRECTS": True, "AIOHTTP_CLIENT_SESSION_TOOL_SERVER_SSL": True,
    "AIOHTTP_CLIENT_TIMEOUT_TOOL_SERVER": 300, "AIOHTTP_CLIENT_TIMEOUT_TOOL_SERVER_DATA": 10, "HTMLResponse": type("HTMLResponse", (), {}),
}  # fmt: skip


def taken(file, names):
    """The definitions of these names in a module of the wheel."""
    tree = ast.parse((WHEEL / file).read_text())
    kept = [it for it in tree.body if defined(it) & names or isinstance(it, ast.ImportFrom) and it.module == "__future__"]
    missing = names - set().union(*map(defined, kept))
    assert not missing, f"{file} of Open WebUI has no {missing}"
    scope = dict(SURROUNDINGS)
    exec(compile(ast.Module(kept, []), file, "exec"), scope)
    return types.SimpleNamespace(**scope)


def defined(statement):
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return {statement.name}
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return {it.id for it in targets if isinstance(it, ast.Name)}


async def tools(base, server, document, running):
    """As an administrator adds it: the URL of the server, and `openapi.json` as the form has it."""
    ours, results = taken("tools.py", TOOLS), taken("middleware.py", RESULTS)
    url = f"{base}/api/mcp/{quote(server)}"
    [data] = await ours.get_tool_servers_data([{"url": url, "path": "openapi.json", "auth_type": "none", "config": {"enable": True}}])

    def tool(spec):
        async def call(arguments):
            # What is no property of the schema is dropped, as `execute_tool_call` does.
            known = {name: value for name, value in arguments.items() if name in spec["parameters"]["properties"]}
            answer = await ours.execute_tool_server(url, {"Content-Type": "application/json"}, {}, spec["name"], known, data)
            _, headers = answer
            if headers is None:
                raise ValueError(answer[0]["error"])
            return answer[0]

        async def shown(arguments):
            answer = await ours.execute_tool_server(url, {"Content-Type": "application/json"}, {}, spec["name"], arguments, data)
            return await results.process_tool_result(None, spec["name"], answer, "external", False, {}, None)

        schema = ours.clean_openai_tool_schema(spec)["parameters"]
        return Tool(spec["name"], spec["description"], schema, call, shown=shown)

    return [tool(spec) for spec in data["specs"]]
