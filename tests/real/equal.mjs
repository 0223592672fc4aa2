// node equal.mjs BASE SERVER MCP_URL [--modern]: everything the server at MCP_URL offers, as an official SDK's client gets it from the
// server itself, and as it comes through REST at BASE, where the server is called SERVER: by its own route, and over `rpc`. Says of each
// answer whether the two are equal, member for member; exits with 1 if one is not. Wants the node that `install` brings.
import assert from 'node:assert/strict';
import { isDeepStrictEqual, parseArgs } from 'node:util';

const { values: flags, positionals } = parseArgs({ allowPositionals: true, options: { modern: { type: 'boolean' } } });
const [base, server, url] = positionals;

/** Each tool's arguments, or why it is not called. A tool that is missing here is a failure, so that none goes unnoticed. */
const CALLS = {
    'add': { a: 1, b: 2.5 },
    'ask': { what: 'ping', beside: true },
    'count': flags.modern ? 'without sessions, it may count for everybody' : {},
    'echo': { message: 'Grüße 👋' },
    'fail': {},
    'get-annotated-message': { messageType: 'success', includeImage: true },
    'get-env': 'a difference would print the environment',
    'get-resource-links': { count: 3 },
    'get-resource-reference': { resourceType: 'Blob', resourceId: 1 },
    'get-structured-content': { location: 'Chicago' },
    'get-sum': { a: 1, b: 2 },
    'get-tiny-image': {},
    'grüße': { name: '世界' },
    'gzip-file-as-resource': { name: 'hello.gz', data: 'data:text/plain,hello', outputType: 'resource' },
    'header_region': { region: 'eu' },
    'introduce': {},
    'poll': {},
    'simulate-research-query': { topic: 'tides' },
    'toggle-simulated-logging': 'its answer names the session',
    'toggle-subscriber-updates': 'its answer names the session',
    'trigger-long-running-operation': { duration: 0.1, steps: 2 },
    'wait': 'it waits until it is cancelled',
};
/** For the arguments of prompts and the variables of templates. */
const WORDS = { city: 'Paris', department: 'Sales', language: 'dutch', name: 'Eve', resourceId: '1', resourceType: 'Text', state: 'Texas' };
/** Their answers say what time it is, to the second. */
const DATED = /get-resource-reference|resource-prompt|resource\/dynamic/;

// === What the SDK's client gets ===

// Its own parsing drops members (`resultType`) and reorders others; what it gets is what its transport hands it.
let received;

async function connected() {
    const sdk = flags.modern
        ? await import('@modelcontextprotocol/client')
        : {
              ...(await import('@modelcontextprotocol/sdk/client/index.js')),
              ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
          };
    const options = flags.modern ? { versionNegotiation: { mode: { pin: '2026-07-28' } } } : {};
    const client = new sdk.Client({ name: 'equal', version: '1' }, options);
    const transport = new sdk.StreamableHTTPClientTransport(new URL(url));
    // Both SDKs keep a listener that is there before they connect.
    transport.onmessage = (message) => {
        if (message.result || message.error) received = structuredClone(message);
    };
    await client.connect(transport);
    return client;
}

const anything = flags.modern ? [] : [(await import('zod')).z.looseObject({})];

/** The result or the error, raw. */
async function ask(method, params) {
    received = undefined;
    try {
        // Which arguments go into headers as well, only callTool knows.
        await (method === 'tools/call' ? client.callTool(params) : client.request({ method, params }, ...anything));
    } catch (error) {
        if (!received) throw error;
    }
    return told(received);
}

function told({ result, error }) {
    // The service says `data: null` of an error without any.
    return result ? { result } : { error: { data: null, ...error } };
}

// === What REST gives ===

async function send(path, body) {
    const init = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(`${base}/api/mcp/${segment(server)}/${path}`, init);
    return { ok: response.ok, answer: await response.json() };
}

async function rest(path, body) {
    const { ok, answer } = await send(path, body);
    if (ok) return { result: answer };
    // A tool that asks back is a problem, too, which holds what is needed to answer it.
    if (answer.inputRequests) return { asks: answer.inputRequests };
    return { error: answer.upstream?.jsonrpc ?? answer };
}

async function rpc(method, params) {
    const { answer } = await send('rpc', { jsonrpc: '2.0', id: 7, method, params });
    return told(answer);
}

const segment = encodeURIComponent;

// === Both ===

const count = { equal: 0, different: 0 };

