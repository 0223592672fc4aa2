// loop.mjs URL: with each library of a model API, in TypeScript's world and in Python's (loop.py): tools from the service at URL, a model that
// calls them (the stand-in), the calls made by the service, its messages appended, and the model's last word.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { start } from "./stand_in.mjs";

const service = process.argv[2];
const standIn = await start();

const answered = async (response) => {
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return body;
};
const tools = async (format) => {
  const listed = await answered(await fetch(`${service}/api/tools?format=${format}&limit=100`));
  assert.deepEqual(listed.failedServers, []);
  assert.equal(listed.count, listed.total);
  return listed.tools;
};
const callTools = async (format, calls) => {
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", headers, body: JSON.stringify(calls) };
  return (await answered(await fetch(`${service}/api/call-tools?format=${format}`, request))).messages;
};

/** What the model heard: texts, a sum, an image or its name, two errors, and a tool that is found by a hash. */
function heard(format, text) {
  const [, said] = text.match(/^They said: (.*)$/s);
  const [echo, sum, image, fail, hashed, unknown] = said.split(" | ");
  assert.match(echo, /Grüße/);
  assert.match(sum, /42/);
  assert.match(image, ["openai", "ollama"].includes(format) ? /\[image, image\/png, \d+ bytes: not shown\]/ : /<image>/);
  assert.match(fail, /^Error: .*fails/);
  assert.match(hashed, /3/);
  assert.match(unknown, /^Error: There is no tool 'demo__ad'\. Did you mean demo__add\?/);
  console.log(`${format}: heard`);
}

const apiKey = "k";
const loops = {
  async openai() {
    const client = new OpenAI({ apiKey, baseURL: `${standIn.url}/v1`, maxRetries: 0 });
    const request = { model: "m", messages: [{ role: "user", content: "Go" }], tools: await tools("openai") };
    const response = await client.chat.completions.create(request);
    request.messages.push(response.choices[0].message, ...(await callTools("openai", response)));
    return (await client.chat.completions.create(request)).choices[0].message.content;
  },
  async "openai-responses"() {
    const client = new OpenAI({ apiKey, baseURL: `${standIn.url}/v1`, maxRetries: 0 });
    const request = { model: "m", input: [{ role: "user", content: "Go" }], tools: await tools("openai-responses") };
    const response = await client.responses.create(request);
    request.input.push(...response.output, ...(await callTools("openai-responses", response)));
    return (await client.responses.create(request)).output_text;
  },
  async anthropic() {
    const client = new Anthropic({ apiKey, baseURL: standIn.url, maxRetries: 0 });
    const messages = [{ role: "user", content: "Go" }];
    const request = { model: "m", max_tokens: 100, messages, tools: await tools("anthropic") };
    const response = await client.messages.create(request);
    messages.push({ role: "assistant", content: response.content }, ...(await callTools("anthropic", response)));
    return (await client.messages.create(request)).content[0].text;
  },
  async gemini() {
    const ai = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: standIn.url } });
    const contents = [{ role: "user", parts: [{ text: "Go" }] }];
    const request = { model: "m", contents, config: { tools: await tools("gemini") } };
    const response = await ai.models.generateContent(request);
    contents.push(response.candidates[0].content, ...(await callTools("gemini", response)));
    return (await ai.models.generateContent(request)).text;
  },
  async ollama() {
    const ollama = new Ollama({ host: standIn.url });
    const request = { model: "m", messages: [{ role: "user", content: "Go" }], tools: await tools("ollama") };
    const response = await ollama.chat(request);
    request.messages.push(response.message, ...(await callTools("ollama", response)));
    return (await ollama.chat(request)).message.content;
  },
};

// The stand-in refuses what has not been made for its API.
const { tools: raw } = await answered(await fetch(`${service}/api/tools?limit=100`));
const asTheyAre = raw.map(({ server, name, tool: { description = name, inputSchema } }) => ({
  name: `${server}__${name}`, description, input_schema: inputSchema,
}));
const refused = await fetch(`${standIn.url}/v1/messages`, {
  method: "POST",
  body: JSON.stringify({ tools: asTheyAre, messages: [{ role: "user", content: "Go" }] }),
});
assert.equal(refused.status, 400);

for (const [format, loop] of Object.entries(loops)) heard(format, await loop());

const python = spawn(".venv/bin/python", ["loop.py", service, standIn.url], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] });
let said = "";
for await (const chunk of python.stdout) said += chunk;
for (const line of said.trim().split("\n")) {
  const { format, text } = JSON.parse(line);
  heard(format, text);
}
assert.equal(said.trim().split("\n").length, Object.keys(loops).length);
standIn.close();
