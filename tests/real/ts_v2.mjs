// TypeScript SDK 2 over HTTP, without sessions: `dual` speaks both eras, `modern` refuses legacy requests.
//   ts_v2.mjs dual|modern [--response auto|sse|json] [--page-size N] [--port N]
import { parseArgs } from 'node:util';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { completable, createMcpHandler, McpServer, ResourceTemplate } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { registerOffers } from './offers.mjs';
import { serve } from './serve.mjs';
import { paginate, registerHeaderRegion, registerTools } from './tools.mjs';

const { values: flags, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        port: { type: 'string', default: '0' },
        response: { type: 'string', default: 'auto' },
        'page-size': { type: 'string' },
    },
});
const legacy = { dual: 'stateless', modern: 'reject' }[positionals[0]];
if (!legacy) throw new Error('the first argument is dual or modern');

function newServer() {
    const server = new McpServer({ name: 'ts_v2', version: '1.0.0' });
    registerTools(server);
    registerOffers(server, { ResourceTemplate, completable }, z.object);
    registerHeaderRegion(server);
    if (flags['page-size']) paginate(server, Number(flags['page-size']));
    return server;
}

serve(Number(flags.port), toNodeHandler(createMcpHandler(newServer, { legacy, responseMode: flags.response })));
