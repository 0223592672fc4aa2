// A stand-in for the APIs of models, as strict about requests as they are: names, JSON Schema, roles, and ids in pairs. What it checks
// is what they document, or answer with 400 to. The model in it is a script: it wants one tool after the other called at once, and then
// repeats what they said.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import Ajv2020 from "ajv/dist/2020.js";

/** The calls that the model wants: which tool, found by its name, and its arguments. */
const WANTED = [
  [/^everything__echo$/, { message: "Grüße" }],
  [/^everything__get-sum$/, { a: 20, b: 22 }],
  [/^everything__get-tiny-image$/, {}],
  [/^demo__fail$/, {}],
  // A server whose name has a space: its tools are found again by a hash.
  [/^python_1__add_[0-9a-f]{12}$/, { a: 1, b: 2 }],
];
/** A name that the model makes up. */
const UNKNOWN = "demo__ad";

const only = (object, ...members) => {
  for (const member of Object.keys(object)) {
    assert.ok(members.includes(member), `Unknown name "${member}": Cannot find field`);
  }
};
const base64 = (text) => assert.ok(Buffer.from(text, "base64").length > 0 && text.length % 4 === 0, "bad base64");
const wanted = (names) => {
  const calls = WANTED.map(([pattern, args]) => [names.find((name) => pattern.test(name)), args]);
  for (const [index, [name]] of calls.entries()) assert.ok(name, `no tool like ${WANTED[index][0]} in ${names}`);
  return [...calls, [UNKNOWN, {}]].map(([name, args], index) => ({ id: `call_${index}`, name, args }));
};
const unique = (names, pattern) => {
  assert.equal(new Set(names).size, names.length, "tool names must be unique");
  for (const name of names) assert.match(name, pattern);
};
const finally_ = (texts) => `They said: ${texts.join(" | ")}`;

// === JSON Schema ===

const ajv = new Ajv2020({ strict: false, validateFormats: false });

/** Every schema in a JSON Schema. */
function* schemas(schema) {
  if (typeof schema !== "object" || schema === null) return;
  yield schema;
  for (const [keyword, value] of Object.entries(schema)) {
    if (["properties", "patternProperties", "dependentSchemas", "$defs"].includes(keyword)) {
      for (const inner of Object.values(value)) yield* schemas(inner);
    } else if (["anyOf", "oneOf", "allOf", "prefixItems"].includes(keyword)) {
      for (const inner of value) yield* schemas(inner);
    } else if (["items", "not", "if", "then", "else", "contains", "additionalProperties", "propertyNames"].includes(keyword)) {
      yield* schemas(value);
    }
  }
}

function jsonSchema(schema) {
  assert.ok(ajv.validateSchema(schema), `JSON schema is invalid: ${JSON.stringify(ajv.errors)}`);
  assert.equal(schema.type, "object", "schema must be a JSON Schema of 'type: \"object\"'");
  assert.equal(typeof schema.properties, "object", "object schema missing properties");
  for (const keyword of ["oneOf", "anyOf", "allOf", "enum", "not"]) {
    assert.ok(!(keyword in schema), `'${keyword}' at the top level`);
  }
  for (const inner of schemas(schema)) {
    assert.ok(!("$ref" in inner), "$ref");
    if ([inner.type].flat().includes("array")) assert.ok("items" in inner, "array schema missing items");
  }
}

const GEMINI_FIELDS =
  "type format title description nullable enum items maxItems minItems properties required minProperties maxProperties minimum maximum minLength maxLength pattern example anyOf propertyOrdering default";

