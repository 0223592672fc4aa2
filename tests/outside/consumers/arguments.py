"""Arguments for a tool, made of nothing but the JSON Schema that a consumer shows to its model: a stand-in for the model.

Where the schema says too little (a bare string, nothing at all), the description is read, as a model would: the servers' say
`like "2026-11-21"`."""

import json
import re

OMITTED = object()
LIKE = re.compile(r"\blike (.+)", re.DOTALL)
FORMATS = {
    "date": "2026-11-21",
    "date-time": "2026-11-21T12:30:00Z",
    "time": "12:30:00",
    "duration": "PT90M",
    "uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "uri": "data:text/plain,hello",
    "email": "eve@example.org",
}
DEEP = 8


def arguments(schema, full):
    """What is required; with `full`, everything, and the last of alternatives instead of the first."""
    made = Maker(schema, full).make(schema)
    return {} if made is OMITTED else made


class Maker:
    def __init__(self, root, full):
        self.root = root
        self.full = full

    def make(self, schema, depth=0):
        """A value, or OMITTED where nothing is known of it or it goes too deep."""
        if not isinstance(schema, dict) or depth > DEEP:
            return OMITTED
        if "$ref" in schema:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return self.make({**self.at(schema["$ref"]), **rest}, depth + 1)
        for part in schema.get("allOf", []):
            schema = {**self.resolved(part), **{key: value for key, value in schema.items() if key != "allOf"}}
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][-1 if self.full else 0]
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self.one_of(schema, keyword, depth)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((it for it in kind if it != "null"), "null")
        if kind is None and "properties" in schema:
            kind = "object"
        makers = {"object": self.object, "array": self.array, "string": self.string, "integer": self.number, "number": self.number}
        if kind in makers:
            return makers[kind](schema, depth)
        if kind in ("boolean", "null"):
            return True if kind == "boolean" else None
        return like(schema)

    def one_of(self, schema, keyword, depth):
        branches = [self.resolved(it) for it in schema[keyword]]
        branches = [it for it in branches if isinstance(it, dict) and it.get("type") != "null"] or branches
        rest = {key: schema[key] for key in ("description",) if key in schema}
        made = [value for it in branches if (value := self.make({**it, **rest}, depth + 1)) is not OMITTED]
        if not made:
            return like(schema)
        return made[-1 if self.full else 0]

    def object(self, schema, depth):
        properties = schema.get("properties") or {}
        if not properties and not isinstance(schema.get("additionalProperties"), dict):
            told = like(schema)
            return told if told is not OMITTED or depth else {}
        required = schema.get("required", [])
        made = {name: self.make(it, depth + 1) for name, it in properties.items() if self.full or name in required}
        if not properties:
            made = {"key": self.make(schema["additionalProperties"], depth + 1)}
        if any(made.get(name) is OMITTED for name in required):
            return OMITTED
        return {name: value for name, value in made.items() if value is not OMITTED}

    def array(self, schema, depth):
        first = [self.make(it, depth + 1) for it in schema.get("prefixItems", [])]
        least = max(schema.get("minItems", 0), 1 if self.full or depth == 1 else 0) - len(first)
        rest = [self.make(schema.get("items"), depth + 1) for _ in range(least)]
        if OMITTED in first + rest:
            told = like(schema)
            return told if told is not OMITTED else [] if not schema.get("minItems") else OMITTED
        return first + rest

    def string(self, schema, _):
        if schema.get("examples"):
            return schema["examples"][0]
        if schema.get("format") in FORMATS:
            return FORMATS[schema["format"]]
        told = like(schema)
        if told is not OMITTED:
            return told if isinstance(told, str) else json.dumps(told)
        return "word".ljust(schema.get("minLength", 0), "x")

    def number(self, schema, _):
        if "minimum" in schema:
            return schema["minimum"]
        low = schema.get("exclusiveMinimum")
        return 1 if low is None or isinstance(low, bool) else low + 1

    def resolved(self, schema):
        if isinstance(schema, dict) and "$ref" in schema:
            return self.at(schema["$ref"])
        return schema

    def at(self, reference):
        found = self.root
        for part in reference.removeprefix("#").split("/")[1:]:
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return found


def like(schema):
    """The example in its description."""
    found = LIKE.search(schema.get("description") or "")
    return json.loads(found[1]) if found else OMITTED
