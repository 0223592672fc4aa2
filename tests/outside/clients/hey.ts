// A client from @hey-api/openapi-ts: a function for each tool.
import assert from "node:assert/strict";
import { add } from "./demo";
import { client as demo } from "./demo/client.gen";
import { echo, getStructuredContent } from "./everything";
import { client as everything } from "./everything/client.gen";
import { everythingGetSum } from "./all";
import { client as all } from "./all/client.gen";
import { listServers } from "./own";
import { client as own } from "./own/client.gen";

async function main(baseUrl: string) {
  // The documents name the service themselves; this is where they were loaded from.
  for (const client of [demo, everything, all, own]) assert.ok(client.getConfig().baseUrl?.startsWith(baseUrl));

  const added = await add({ body: { a: 1, b: 2.5 } });
  const sum: number | undefined = added.data?.structuredContent?.sum;
  assert.equal(sum, 3.5);

  // @ts-expect-error a text is wanted
  const refused = await echo({ body: { message: 1 } });
  assert.equal(refused.error?.code, "invalid_arguments");

  const weather = await getStructuredContent({ body: { location: "Chicago" } });
  const conditions: string | undefined = weather.data?.structuredContent?.conditions;
  assert.equal(typeof conditions, "string");

  const summed = await everythingGetSum({ body: { a: 1, b: 2 } });
  assert.equal(summed.data?.content?.[0]?.text, "The sum of 1 and 2 is 3.");

  const listed = await listServers();
  assert.equal(listed.data?.servers.at(-1)?.name, "demo");
  console.log("@hey-api/openapi-ts: 5 calls");
}

main(process.argv[2]);
