// TypeScript SDK 1 over Streamable HTTP: sessions and SSE unless told otherwise.
//   ts_v1.mjs [--stateless] [--json] [--polling] [--page-size N] [--port N]
import { randomUUID } from 'node:crypto';
import { json } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js';
import { completable } from '@modelcontextprotocol/sdk/server/completable.js';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { registerOffers } from './offers.mjs';
import { sendJson, serve } from './serve.mjs';
import { paginate, registerTools } from './tools.mjs';

const { values: flags } = parseArgs({
    options: {
        port: { type: 'string', default: '0' },
        stateless: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        polling: { type: 'boolean', default: false },
        'page-size': { type: 'string' },
    },
});

function newServer() {
    const server = new McpServer({ name: 'ts_v1', version: '1.0.0' });
    registerTools(server);
    registerOffers(server, { ResourceTemplate, completable }, (members) => members);
    if (!flags.stateless) {
        registerCount(server);
        registerAsk(server);
        registerWait(server);
        registerPoll(server);
    }
    if (flags['page-size']) paginate(server, Number(flags['page-size']));
    return server;
}

/** Counts the calls of one session: there is one server object for each. */
function registerCount(server) {
    let calls = 0;
    server.registerTool('count', { description: 'How often this session has called it' }, async () => {
        calls += 1;
        return { content: [{ type: 'text', text: String(calls) }] };
    });
}

/** Asks its client, on the stream of the call or on that of the session. */
function registerAsk(server) {
    const inputSchema = { what: z.string(), beside: z.boolean().default(false) };
    server.registerTool('ask', { description: 'Asks its client', inputSchema }, async ({ what, beside }, extra) => {
        const request = what === 'ping' ? { method: 'ping' } : { method: 'roots/list' };
        if (beside) await server.server.request(request, z.object({}).passthrough());
        else await extra.sendRequest(request, z.object({}).passthrough());
        return { content: [{ type: 'text', text: 'answered' }] };
    });
}

let cancelled = 0;

function registerWait(server) {
    server.registerTool('wait', { description: 'Waits until it is cancelled' }, async (extra) => {
        await new Promise((resolve) => extra.signal.addEventListener('abort', resolve));
        cancelled += 1;
        return { content: [] };
    });
}

/** Ends the stream of the call, and answers on the next one. */
function registerPoll(server) {
    server.registerTool('poll', { description: 'Ends the stream before it answers' }, async (extra) => {
        extra.closeSSEStream?.();
        return { content: [{ type: 'text', text: extra.closeSSEStream ? 'polled' : 'not polled' }] };
    });
}

/** The SDK's example sorts events by time and then by chance: of two in one millisecond it may lose the answer. */
class EventStore extends InMemoryEventStore {
    generateEventId(streamId) {
        return `${streamId}_${String(this.events.size).padStart(9, '0')}`;
    }
}

async function handleStateless(request, response) {
    const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: undefined,
        enableJsonResponse: flags.json,
    });
    const server = newServer();
    response.on('close', () => server.close());
    await server.connect(transport);
    await transport.handleRequest(request, response);
}

const sessions = new Map();
let opened = 0;

// The router that the SDK's own examples show.
async function handleStateful(request, response) {
    const known = sessions.get(request.headers['mcp-session-id']);
    if (known) return known.handleRequest(request, response);

    const body = request.method === 'POST' ? await json(request).catch(() => undefined) : undefined;
    if (!request.headers['mcp-session-id'] && isInitializeRequest(body)) {
        const transport = await openSession();
        return transport.handleRequest(request, response, body);
    }
    sendJson(response, 400, {
        jsonrpc: '2.0',
        error: { code: -32000, message: 'Bad Request: No valid session ID provided' },
        id: null,
    });
}

async function openSession() {
    const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        enableJsonResponse: flags.json,
        ...(flags.polling && { eventStore: new EventStore(), retryInterval: 50 }),
        onsessioninitialized: (id) => {
            sessions.set(id, transport);
            opened += 1;
        },
    });
    transport.onclose = () => sessions.delete(transport.sessionId);
    await newServer().connect(transport);
    return transport;
}

serve(Number(flags.port), flags.stateless ? handleStateless : handleStateful, () => ({ live: sessions.size, opened, cancelled }));
