// A client from openapi-typescript and openapi-fetch: arguments and results are typed, and calls are made.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths as Demo } from "./demo.js";
import type { paths as Everything } from "./everything.js";
import type { paths as All } from "./all.js";
import type { paths as Own } from "./own.js";

const root = process.argv[2];
// Paths are relative to where a document is.
const demo = createClient<Demo>({ baseUrl: `${root}/api/mcp/demo` });

const added = await demo.POST("/tools/add/execute", { body: { a: 1, b: 2.5 } });
const sum: number | undefined = added.data?.structuredContent?.sum;
assert.equal(sum, 3.5);

const everything = createClient<Everything>({ baseUrl: `${root}/api/mcp/everything` });
const weather = await everything.POST("/tools/get-structured-content/execute", {
  body: { location: "Chicago" },
});
const conditions: string | undefined = weather.data?.structuredContent?.conditions;
assert.equal(typeof conditions, "string");

// @ts-expect-error a text is wanted
const refused = await everything.POST("/tools/echo/execute", { body: { message: 1 } });
assert.equal(refused.response.status, 422);

const all = createClient<All>({ baseUrl: `${root}/api` });
const summed = await all.POST("/mcp/everything/tools/get-sum/execute", { body: { a: 1, b: 2 } });
assert.equal(summed.data?.content?.[0]?.text, "The sum of 1 and 2 is 3.");

// Of the forms that a result can be had in, this one.
const own = createClient<Own, "application/json">({ baseUrl: root });
const executed = await own.POST("/api/mcp/{server}/tools/{tool}/execute", {
  params: { path: { server: "demo", tool: "echo" } },
  body: { message: "Grüße" },
});
assert.equal(executed.data?.content?.[0]?.text, "Grüße");
console.log("openapi-typescript and openapi-fetch: 5 calls");
