// Runs server-everything (TypeScript SDK 1, sessions, SSE with event ids) as published, but on a loopback port of our
// choice, and ending with its stdin: by itself it listens on every interface and never says which port 0 became.
//   everything.mjs streamableHttp|sse [--port N]
import http from 'node:http';
import { parseArgs } from 'node:util';
import { announce, endWithStdin, sendJson } from './serve.mjs';

const { values: flags, positionals } = parseArgs({
    allowPositionals: true,
    options: { port: { type: 'string', default: '0' } },
});
const path = { streamableHttp: '/mcp', sse: '/sse' }[positionals[0]];
if (!path) throw new Error('the first argument is streamableHttp or sse');

// It logs each session that it adds to its table or takes out of it.
const sessions = { live: 0, opened: 0 };
console.log = console.error = (...words) => {
    const line = words.join(' ');
    if (/^(Session initialized|Client Connected)/.test(line)) {
        sessions.opened += 1;
        sessions.live += 1;
    }
    if (/^(Transport closed|Client Disconnected)/.test(line)) sessions.live -= 1;
    process.stderr.write(`${line}\n`);
};

const listen = http.Server.prototype.listen;
http.Server.prototype.listen = function (_port, ...rest) {
    const [handleMcp] = this.listeners('request');
    this.removeAllListeners('request');
    this.on('request', (request, response) => {
        if (request.url === '/sessions') return sendJson(response, 200, sessions);
        handleMcp(request, response);
    });
    this.once('listening', () => announce(this, path));
    return listen.call(this, Number(flags.port), '127.0.0.1', ...rest);
};

endWithStdin();
// It reads the transport's name from the same place in the command line.
await import('@modelcontextprotocol/server-everything/dist/index.js');
