// node equal.mjs BASE SERVER MCP_URL [--modern]: everything the server at MCP_URL offers, as an official SDK's client gets it from the
// server itself, and as it comes through REST at BASE, where the server is called SERVER. Equal member for member, or exit 1.
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';

const { values: flags, positionals } = parseArgs({ allowPositionals: true, options: { modern: { type: 'boolean' } } });
const [base, server, url] = positionals;
const info = { name: 'equal', version: '1' };

/** Arguments for tools whose answer is the same each time. Others are listed, not called. */
const CALLS = {
    'echo': [{ message: 'Grüße 👋' }],
    'add': [{ a: 1, b: 2.5 }],
    'fail': [{}],
    'grüße': [{ name: '世界' }],
    'header_region': [{ region: 'eu' }],
    'get-annotated-message': [{ messageType: 'success', includeImage: true }],
    'get-resource-links': [{ count: 3 }],
    'get-structured-content': [{ location: 'Chicago' }],
    'get-sum': [{ a: 1, b: 2 }],
    'get-tiny-image': [{}],
};
/** Resources that say what time it is, and a prompt that holds one. */
const CHANGING = /resource\/dynamic|resource\/session|^resource-prompt$/;
const PROMPT_ARGUMENTS = { name: 'Ada', language: 'dutch', city: 'Paris', department: 'Sales', resourceType: 'Text', resourceId: '1' };

// === What the SDK's client gets ===

async function connected() {
    const sdk = flags.modern
        ? await import('@modelcontextprotocol/client')
        : {
              ...(await import('@modelcontextprotocol/sdk/client/index.js')),
              ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
          };
    const options = flags.modern ? { versionNegotiation: { mode: { pin: '2026-07-28' } } } : {};
    const client = new sdk.Client(info, options);
    const transport = new sdk.StreamableHTTPClientTransport(new URL(url));
    await client.connect(transport);
    // The client's own parsing drops and adds members; what it gets is what its transport hands it.
    const receive = transport.onmessage;
    transport.onmessage = (message, extra) => {
        if (message.result || message.error) received = message;
        receive(message, extra);
    };
    return client;
}

let received;

/** The result, raw, or the code of the error. */
async function direct(run) {
    received = undefined;
    try {
        await run();
    } catch (error) {
        if (!received) throw error;
    }
    return received.result ?? { code: received.error.code };
}

// === What REST gives ===

async function rest(path, body) {
    const init = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(`${base}/api/mcp/${encodeURIComponent(server)}/${path}`, init);
    const answer = await response.json();
    return response.ok ? answer : { code: answer.upstream?.jsonrpc?.code ?? answer };
}

async function rpc(method, params) {
    const answer = await rest('rpc', { jsonrpc: '2.0', id: 7, method, params });
    return answer.result ?? answer;
}

// === Both ===

let compared = 0;

function same(what, expected, found) {
    assert.deepEqual(found, expected, what);
    compared += 1;
    console.log(`equal: ${what}`);
}

const client = await connected();

/** All pages of a list, and each page by itself. */
async function list(what, method, path, member, list) {
    const items = [];
    let cursor;
    do {
        const params = cursor === undefined ? {} : { cursor };
        const page = await direct(() => list(params));
        if (page.code === -32601) return [];
        const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`;
        same(`${what}, a page`, page, await rest(path + query));
        same(`${what}, a page over rpc`, page, await rpc(method, params));
        items.push(...page[member]);
        cursor = page.nextCursor;
    } while (cursor !== undefined);
    const all = await rest(`${path}?all=true`);
    same(`${what}, ${items.length} of them`, items, all[member]);
    return items;
}

const segment = encodeURIComponent;
const ask = (method, params) => direct(() => client.request({ method, params }, ...(flags.modern ? [] : [anything])));
const anything = flags.modern ? undefined : (await import('zod')).z.looseObject({});

const tools = await list('tools', 'tools/list', 'tools', 'tools', (params) => ask('tools/list', params));
for (const { name } of tools) {
    for (const args of CALLS[name] ?? []) {
        // Which arguments go into headers as well, the client knows from the list.
        const expected = await direct(() => client.callTool({ name, arguments: args }));
        same(`tool ${name}`, expected, await rest(`tools/${segment(name)}/execute`, args));
        same(`tool ${name} over rpc`, expected, await rpc('tools/call', { name, arguments: args }));
    }
}

const resources = await list('resources', 'resources/list', 'resources', 'resources', (params) => ask('resources/list', params));
const templates = await list(
    'templates', 'resources/templates/list', 'resources/templates', 'resourceTemplates', (params) => ask('resources/templates/list', params));
const expanded = templates.map(({ uriTemplate }) => uriTemplate.replace(/\{[^}]*\}/g, (it) => (/anguage/.test(it) ? 'dutch' : '1')));
const nowhere = resources.length + templates.length > 0 ? ['test://nowhere'] : [];
for (const uri of [...resources.map((resource) => resource.uri), ...expanded, ...nowhere]) {
    if (CHANGING.test(uri)) continue;
    const expected = await ask('resources/read', { uri });
    same(`resource ${uri}`, expected, await rest(`resources/read?uri=${segment(uri)}`));
}

const prompts = await list('prompts', 'prompts/list', 'prompts', 'prompts', (params) => ask('prompts/list', params));
for (const { name, arguments: wanted = [] } of prompts) {
    const args = Object.fromEntries(wanted.map((argument) => [argument.name, PROMPT_ARGUMENTS[argument.name] ?? '1']));
    if (!CHANGING.test(name)) {
        const expected = await ask('prompts/get', { name, arguments: args });
        same(`prompt ${name}`, expected, await rest(`prompts/${segment(name)}/get`, args));
    }
    for (const argument of wanted) {
        const params = { ref: { type: 'ref/prompt', name }, argument: { name: argument.name, value: '' } };
        same(`completion of ${argument.name} of ${name}`, await ask('completion/complete', params), await rest('complete', params));
    }
}
for (const { uriTemplate } of templates) {
    for (const [, variable] of uriTemplate.matchAll(/\{([^}]*)\}/g)) {
        const params = { ref: { type: 'ref/resource', uri: uriTemplate }, argument: { name: variable, value: '' } };
        same(`completion of ${uriTemplate}`, await ask('completion/complete', params), await rest('complete', params));
    }
}

await client.transport.terminateSession?.();
await client.close();
console.log(`${compared} comparisons`);
process.exit(0);
