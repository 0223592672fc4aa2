// A client from openapi-typescript and openapi-fetch: arguments and results are typed, and calls are made.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths as Demo } from "./demo.js";
import type { paths as Everything } from "./everything.js";
import type { paths as All } from "./all.js";
import type { paths as Own } from "./own.js";

const baseUrl = process.argv[2];
// Of the forms that a result can be had in, this one.
const demo = createClient<Demo, "application/json">({ baseUrl });

const added = await demo.POST("/api/mcp/demo/tools/add/execute", { body: { a: 1, b: 2.5 } });
const sum: number | undefined = added.data?.structuredContent?.sum;
assert.equal(sum, 3.5);

const everything = createClient<Everything, "application/json">({ baseUrl });
const weather = await everything.POST("/api/mcp/everything/tools/get-structured-content/execute", {
  body: { location: "Chicago" },
});
const conditions: string | undefined = weather.data?.structuredContent?.conditions;
assert.equal(typeof conditions, "string");

// @ts-expect-error a text is wanted
const refused = await everything.POST("/api/mcp/everything/tools/echo/execute", { body: { message: 1 } });
assert.equal(refused.response.status, 422);

const all = createClient<All, "application/json">({ baseUrl });
const summed = await all.POST("/api/mcp/everything/tools/get-sum/execute", { body: { a: 1, b: 2 } });
assert.equal(summed.data?.content?.[0]?.text, "The sum of 1 and 2 is 3.");

const own = createClient<Own, "application/json">({ baseUrl });
const executed = await own.POST("/api/mcp/{server}/tools/{tool}/execute", {
  params: { path: { server: "demo", tool: "echo" } },
  body: { message: "Grüße" },
});
assert.equal(executed.data?.content?.[0]?.text, "Grüße");
console.log("openapi-typescript and openapi-fetch: 5 calls");
