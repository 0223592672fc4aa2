// The tools of ts_v1.mjs and ts_v2.mjs; the Python servers offer the same ones.
import { z } from 'zod';

/** Registers the tools that every server has. `server` is the McpServer of either SDK. */
export function registerTools(server) {
    const text = (words) => ({ content: [{ type: 'text', text: words }] });

    server.registerTool(
        'echo',
        { description: 'Returns the message unchanged', inputSchema: z.object({ message: z.string() }) },
        async ({ message }) => text(message),
    );
    server.registerTool(
        'add',
        {
            description: 'Adds two numbers',
            inputSchema: z.object({ a: z.number(), b: z.number() }),
            outputSchema: z.object({ sum: z.number() }),
        },
        async ({ a, b }) => ({ ...text(String(a + b)), structuredContent: { sum: a + b } }),
    );
    server.registerTool('fail', { description: 'Always fails', inputSchema: z.object({}) }, async () => {
        throw new Error('it failed');
    });
    server.registerTool(
        'grüße',
        { description: 'Grüßt – 挨拶 👋', inputSchema: z.object({ name: z.string() }) },
        async ({ name }) => text(`Grüße, ${name}! 👋`),
    );
}

/** A tool whose argument `region` a modern client must repeat in the header Mcp-Param-Region. */
export function registerHeaderRegion(server) {
    const region = z.string().meta({ 'x-mcp-header': 'Region' });
    server.registerTool(
        'header_region',
        { description: 'Returns the region', inputSchema: z.object({ region }) },
        async ({ region }) => ({ content: [{ type: 'text', text: region }] }),
    );
}

/** Makes tools/list answer in pages of `size`. Neither SDK offers it, so the handler they registered is wrapped. */
export function paginate(server, size) {
    const handlers = server.server._requestHandlers;
    const listAll = handlers.get('tools/list');
    handlers.set('tools/list', async (request, context) => {
        const { tools, ...rest } = await listAll(request, context);
        const start = Number(atob(request.params?.cursor ?? '')) || 0;
        const end = start + size;
        const page = { ...rest, tools: tools.slice(start, end) };
        return end < tools.length ? { ...page, nextCursor: btoa(String(end)) } : page;
    });
}
