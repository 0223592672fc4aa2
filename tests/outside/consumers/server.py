"""A server with the schemas that pydantic writes for real programs, on the MCP SDK of PyPI: nested models, unions, recursion, dates,
enumerations, tuples, maps, arguments with the names of the gateway's own parameters, pictures, sound, and several blocks.

Every tool gives back what it has understood of its arguments, so that a caller sees what has become of them on the way. It runs like the
servers of tests/real: `listening http://127.0.0.1:PORT/mcp` on stdout, until its stdin ends."""

import base64
import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from mcp.server.mcpserver import Audio, Image, MCPServer
from mcp_types import ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

sys.path.append(str(Path(__file__).parents[2] / "real"))
from serve import parse_flags, serve  # noqa: E402

# A red pixel, and one sample of silence.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
SILENCE = b"RIFF%\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0@\x1f\0\0\1\0\x08\0data\1\0\0\0\x80"


class Cabin(str, Enum):
    ECONOMY = "economy"
    FIRST = "first"


class Place(BaseModel):
    """A place on earth"""

    name: str
    latitude: Annotated[float, Field(ge=-90, le=90)] = 0
    longitude: Annotated[float, Field(gt=-180, le=180)] = 0


class Traveller(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=2, max_length=40)]
    birthday: Annotated[date | None, Field(description='A day, like "1990-12-31"')] = None
    tags: list[str] = []


class Leg(BaseModel):
    start: Place
    end: Place
    departure: Annotated[datetime, Field(description='Local time, like "2026-11-21T12:30:00"')]
    cabin: Annotated[Cabin, Field(description='A class, like "first"')] = Cabin.ECONOMY


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: Annotated[float, Field(gt=0)]


class Polygon(BaseModel):
    kind: Literal["polygon"]
    points: Annotated[list[tuple[float, float]], Field(min_length=1, description="Points, like [[0, 1]]")]


Shape = Annotated[Circle | Polygon, Field(discriminator="kind")]


class Node(BaseModel):
    """A tree: each node has nodes"""

    value: int
    children: "list[Node]" = []
    next: Annotated["Node | None", Field(description="The next one, or null")] = None


class Booking(BaseModel):
    legs: list[Leg]
    travellers: list[Traveller]
    paid: bool
    note: str | None


flags = parse_flags(__doc__)
server = MCPServer("rich", version="1.2.3", instructions="Plans trips, and draws.")
reads = ToolAnnotations(read_only_hint=True)


@server.tool(title="Book a trip")
def book(
    legs: Annotated[list[Leg], Field(min_length=1)], travellers: list[Traveller], paid: bool = False, note: str | None = None
) -> Booking:
    """Books a trip for travellers"""
    return Booking(legs=legs, travellers=travellers, paid=paid, note=note)


@server.tool(annotations=reads)
def draw(
    shape: Annotated[Shape, Field(description='A shape, like {"kind": "circle", "radius": 2}')],
    colour: Annotated[Literal["red", "green"] | int, Field(description='A name or a number, like "green"')] = 7,
) -> dict[str, Shape | str | int]:
    """Draws a shape: one of two kinds, told apart by a member"""
    return {"shape": shape, "colour": colour}


@server.tool(annotations=reads)
def tree(
    root: Annotated[Node, Field(description='A node, like {"value": 1, "children": [{"value": 2}]}')], forest: list[Node] = []
) -> Node:
    """Puts a tree and a forest under one new root"""
    return Node(value=len(forest), children=[root, *forest])


@server.tool(annotations=reads)
def schedule(
    day: Annotated[date, Field(description='A day, like "2026-11-21"')],
    at: Annotated[time, Field(description='A time, like "12:30:00"')],
    until: Annotated[datetime, Field(description='A moment, like "2026-11-21T12:30:00Z"')],
    lasts: Annotated[timedelta, Field(description='A duration, like "PT1H30M"')] = timedelta(hours=1),
    id: Annotated[UUID | None, Field(description='An id, like "6ba7b810-9dad-11d1-80b4-00c04fd430c8"')] = None,
    price: Annotated[Decimal, Field(description="A price, like 10.5")] = Decimal("9.5"),
) -> list[str]:
    """Says when something takes place"""
    return [str(it) for it in (day, at, until, lasts, id, price)]


@server.tool(annotations=reads)
def measure(
    values: Annotated[dict[str, float], Field(description='Numbers by name, like {"a": 1}')],
    pair: Annotated[tuple[int, str], Field(description='A number and a word, like [1, "a"]')],
    unique: set[int] = {1},
    places: Annotated[dict[str, Place], Field(description='Places by name, like {"home": {"name": "Paris"}}')] = {},
    code: Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["ABC"], description='A code, like "ABC"')] = "XYZ",
) -> dict[str, int]:
    """Counts what it is given: maps, a pair, a set"""
    return {"values": len(values), "pair": len(pair), "unique": len(unique), "places": len(places), "code": ord(code[0])}


@server.tool(annotations=reads)
def words(
    timeoutMs: int,
    result: str,
    sessionId: str = "none",
    init: bool = False,
    close: bool = False,
    toolErrors: str = "x",
    name: str = "n",
    body: str = "b",
    url: str = "u",
    arguments: dict[str, str] = {},
) -> str:
    """Has arguments that are called like parameters of the gateway"""
    return repr((timeoutMs, result, sessionId, init, close, toolErrors, name, body, url, arguments))


@server.tool(annotations=reads)
def nullable(
    text: Annotated[str | None, Field(description='A text, like "hello"')], count: int | None = None, flags: list[bool | None] = []
) -> str:
    """Takes null, and tells it from nothing"""
    return repr((text, count, flags))


@server.tool(annotations=reads)
def nothing() -> None:
    """Returns nothing"""


@server.tool(annotations=reads, structured_output=False)
def picture() -> Image:
    """A picture of one pixel"""
    return Image(data=PIXEL, format="png")


@server.tool(annotations=reads, structured_output=False)
def sound() -> Audio:
    """One sample of silence"""
    return Audio(data=SILENCE, format="wav")


@server.tool(annotations=reads, structured_output=False)
def several() -> list:
    """A sentence, an object as text, and a picture"""
    return ["Here it is:", '{"a": [1.10, null]}', Image(data=PIXEL, format="png")]


@server.tool(annotations=reads, structured_output=False)
def number() -> str:
    """A number, as text"""
    return "12345678901234567890123"


@server.tool(name="reports.quarterly/summary-of", annotations=reads)
def dotted(year: int) -> str:
    """Its name has a dot, a slash and a dash"""
    return f"summary of {year}"


@server.tool(name="a_tool_with_a_name_that_is_longer_than_the_sixty_four_characters_that_models_take_as_the_name_of_a_function_1")
def long_one(word: str) -> str:
    """The first of two whose names begin alike"""
    return f"1 {word}"


@server.tool(name="a_tool_with_a_name_that_is_longer_than_the_sixty_four_characters_that_models_take_as_the_name_of_a_function_2")
def long_two(word: str) -> str:
    """The second of two whose names begin alike"""
    return f"2 {word}"


serve(server.streamable_http_app(stateless_http=flags.stateless), server.session_manager, flags.port)
