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

/** Makes every list come in pages of `size`. Neither SDK offers it, so the handlers they registered are wrapped. */
export function paginate(server, size) {
    const handlers = server.server._requestHandlers;
    const paged = { 'tools': 'tools', 'resources': 'resources', 'resources/templates': 'resourceTemplates', 'prompts': 'prompts' };
    for (const [kind, member] of Object.entries(paged)) {
        const listAll = handlers.get(`${kind}/list`);
        handlers.set(`${kind}/list`, async (request, context) => {
            const { [member]: items, ...rest } = await listAll(request, context);
            const start = Number(atob(request.params?.cursor ?? '')) || 0;
            const end = start + size;
            const page = { ...rest, [member]: items.slice(start, end) };
            return end < items.length ? { ...page, nextCursor: btoa(String(end)) } : page;
        });
    }
}
