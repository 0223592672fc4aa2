"""A client from openapi-python-client: a module for each tool, with a class for its arguments and one for its result."""

import sys

from all_client import Client as AllClient
from all_client.api.everything import everything_get_sum
from all_client.models import EverythingGetSumArguments
from demo_client import Client as DemoClient
from demo_client.api.demo import add
from demo_client.models import AddArguments, AddResult
from everything_client import Client as EverythingClient
from everything_client.api.everything import echo, get_structured_content
from everything_client.models import EchoArguments, GetStructuredContentArguments, Problem
from everything_client.models import GetStructuredContentArgumentsLocation as Location
from own_client import Client as OwnClient
from own_client.api.servers import list_servers

base = sys.argv[1]

added = add.sync(client=DemoClient(base_url=f"{base}/api/mcp/demo"), body=AddArguments(a=1, b=2.5))
assert isinstance(added, AddResult), added
assert added.structured_content.sum_ == 3.5, added

refused = echo.sync(client=EverythingClient(base_url=f"{base}/api/mcp/everything"), body=EchoArguments(message=1))
assert isinstance(refused, Problem) and refused.code == "invalid_arguments", refused

weather = get_structured_content.sync(
    client=EverythingClient(base_url=f"{base}/api/mcp/everything"),
    body=GetStructuredContentArguments(location=Location.CHICAGO),
)
assert isinstance(weather.structured_content.conditions, str), weather

summed = everything_get_sum.sync(client=AllClient(base_url=f"{base}/api"), body=EverythingGetSumArguments(a=1, b=2))
assert summed.content[0].text == "The sum of 1 and 2 is 3.", summed

listed = list_servers.sync(client=OwnClient(base_url=base))
assert listed.servers[-1].name == "demo", listed
print("openapi-python-client: 5 calls")