function geminiSchema(schema) {
  only(schema, ...GEMINI_FIELDS.split(" "));
  if (schema.anyOf) {
    only(schema, "anyOf", "nullable");
    return schema.anyOf.forEach(geminiSchema);
  }
  const types = ["STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];
  assert.ok(types.includes(schema.type), `type ${schema.type}`);
  if (schema.enum) {
    assert.equal(schema.type, "STRING", "enum: only allowed for STRING type");
    assert.ok(schema.enum.length > 0 && schema.enum.every((value) => typeof value === "string" && value !== ""));
  }
  const formats = { STRING: ["enum", "date-time"], NUMBER: ["float", "double"], INTEGER: ["int32", "int64"] };
  if (schema.format) assert.ok(formats[schema.type]?.includes(schema.format), `format ${schema.format}`);
  if (schema.type === "ARRAY") geminiSchema(schema.items);
  if (schema.properties) {
    assert.equal(schema.type, "OBJECT");
    assert.notEqual(Object.keys(schema.properties).length, 0, "properties: should be non-empty for OBJECT type");
    Object.values(schema.properties).forEach(geminiSchema);
  }
  for (const name of schema.required ?? []) assert.ok(schema.properties?.[name], "required: property is not defined");
}

/** What Ollama's server decodes a property into. */
function ollamaProperty(schema) {
  only(schema, "type", "description", "enum", "items", "properties", "required", "anyOf");
  if (schema.type) assert.ok([schema.type].flat().every((type) => typeof type === "string"));
  for (const inner of Object.values(schema.properties ?? {})) ollamaProperty(inner);
  for (const inner of schema.anyOf ?? []) ollamaProperty(inner);
}

// === the APIs ===

/** Every id in `made` is in `answered` once, and no other. */
const paired = (made, answered) => assert.deepEqual([...answered].sort(), [...made].sort(), "tool calls and answers must pair");

const APIS = {
  "/v1/chat/completions"({ tools, messages }) {
    assert.ok(tools.length <= 128);
    unique(tools.map((tool) => tool.function.name), /^[a-zA-Z0-9_-]{1,64}$/);
    for (const tool of tools) {
      only(tool, "type", "function");
      assert.equal(tool.type, "function");
      only(tool.function, "name", "description", "parameters", "strict");
      assert.ok(tool.function.description.length <= 1024, "string too long");
      jsonSchema(tool.function.parameters);
    }
    let open = [];
    const texts = [];
    for (const message of messages) {
      if (message.role !== "tool") {
        assert.deepEqual(open, [], "tool_call_ids did not have response messages");
        open = (message.tool_calls ?? []).map((call) => call.id);
        continue;
      }
      only(message, "role", "tool_call_id", "content");
      assert.ok(open.includes(message.tool_call_id), "must be a response to a preceding message with 'tool_calls'");
      open = open.filter((id) => id !== message.tool_call_id);
      assert.equal(typeof message.content, "string");
      texts.push(message.content);
    }
    assert.deepEqual(open, []);
    const calls = wanted(tools.map((tool) => tool.function.name)).map(({ id, name, args }) => ({
      id,
      type: "function",
      function: { name, arguments: JSON.stringify(args) },
    }));
    const message = texts.length
      ? { role: "assistant", content: finally_(texts), refusal: null }
      : { role: "assistant", content: null, refusal: null, tool_calls: calls };
    const finish_reason = texts.length ? "stop" : "tool_calls";
    return { id: "c", object: "chat.completion", created: 1, model: "m", choices: [{ index: 0, message, finish_reason, logprobs: null }] };
  },

  "/v1/responses"({ tools, input }) {
    unique(tools.map((tool) => tool.name), /^[a-zA-Z0-9_-]{1,64}$/);
    for (const tool of tools) {
      only(tool, "type", "name", "description", "parameters", "strict");
      assert.equal(tool.type, "function");
      // Strict schemas have rules that these do not keep.
      assert.equal(tool.strict, false);
      jsonSchema(tool.parameters);
    }
    const items = typeof input === "string" ? [] : input;
    const outputs = items.filter((item) => item.type === "function_call_output");
    const made = items.filter((item) => item.type === "function_call");
    paired(made.map((item) => item.call_id), outputs.map((item) => item.call_id));
    const texts = outputs.map((item) => {
      only(item, "type", "call_id", "output");
      if (typeof item.output === "string") return item.output;
      return item.output.map((part) => {
        if (part.type === "input_text") return part.text;
        only(part, "type", "image_url");
        assert.equal(part.type, "input_image");
        const [, data] = part.image_url.match(/^data:image\/(?:png|jpeg|gif|webp);base64,(.+)$/);
        base64(data);
        return "<image>";
      }).join(" ");
    });
    const calls = wanted(tools.map((tool) => tool.name)).map(({ id, name, args }) => ({
      type: "function_call", id: `fc_${id}`, call_id: id, name, arguments: JSON.stringify(args), status: "completed",
    }));
    const text = { type: "output_text", text: finally_(texts), annotations: [], logprobs: [] };
    const message = { type: "message", id: "msg", role: "assistant", status: "completed", content: [text] };
    return {
      id: "r", object: "response", created_at: 1, model: "m", status: "completed", error: null, incomplete_details: null, instructions: null,
      metadata: {}, parallel_tool_calls: true, temperature: 1, top_p: 1, tool_choice: "auto", tools: [],
      output: texts.length ? [message] : calls,
    };
  },

  "/v1/messages"({ tools, messages }) {
    unique(tools.map((tool) => tool.name), /^[a-zA-Z0-9_-]{1,64}$/);
    for (const tool of tools) {
      only(tool, "name", "description", "input_schema");
      jsonSchema(tool.input_schema);
      for (const key of Object.keys(tool.input_schema.properties)) assert.match(key, /^[a-zA-Z0-9_.-]{1,64}$/);
    }
    const texts = [];
    let open = [];
    for (const [index, message] of messages.entries()) {
      assert.equal(message.role, index % 2 ? "assistant" : "user", "roles must alternate");
      const blocks = typeof message.content === "string" ? [] : message.content;
      const results = blocks.filter((block) => block.type === "tool_result");
      paired(open, results.map((result) => result.tool_use_id));
      open = blocks.filter((block) => block.type === "tool_use").map((block) => block.id);
      for (const result of results) {
        only(result, "type", "tool_use_id", "content", "is_error");
        const said = result.content.map((block) => {
          if (block.type === "text") {
            assert.notEqual(block.text.trim(), "", "text content blocks must be non-empty");
            return block.text;
          }
          only(block, "type", "source");
          only(block.source, "type", "media_type", "data");
          assert.match(block.source.media_type, /^image\/(png|jpeg|gif|webp)$/);
          base64(block.source.data);
          return "<image>";
        });
        texts.push((result.is_error ? "Error: " : "") + said.join(" "));
      }
    }
    assert.deepEqual(open, []);
    const calls = wanted(tools.map((tool) => tool.name));
    const uses = calls.map(({ id, name, args }) => ({ type: "tool_use", id, name, input: args }));
    const content = texts.length
      ? [{ type: "text", text: finally_(texts), citations: null }]
      : [{ type: "text", text: "Let me see.", citations: null }, ...uses];
    const usage = { input_tokens: 1, output_tokens: 1 };
    return { id: "msg", type: "message", role: "assistant", model: "m", content, stop_reason: texts.length ? "end_turn" : "tool_use", stop_sequence: null, usage };
  },

  "/v1/models/m:generateContent"({ tools, contents }) {
    const declared = tools.flatMap((tool) => tool.functionDeclarations);
    unique(declared.map((it) => it.name), /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/);
    for (const declaration of declared) {
      only(declaration, "name", "description", "parameters");
      assert.ok(declaration.description);
      if (!declaration.parameters) continue;
      geminiSchema(declaration.parameters);
      assert.equal(declaration.parameters.type, "OBJECT");
      for (const key of Object.keys(declaration.parameters.properties)) assert.match(key, /^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/);
    }
    const texts = [];
    let open = [];
    for (const content of contents) {
      only(content, "role", "parts");
      const answers = content.parts.filter((part) => part.functionResponse).map((part) => part.functionResponse);
      assert.equal(answers.length, open.length, "the number of function response parts must be equal to the number of function call parts");
      assert.deepEqual(answers.map((it) => it.name), open);
      open = content.parts.filter((part) => part.functionCall).map((part) => part.functionCall.name);
      for (const answer of answers) {
        assert.equal(content.role, "user");
        only(answer, "id", "name", "response", "parts");
        only(answer.response, "output", "error");
        // The API reads either notation; the library for Python writes the other one here.
        for (const part of answer.parts ?? []) {
          const { data, mimeType, mime_type } = part.inlineData ?? part.inline_data;
          assert.match(mimeType ?? mime_type, /^image\/(png|jpeg|webp)$/);
          base64(data);
        }
        const said = answer.response.output ?? `Error: ${answer.response.error}`;
        texts.push(answer.parts ? `${said} <image>` : said);
      }
    }
    assert.deepEqual(open, []);
    const calls = wanted(declared.map((it) => it.name)).map(({ name, args }) => ({ functionCall: { name, args } }));
    const parts = texts.length ? [{ text: finally_(texts) }] : calls;
    return { candidates: [{ index: 0, content: { role: "model", parts }, finishReason: "STOP" }], modelVersion: "m" };
  },

  "/api/chat"({ tools, messages }) {
    for (const tool of tools) {
      only(tool, "type", "function");
      only(tool.function, "name", "description", "parameters");
      const { parameters } = tool.function;
      only(parameters, "type", "properties", "required", "description");
      assert.equal(parameters.type, "object");
      Object.values(parameters.properties).forEach(ollamaProperty);
    }
    const names = tools.map((tool) => tool.function.name);
    unique(names, /^[a-zA-Z0-9_-]{1,64}$/);
    const texts = [];
    let open = [];
    for (const message of messages) {
      if (message.role === "tool") {
        only(message, "role", "content", "tool_name");
        assert.equal(message.tool_name, open.shift(), "answers in the order of the calls");
        assert.equal(typeof message.content, "string");
        texts.push(message.content);
      }
      open.push(...(message.tool_calls ?? []).map((call) => call.function.name));
    }
    assert.deepEqual(open, []);
    const calls = wanted(names).map(({ name, args }) => ({ function: { name, arguments: args } }));
    const message = texts.length
      ? { role: "assistant", content: finally_(texts) }
      : { role: "assistant", content: "", tool_calls: calls };
    return { model: "m", created_at: "2026-01-01T00:00:00Z", message, done: true, done_reason: "stop" };
  },
};

/** Starts it; gives its URL. A request that a real API would refuse is answered with 400 and the reason. */
export async function start() {
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const path = new URL(request.url, "http://x").pathname.replace("/v1beta/models/", "/v1/models/");
    let status = 200;
    let answer;
    try {
      const api = APIS[path];
      assert.ok(api && request.method === "POST", `no such route: ${request.method} ${path}`);
      answer = api(JSON.parse(Buffer.concat(chunks).toString()));
    } catch (error) {
      status = 400;
      answer = { type: "error", error: { code: 400, type: "invalid_request_error", status: "INVALID_ARGUMENT", message: `${path}: ${error.message}` } };
    }
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(answer));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
