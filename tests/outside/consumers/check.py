"""check.py CONSUMER BASE NAME=FORM=MCP_URL...: has CONSUMER (a module beside this one) list the tools of the server NAME from its document at
BASE, and call each with arguments made of the schema that its model sees, once with what is required and once with everything. Each result
must be that of the same call by the official SDK's client at MCP_URL: as it is (FORM `mcp`), or its value (`value`)."""

import asyncio
import importlib
import json
import re
import sys
from contextlib import AsyncExitStack
from urllib.parse import quote

from arguments import arguments
from direct import connected, normal, value_of

# Where the defaults would take long or need the internet. `None`: not called, for its answer names the session or the environment, or it
# runs as a task only, which the client does not ask for by itself.
INSTEAD = {
    "get-env": None,
    "gzip-file-as-resource": {"name": "hello.gz", "data": "data:text/plain,hello", "outputType": "resource"},
    "simulate-research-query": None,
    "toggle-simulated-logging": None,
    "toggle-subscriber-updates": None,
    "trigger-long-running-operation": {"duration": 0.1, "steps": 2},
}
TIME = re.compile(r"\d\d?:\d\d:\d\d( [AP]M)?")


async def check(consumer, base, server, form, url):
    module = importlib.import_module(consumer)
    document = f"{base}/api/mcp/{quote(server)}/openapi.json"
    failures = []
    async with connected(url) as client, AsyncExitStack() as running:
        tools = await module.tools(base, server, document, running)
        originals = {it["name"]: it for it in await client.tools()}
        listed = {known_as(tool, originals): tool for tool in tools}
        if set(listed) != set(originals):
            failures.append(f"listed {[it.name for it in tools]}, but there are {list(originals)}")
        for name, tool in listed.items():
            if name is None:
                continue
            if tool.again:
                failures += [f"{name}: {it}" for it in module.differences(originals[name], tool.again)]
            if name in INSTEAD and INSTEAD[name] is None:
                continue
            for full in [False, True]:
                made = INSTEAD.get(name) or arguments(tool.schema, full)
                try:
                    await one(client, name, tool, made, form)
                except Exception as error:
                    failures.append(f"{name} with {json.dumps(made)}\n    {reason(error)}")
    print(f"{consumer}, {server} as {form}: {len(tools)} tools, {len(failures)} failures")
    for failure in failures:
        print(f"- {failure}")
    return not failures


async def one(client, name, tool, made, form, attempts=3):
    found = await tool.call(made)
    expected = await client.call(name, tool.sent(made))
    assert not expected.get("isError"), f"the arguments are refused: {expected}"
    expected = value_of(expected) if form == "value" else expected
    if form == "mcp":
        found = normal(found)
    # MCP's structured results are objects: FastMCP puts what is none under `result`.
    expected_too = [expected] + ([{"result": expected}] if tool.again else [])
    if timeless(found) in map(timeless, expected_too):
        return
    # A second may have passed, which some answers name in base64.
    assert attempts > 1, f"\n    got      {short(found)}\n    expected {short(expected)}"
    await one(client, name, tool, made, form, attempts - 1)


def alike(name):
    """What all notations of a name have in common."""
    return re.sub("[^a-z0-9]", "", name.lower())


def known_as(tool, originals):
    """What a tool is called by its server. Long names are cut, and end with a hash."""
    exact = [name for name in originals if alike(name) == alike(tool.name)]
    begins = [name for name in originals if alike(name).startswith(alike(tool.name)[:30]) and len(name) > len(tool.name)]
    described = [name for name in begins if originals[name]["description"] == tool.description]
    return next(iter(exact + described), None)


def timeless(value):
    """A value to be compared with another: without the time of day, and with numbers as JavaScript has them."""
    if isinstance(value, str):
        return TIME.sub("TIME", value)
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return [timeless(it) for it in value]
    return {name: timeless(it) for name, it in value.items()} if isinstance(value, dict) else value


def short(value):
    return json.dumps(value)[:600]


def reason(error):
    return str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"[:1500]


async def main(consumer, base, *servers):
    passed = [await check(consumer, base, *server.split("=", 2)) for server in servers]
    return all(passed)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(*sys.argv[1:])) else 1)
