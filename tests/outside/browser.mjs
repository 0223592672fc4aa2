// node browser.mjs URL [KEY]: uses the pages of the service at URL, which has the servers `everything` and `demo`, as a person would;
// with KEY through Authorize, where the service wants keys. CHROMIUM names the browser.
import assert from "node:assert/strict";
import { authorize, choose, execute, launch, watch } from "./page.mjs";

const [base, key] = process.argv.slice(2);
const title = (page, start) => page.waitForFunction(
  (start) => document.querySelector(".info .title")?.innerText.startsWith(start), {}, start);
const json = async (answer) => {
  const { status, body } = await answer;
  assert.equal(status, "200", body);
  return JSON.parse(body);
};

const steps = {
  "a server's page runs a tool": async (page) => {
    await page.goto(`${base}/api/mcp/demo/docs`);
    if (key) await authorize(page, { key });
    await title(page, "mcp-rest demo");
    const added = await json(execute(page, "add", '{"a": 1, "b": 2.5}'));
    assert.equal(added.structuredContent.sum, 3.5);
  },
  "so does the page of a server with sessions, with the key as a bearer token": async (page) => {
    await page.goto(`${base}/api/mcp/everything/docs/`);
    if (key) await authorize(page, { bearer: key });
    const summed = await json(execute(page, "get-sum", '{"a": 1, "b": 2}'));
    assert.equal(summed.content[0].text, "The sum of 1 and 2 is 3.");
  },
  "one page switches between all documents": async (page) => {
    await page.goto(`${base}/swagger-ui/`);
    await title(page, "mcp-rest");
    if (key) await authorize(page, { key });
    const listed = await json(execute(page, "listServers"));
    assert.equal(listed.servers.at(-1).name, "demo");
    await choose(page, "demo");
    const echoed = await json(execute(page, "echo", '{"message": "Grüße"}'));
    assert.equal(echoed.content[0].text, "Grüße");
    await choose(page, "All servers");
    const summed = await json(execute(page, "everything_get-sum", '{"a": 3, "b": 4}'));
    assert.equal(summed.content[0].text, "The sum of 3 and 4 is 7.");
  },
  "a wrong key is refused and the right one then taken": key && (async (page) => {
    await page.goto(`${base}/api/mcp/demo/docs`);
    await title(page, "API key needed");
    await authorize(page, { key: "wrong" });
    await title(page, "API key needed");
    await page.reload();
    await authorize(page, { key });
    await title(page, "mcp-rest demo");
  }),
};

const browser = await launch();
try {
  for (const [name, step] of Object.entries(steps).filter(([, step]) => step)) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const complaints = watch(page);
    await step(page);
    assert.deepEqual(complaints, [], name);
    const kept = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]);
    assert.deepEqual(kept, [0, 0, ""], "a key is kept nowhere");
    await context.close();
    console.log(`ok: ${name}`);
  }
} finally {
  await browser.close();
}
