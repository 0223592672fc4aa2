"""google-adk: `OpenAPIToolset`, whose tools an agent gives to Gemini, and `RestApiTool`, which calls them."""

import httpx
from google.adk.tools.openapi_tool import OpenAPIToolset

from tools import Tool


async def tools(base, server, document, running):
    text = httpx.get(document).text
    toolset = OpenAPIToolset(spec_str=text, spec_str_type="json", allow_private_network_access=True)

    def tool(it):
        # The names that it gives to arguments, which are in snake case, and those of the document.
        names = {parameter.py_name: parameter.original_name for parameter in it._operation_parser.get_parameters()}
        renamed = {original: name for name, original in names.items()}

        async def call(arguments):
            arguments = {renamed.get(name, name): value for name, value in arguments.items()}
            answer = await it.call(args=arguments, tool_context=None)
            if isinstance(answer, dict) and str(answer.get("error", "")).startswith("Tool "):
                raise ValueError(answer["error"])
            return answer

        def sent(arguments):
            return {names.get(name, name): value for name, value in arguments.items()}

        declaration = it._get_declaration()
        assert declaration.name == it.name
        return Tool(it.name, it.description, it._operation_parser.get_json_schema(), call, sent=sent)

    return [tool(it) for it in await toolset.get_tools()]
