// What ts_v1.mjs and ts_v2.mjs offer beside tools: resources, a template, prompts, and completion. The Python servers offer the same.
import { z } from 'zod';

const LANGUAGES = ['dutch', 'english', 'french'];
const fitting = (value) => LANGUAGES.filter((language) => language.startsWith(value ?? ''));

/** Registers all of it. `sdk` are the SDK's ResourceTemplate and completable, `shape` what it makes of an object's members. */
export function registerOffers(server, sdk, shape) {
    server.registerResource('notes', 'test://notes.md', { mimeType: 'text/markdown', title: 'Notes' }, (uri) => ({
        contents: [{ uri: uri.href, mimeType: 'text/markdown', text: '# Grüße\n' }],
    }));
    server.registerResource('pixel', 'test://pixel.png', { mimeType: 'image/png' }, (uri) => ({
        contents: [{ uri: uri.href, mimeType: 'image/png', blob: 'iVBORw0KGgo=' }],
    }));
    const template = new sdk.ResourceTemplate('test://greetings/{language}', {
        list: undefined,
        complete: { language: fitting },
    });
    server.registerResource('greeting', template, { mimeType: 'text/plain' }, (uri, { language }) => ({
        contents: [{ uri: uri.href, mimeType: 'text/plain', text: `A greeting in ${language}` }],
    }));
    const message = (text) => ({ messages: [{ role: 'user', content: { type: 'text', text } }] });
    server.registerPrompt('hello', { description: 'Says hello' }, () => message('Hello!'));
    const argsSchema = shape({ name: z.string(), language: sdk.completable(z.string(), fitting) });
    server.registerPrompt('greet', { title: 'Greet', argsSchema }, ({ name, language }) =>
        message(`Greet ${name} in ${language}.`),
    );
}
