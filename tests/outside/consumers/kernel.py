"""semantic-kernel: `add_plugin_from_openapi`, and the functions of the plugin as it gives them to OpenAI."""

import json
import tempfile

import httpx
from prance import ResolvingParser
from prance.util.resolver import permissive_object_on_recursion
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.function_calling_utils import kernel_function_metadata_to_function_call_format
from semantic_kernel.connectors.openapi_plugin import OpenAPIFunctionExecutionParameters
from semantic_kernel.functions import KernelArguments

from tools import Tool


async def tools(base, server, document, running):
    text = httpx.get(document).content
    # Its parser refuses recursion; this is the parser it uses, with one of that parser's own answers to recursion. From a file, because
    # references of a document that came from a URL are left as they are.
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(text)
        file.flush()
        parsed = ResolvingParser(file.name, recursion_limit_handler=permissive_object_on_recursion).specification
    kernel = Kernel()
    flat, whole = (kernel.add_plugin_from_openapi(name, openapi_parsed_spec=parsed, execution_settings=settings(base, name)) for name in ("flat", "whole"))

    def tool(name):
        # Its "dynamic payload" makes one flat list of the members of nested objects, and `{}` of maps: those take the payload as a whole.
        body = flat[name].metadata.additional_properties["operation"].request_body
        nested = any(it.type == "object" for it in (body.properties if body else []))
        function = (whole if nested else flat)[name]
        shown = kernel_function_metadata_to_function_call_format(function.metadata)["function"]
        schema = shown["parameters"]["properties"]["payload"] if nested else shown["parameters"]

        async def call(arguments):
            arguments = {"payload": json.dumps(arguments)} if nested else arguments
            result = await kernel.invoke(function, KernelArguments(**arguments))
            return json.loads(str(result.value))

        return Tool(name, shown["description"], schema, call)

    return [tool(name) for name in flat.functions]


def settings(base, name):
    # It calls https and public addresses only, unless it is told otherwise.
    return OpenAPIFunctionExecutionParameters(
        server_url_validation_allowed_base_urls=[base], timeout=30, enable_dynamic_payload=name == "flat"
    )
