"""loop.py SERVICE STAND_IN: the loops of loop.mjs with the libraries for Python. Prints what the model heard, one JSON line for each."""

import json
import sys
from urllib.request import Request, urlopen

import ollama
from anthropic import Anthropic
from google import genai
from google.genai import types
from openai import OpenAI

SERVICE, STAND_IN = sys.argv[1:]
KEY = "k"


def tools(format):
    with urlopen(f"{SERVICE}/api/tools?format={format}&limit=100") as response:
        return json.load(response)["tools"]


def call_tools(format, calls):
    body = json.dumps(calls).encode()
    request = Request(f"{SERVICE}/api/call-tools?format={format}", body, {"Content-Type": "application/json"})
    with urlopen(request) as response:
        return json.load(response)["messages"]


def chat():
    client = OpenAI(api_key=KEY, base_url=f"{STAND_IN}/v1", max_retries=0)
    messages = [{"role": "user", "content": "Go"}]
    listed = tools("openai")
    response = client.chat.completions.create(model="m", messages=messages, tools=listed)
    message = response.choices[0].message.model_dump(mode="json", exclude_none=True)
    messages += [message, *call_tools("openai", message)]
    response = client.chat.completions.create(model="m", messages=messages, tools=listed)
    return response.choices[0].message.content


def responses():
    client = OpenAI(api_key=KEY, base_url=f"{STAND_IN}/v1", max_retries=0)
    messages = [{"role": "user", "content": "Go"}]
    listed = tools("openai-responses")
    response = client.responses.create(model="m", input=messages, tools=listed)
    output = [item.model_dump(mode="json", exclude_none=True) for item in response.output]
    messages += [*output, *call_tools("openai-responses", output)]
    return client.responses.create(model="m", input=messages, tools=listed).output_text


def anthropic():
    client = Anthropic(api_key=KEY, base_url=STAND_IN, max_retries=0)
    messages = [{"role": "user", "content": "Go"}]
    listed = tools("anthropic")
    response = client.messages.create(model="m", max_tokens=100, messages=messages, tools=listed)
    messages.append({"role": "assistant", "content": response.content})
    messages += call_tools("anthropic", response.model_dump(mode="json"))
    response = client.messages.create(model="m", max_tokens=100, messages=messages, tools=listed)
    return response.content[0].text


def gemini():
    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=STAND_IN))
    contents = [types.Content(role="user", parts=[types.Part(text="Go")])]
    # The library refuses whatever its own types do not have.
    config = types.GenerateContentConfig(tools=tools("gemini"))
    response = client.models.generate_content(model="m", contents=contents, config=config)
    contents.append(response.candidates[0].content)
    contents += call_tools("gemini", response.model_dump(mode="json", exclude_none=True))
    return client.models.generate_content(model="m", contents=contents, config=config).text


def chat_of_ollama():
    client = ollama.Client(host=STAND_IN)
    messages = [{"role": "user", "content": "Go"}]
    listed = tools("ollama")
    response = client.chat(model="m", messages=messages, tools=listed)
    messages += [response.message, *call_tools("ollama", response.model_dump(mode="json"))]
    return client.chat(model="m", messages=messages, tools=listed).message.content


for format, loop in {
    "openai": chat,
    "openai-responses": responses,
    "anthropic": anthropic,
    "gemini": gemini,
    "ollama": chat_of_ollama,
}.items():
    print(json.dumps({"format": format, "text": loop()}))
