// Calls with the client that orval has made of the tools of server-everything.
import assert from "node:assert/strict";
import { echo, getStructuredContent, getSum } from "./client.js";

const summed = await getSum({ a: 1, b: 2 });
assert.equal(summed.status, 200);
if (summed.status === 200) assert.equal(summed.data.content?.[0]?.text, "The sum of 1 and 2 is 3.");
const weather = await getStructuredContent({ location: "Chicago" });
if (weather.status === 200) assert.equal(typeof weather.data.structuredContent?.conditions, "string");
// @ts-expect-error a text is wanted
const refused = await echo({ message: 1 });
assert.equal(refused.status, 422);
console.log("orval: 3 calls");
