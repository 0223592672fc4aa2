"""generated.py URL: a call with the client that openapi-generator has made of the tools of server-everything."""

import sys

import everything
from everything.api.everything_api import EverythingApi

client = everything.ApiClient(everything.Configuration(host=sys.argv[1]))
api = EverythingApi(client)
summed = api.get_sum(everything.GetSumArguments(a=1, b=2))
assert summed.content[0].text == "The sum of 1 and 2 is 3.", summed
weather = api.get_structured_content(everything.GetStructuredContentArguments(location="Chicago"))
assert isinstance(weather.structured_content.conditions, str), weather
try:
    api.echo(everything.EchoArguments.model_construct(message=1))
except everything.ApiException as refused:
    assert refused.status == 422, refused
else:
    raise AssertionError("a number is no message")
print("openapi-generator: 3 calls")
