// librechat.mjs DOCUMENT: LibreChat's own code for actions. Prints the functions that it makes of the document as one line of JSON; then calls
// one for each line {name, arguments} on stdin, and prints {answer} or {error}.
import { createInterface } from 'node:readline';
import { openapiToFunction, validateActionDomain, validateAndParseOpenAPISpec } from 'librechat-data-provider';

const say = (value) => console.log(JSON.stringify(value));
const text = await (await fetch(process.argv[2])).text();
const { status, message, spec, serverUrl } = validateAndParseOpenAPISpec(text);
if (!status || message !== 'OpenAPI spec is valid.') throw new Error(message);
const domain = validateActionDomain(new URL(serverUrl).origin, serverUrl);
if (!domain.isValid) throw new Error(domain.message);

const { functionSignatures, requestBuilders, zodSchemas } = openapiToFunction(spec, true);
say(functionSignatures.map((it) => ({ ...it.toObjectTool().function, components: spec.components })));

for await (const line of createInterface({ input: process.stdin })) {
    const { name, arguments: given } = JSON.parse(line);
    try {
        // What LangChain hands on of a model's arguments.
        const parsed = zodSchemas[name] ? zodSchemas[name].parse(given) : given;
        const executor = requestBuilders[name].setParams(parsed);
        const { data } = await executor.execute();
        say({ answer: data });
    } catch (error) {
        say({ error: `${error.message} ${JSON.stringify(error.response?.data ?? null)}` });
    }
}