function same(what, expected, found) {
    try {
        assert.deepEqual(found, expected);
        count.equal += 1;
        console.log(`equal ${what}`);
    } catch (difference) {
        count.different += 1;
        console.log(`DIFFERENT ${what}: + through REST, - from the server\n${difference.message}`);
    }
}

/** One request in all three ways. Returns what the server itself said. */
async function compare(what, method, params, path, body, attempts = DATED.test(what) ? 3 : 1) {
    const expected = await ask(method, params);
    const plain = await rest(path, body);
    const wrapped = await rpc(method, params);
    // The second may have passed meanwhile.
    if (attempts > 1 && !(isDeepStrictEqual(plain, expected) && isDeepStrictEqual(wrapped, expected))) {
        return compare(what, method, params, path, body, attempts - 1);
    }
    // Sealed anew for each call.
    for (const { result } of [expected, wrapped]) delete result?.requestState;
    same(what, plain.asks ? { asks: expected.result?.inputRequests } : expected, plain);
    same(`${what} over rpc`, expected, wrapped);
    return expected;
}

/** All pages of a list, each by itself and all in one. */
async function list(method, path, member) {
    const items = [];
    let cursor;
    do {
        const query = cursor === undefined ? '' : `?cursor=${segment(cursor)}`;
        const { result } = await compare(`${method}, a page`, method, cursor === undefined ? {} : { cursor }, path + query);
        items.push(...result[member]);
        cursor = result.nextCursor;
    } while (cursor !== undefined);
    const all = await rest(`${path}?all=true`);
    same(`${method}, all ${items.length} items`, items, all.result?.[member]);
    return items;
}

/** Completes each of these names: from nothing, and from a first letter with the others known. */
async function complete(what, ref, names) {
    const words = wordsFor(names);
    for (const name of names) {
        const { [name]: word, ...others } = words;
        const first = { ref, argument: { name, value: '' } };
        const further = { ref, argument: { name, value: word[0] }, context: { arguments: others } };
        for (const params of [first, further]) {
            const label = `completion of '${params.argument.value}' for ${name} of ${what}`;
            await compare(label, 'completion/complete', params, 'complete', params);
        }
    }
}

const wordsFor = (names) => Object.fromEntries(names.map((name) => [name, WORDS[name] ?? '1']));
const variablesOf = (template) => [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);

const client = await connected();

const greeted = flags.modern ? await ask('server/discover', {}) : told(received);
const { answer: { sessionId, ...handshake } } = await send('initialize', {});
same('handshake', greeted, { result: handshake });
if (sessionId) await fetch(`${base}/api/mcp/${segment(server)}/session?sessionId=${segment(sessionId)}`, { method: 'DELETE' });

// All lists come first: a call may add to them.
const offers = greeted.result.capabilities;
const tools = offers.tools ? await list('tools/list', 'tools', 'tools') : [];
const resources = offers.resources ? await list('resources/list', 'resources', 'resources') : [];
const templates = offers.resources ? await list('resources/templates/list', 'resources/templates', 'resourceTemplates') : [];
const prompts = offers.prompts ? await list('prompts/list', 'prompts', 'prompts') : [];

for (const { name } of tools) {
    const args = CALLS[name] ?? assert.fail(`CALLS does not say how to call the tool ${name}`);
    if (typeof args === 'string') console.log(`not called: tool ${name}, ${args}`);
    else await compare(`tool ${name}`, 'tools/call', { name, arguments: args }, `tools/${segment(name)}/execute`, args);
}

const expand = ({ uriTemplate }) => uriTemplate.replace(/\{(\w+)\}/g, (_, name) => wordsFor([name])[name]);
const unknown = offers.resources ? ['test://nowhere'] : [];
for (const uri of [...resources.map((resource) => resource.uri), ...templates.map(expand), ...unknown]) {
    await compare(`resource ${uri}`, 'resources/read', { uri }, `resources/read?uri=${segment(uri)}`);
}
for (const { uriTemplate } of offers.completions ? templates : []) {
    await complete(uriTemplate, { type: 'ref/resource', uri: uriTemplate }, variablesOf(uriTemplate));
}

for (const { name, arguments: wanted = [] } of prompts) {
    const names = wanted.map((argument) => argument.name);
    const args = wordsFor(names);
    await compare(`prompt ${name}`, 'prompts/get', { name, arguments: args }, `prompts/${segment(name)}/get`, args);
    if (offers.completions) await complete(`prompt ${name}`, { type: 'ref/prompt', name }, names);
}

await client.transport.terminateSession?.();
await client.close();
console.log(`${count.equal} equal, ${count.different} different`);
process.exit(count.different > 0 ? 1 : 0);
