"""What all consumers are asked for: the tools of a server as their model sees them, and a way to call each."""

from dataclasses import dataclass
from typing import Any, Awaitable, Callable


@dataclass
class Tool:
    name: str
    description: str
    # A JSON Schema: all that the model knows of the arguments.
    schema: dict
    # With arguments of that schema; returns the JSON of the answer.
    call: Callable[[dict], Awaitable[Any]]
    # The tool's own names for the same arguments.
    sent: Callable[[dict], dict] = lambda arguments: arguments
    # What reaches the model, where a consumer makes more of it than JSON: the text, and the files beside it.
    shown: Callable[[dict], Awaitable[tuple]] | None = None
    # The definition of the tool in MCP, where a consumer makes one of the document.
    again: dict | None = None
