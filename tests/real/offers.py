"""What py_v1.py and py_v2.py offer beside tools: resources, a template, prompts, and completion. The TypeScript servers offer the same."""

LANGUAGES = ("dutch", "english", "french")


def register_offers(server, completion):
    """Registers all of it with the server of either SDK. `completion` is the SDK's class for what a value may be completed to."""

    @server.resource("test://notes.md", name="notes", title="Notes", mime_type="text/markdown")
    def notes() -> str:
        return "# Grüße\n"

    @server.resource("test://pixel.png", name="pixel", mime_type="image/png")
    def pixel() -> bytes:
        return b"\x89PNG\r\n\x1a\n"

    @server.resource("test://greetings/{language}", name="greeting", mime_type="text/plain")
    def greeting(language: str) -> str:
        return f"A greeting in {language}"

    @server.prompt()
    def hello() -> str:
        """Says hello"""
        return "Hello!"

    @server.prompt(name="greet", title="Greet")
    def greet(name: str, language: str) -> str:
        return f"Greet {name} in {language}."

    @server.completion()
    async def complete(ref, argument, context):
        """Languages, for the prompt and for the template."""
        return completion(values=[language for language in LANGUAGES if language.startswith(argument.value)])
