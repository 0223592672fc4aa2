"""LibreChat's actions, by `librechat.mjs`: the package that its server uses for them."""

import asyncio
import json
from pathlib import Path

from tools import Tool


async def tools(base, server, document, running):
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    script = Path(__file__).with_suffix(".mjs")
    node = await asyncio.create_subprocess_exec("node", script, document, **pipes, limit=1 << 24)
    running.callback(node.kill)
    functions = json.loads(await node.stdout.readline())

    def tool(function):
        async def call(arguments):
            node.stdin.write(json.dumps({"name": function["name"], "arguments": arguments}).encode() + b"\n")
            answer = json.loads(await node.stdout.readline())
            if "error" in answer:
                raise ValueError(answer["error"])
            return answer["answer"]

        # References stay references to the document, which its server keeps.
        schema = {**function["parameters"], "components": function["components"]}
        return Tool(function["name"], function["description"], schema, call)

    return [tool(it) for it in functions]
