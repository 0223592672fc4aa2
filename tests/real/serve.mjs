// What every TypeScript server here shares: where it listens, how it says so, when it ends. Nothing of MCP.
import { createServer } from 'node:http';

/** Serves `mcp` (a node request handler) at /mcp, and at /sessions what `sessions()` returns: {live, opened}. */
export function serve(port, mcp, sessions = () => ({ live: 0, opened: 0 })) {
    const server = createServer((request, response) => {
        if (request.url === '/mcp') return mcp(request, response);
        if (request.url === '/sessions') return sendJson(response, 200, sessions());
        sendJson(response, 404, { error: 'not found' });
    });
    server.listen(port, '127.0.0.1', () => announce(server, '/mcp'));
    endWithStdin();
}

/** The one line on stdout: connections are accepted from here on. */
export function announce(server, path) {
    process.stdout.write(`listening http://127.0.0.1:${server.address().port}${path}\n`);
}

/** A test run that dies closes our stdin, so no server outlives it. */
export function endWithStdin() {
    process.stdin.resume().on('close', () => process.exit(0));
}

export function sendJson(response, status, body) {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
