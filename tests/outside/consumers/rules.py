"""rules.py DOCUMENT...: the published rules of products that import documents and cannot be run here.

- ChatGPT's actions: 300 characters for the summary or description of an operation that stand for it, 700 for a parameter's, an absolute
  URL of one server, ids that OpenAI takes as names of functions, at most 30 operations (more is told, it is the user's to choose from).
- Dify's custom tools: `servers` with a URL, for each operation a summary or description, an id, and `application/json` for a body;
  an operation's parameters have a name that no member of its body has.
- Gemini: 64 characters for a name, which begins with a letter or `_`; no `$schema` or `$id` within a schema."""

import json
import re
import sys
import urllib.request


def check(document):
    spec = json.load(urllib.request.urlopen(document))
    found = []
    [server] = spec["servers"]
    if not re.fullmatch(r"https?://[^/]+/.*[^/]", server["url"]):
        found.append(f"servers: {server['url']} is not absolute, or ends with a slash")
    ids = []
    for path, item in spec["paths"].items():
        if set(item) != {"post"}:
            found.append(f"{path}: has {set(item)}")
        operation = item["post"]
        ids.append(operation["operationId"])
        found += [f"{path}: {it}" for it in of_operation(operation)]
    if len(set(map(str.lower, ids))) < len(ids):
        found.append(f"ids that differ by nothing, or by case only: {ids}")
    found += [f"{where}: has {key}" for where, key in keywords(spec.get("components", {}), "#") if key in ("$schema", "$id", "$defs")]
    print(f"{document}: {len(ids)} operations, {len(found)} findings")
    for line in found:
        print(f"- {line}")
    return not found


def of_operation(operation):
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_-]{0,63}", operation["operationId"]):
        yield f"operationId {operation['operationId']}"
    said = operation.get("summary") or operation.get("description")
    if not said or len(said) > 300:
        yield f"neither summary nor description of at most 300 characters: {said}"
    if operation.get("parameters"):
        yield f"parameters {[it.get('name', it) for it in operation['parameters']]}"
    if not isinstance(operation.get("x-openai-isConsequential"), bool):
        yield "x-openai-isConsequential is missing"
    if "requestBody" in operation and list(operation["requestBody"]["content"]) != ["application/json"]:
        yield f"a body of {list(operation['requestBody']['content'])}"
    if "application/json" not in operation["responses"]["200"]["content"]:
        yield "no JSON in 200"


def keywords(node, where):
    if isinstance(node, list):
        for index, it in enumerate(node):
            yield from keywords(it, f"{where}/{index}")
    elif isinstance(node, dict):
        for key, it in node.items():
            if isinstance(it, str):
                yield where, key
            yield from keywords(it, f"{where}/{key}")


if __name__ == "__main__":
    sys.exit(0 if all([check(it) for it in sys.argv[1:]]) else 1)
