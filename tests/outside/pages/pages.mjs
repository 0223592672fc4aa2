// node pages.mjs URL [KEY]: what the pages of the service at URL look like and do, in headless Chromium. The service has the servers
// `everything`, `down` (which does not answer) and `demo`; with KEY, it wants keys and names a public address that leads nowhere. Accessibility is checked by axe-core, in both
// colour schemes and at two widths; heights and pictures are measured in the page.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { authorize, execute, launch, watch } from "../page.mjs";

const [base, key] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [[1280, 2400], [390, 4500]]; // and the most pixels that a page with one opened operation may be high
const shown = (page, selector) => page.waitForSelector(selector, { visible: true });
const textOf = (page, selector) => page.$eval(selector, (element) => element.innerText.trim());

async function opened(page, operation) {
  await page.waitForSelector(".opblock");
  const id = await page.$$eval(".opblock", (blocks, wanted) => blocks.find((block) => block.id.endsWith(`-${wanted}`))?.id, operation);
  assert.ok(id, operation);
  const block = await page.$(`[id="${id}"]`);
  if (!await block.evaluate((it) => it.classList.contains("is-open"))) await (await block.$(".opblock-summary-control")).click();
  await page.waitForSelector(`[id="${id}"] .responses-inner`);
  return block;
}

async function noSeriousFindings(page, where) {
  // Through the protocol, for the policy of the page forbids scripts of others.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 6).map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join("\n  ")}`);
  assert.equal(told.join("\n"), "", where);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${where} is not wider than the screen`);
}

// The colour in the middle of an element as it is on the screen, with how many colours there are in all.
async function colours(page, element) {
  const picture = await element.screenshot({ encoding: "base64" });
  return page.evaluate(async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data: bytes } = context.getImageData(0, 0, canvas.width, canvas.height);
    const all = new Set();
    for (let at = 0; at < bytes.length; at += 4) all.add(bytes.slice(at, at + 3).join(","));
    const middle = 4 * (Math.floor(canvas.height / 2) * canvas.width + Math.floor(canvas.width / 2));
    return { middle: [...bytes.slice(middle, middle + 3)], count: all.size };
  }, picture);
}

const withoutKeys = {
  "the front page shows servers and their state, and a first call that works": async (page) => {
    await page.goto(`${base}/`);
    await page.waitForFunction(() => [...document.querySelectorAll(".server")].every(({ dataset }) => /^(up|down)$/.test(dataset.state))
      && document.querySelectorAll(".server").length === 3);
    const states = await page.$$eval(".server", (all) => all.map((it) => [it.querySelector(".name").textContent, it.dataset.state]));
    assert.deepEqual(states, [["everything", "up"], ["down", "down"], ["demo", "up"]]);
    assert.match(await textOf(page, "[data-state=down] .problem"), /Initialization failed.*down.*Try again/s);
    await page.click("[data-state=down] .again");
    await page.waitForFunction(() => document.querySelector("[data-state=down] .problem:not([hidden])"));
    await shown(page, "#first-call");
    const status = execFileSync("sh", ["-c", `${await textOf(page, "#curl")} -s -o /dev/null -w '%{http_code}'`], { encoding: "utf8" });
    assert.equal(status, "200");
    await page.click("#copy");
    await page.waitForFunction(() => document.querySelector("#copy-note").textContent === "Copied.");
  },
  "an opened operation fits": async (page) => {
    for (const [width, most] of WIDTHS) {
      await page.setViewport({ width, height: 800 });
      for (const [server, operation] of [["demo", "add"], ["everything", "get-structured-content"]]) {
        await page.goto(`${base}/api/mcp/${server}/docs`);
        const block = await opened(page, operation);
        const [all, one] = [await page.evaluate(() => document.documentElement.scrollHeight), await block.evaluate((it) => it.offsetHeight)];
        console.log(`${server} ${operation} at ${width} px: ${one} px of ${all} px`);
        assert.ok(one <= most, `${server} ${operation} at ${width} px: ${one} px`);
      }
      // With everything, and in the document of this service, the operation by itself.
      for (const [address, operation] of [["api/mcp/demo/docs?view=full", "add"], ["swagger-ui/", "executeTool"]]) {
        await page.goto(`${base}/${address}`);
        const one = await (await opened(page, operation)).evaluate((it) => it.offsetHeight);
        console.log(`${address} ${operation} at ${width} px: ${one} px`);
        assert.ok(one <= most, `${address} ${operation} at ${width} px: ${one} px`);
      }
    }
  },
  "pictures of a result are seen": async (page) => {
    await page.goto(`${base}/api/mcp/demo/docs`);
    await execute(page, "pixel");
    const pixel = await shown(page, ".live-responses-table .media img");
    assert.deepEqual((await colours(page, pixel)).middle, [255, 102, 0]);
    await page.goto(`${base}/api/mcp/everything/docs`);
    await execute(page, "get-tiny-image");
    const image = await shown(page, ".live-responses-table .media img");
    assert.ok((await colours(page, image)).count > 10);
  },
  "a server that is down shows why, and what to try": async (page) => {
    await page.goto(`${base}/api/mcp/down/docs`);
    await shown(page, "#problem");
    assert.match(await textOf(page, "#problem"), /Failed to list tools.*down/s);
    const again = page.waitForResponse((response) => response.url().endsWith("/openapi.json"));
    await page.click("#problem button");
    assert.equal((await again).status(), 502);
    await shown(page, "#problem");
  },
  "an address survives a reload": async (page) => {
    await page.goto(`${base}/swagger-ui/`);
    await page.waitForSelector("#document-choice option:nth-child(5)");
    await page.select("#document-choice", `${base}/api/mcp/demo/openapi.json`);
    await page.waitForFunction(() => document.title.startsWith("demo"));
    await opened(page, "add");
    const address = page.url();
    assert.match(address, /\?server=demo#.*add$/);
    await page.reload();
    await page.waitForSelector(".opblock.is-open");
    assert.equal(page.url(), address);
    assert.equal(await page.title(), "demo - mcp-rest");
    assert.match(await page.$eval(".opblock.is-open", ({ id }) => id), /-add$/);
  },
  "operations are filtered by words": async (page) => {
    await page.goto(`${base}/api/mcp/demo/docs`);
    await page.waitForSelector(".opblock");
    await page.type("#filter", "two numbers");
    await page.waitForFunction(() => document.querySelectorAll(".opblock").length === 1);
    await page.$eval("#filter", (field) => { field.value = ""; field.dispatchEvent(new Event("input")); });
    await page.waitForFunction(() => document.querySelectorAll(".opblock").length > 1);
  },
  "everything is a choice that the address keeps": async (page) => {
    await page.goto(`${base}/api/mcp/demo/docs`);
    await page.waitForSelector(".opblock");
    const full = page.waitForResponse((response) => response.url().endsWith("?view=full"));
    await page.click("#full input");
    assert.equal((await full).status(), 200);
    assert.match(page.url(), /\?view=full$/);
  },
  "axe-core finds nothing serious": async (page) => {
    for (const [width] of WIDTHS) {
      await page.setViewport({ width, height: 800 });
      for (const scheme of ["light", "dark"]) {
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        await page.goto(`${base}/`);
        await shown(page, "#first-call");
        await page.waitForFunction(() => !document.querySelector("[data-state=asking]"));
        await noSeriousFindings(page, `the front page, ${scheme}, ${width} px`);
        await page.goto(`${base}/api/mcp/down/docs`);
        await shown(page, "#problem");
        await noSeriousFindings(page, `a problem, ${scheme}, ${width} px`);
        await page.goto(`${base}/api/mcp/demo/docs`);
        await opened(page, "add");
        await execute(page, "add");
        await noSeriousFindings(page, `the docs page, ${scheme}, ${width} px`);
      }
    }
  },
};

const withKey = {
  "the front page asks for the key and keeps it nowhere": async (page) => {
    await page.goto(`${base}/`);
    await shown(page, "#key");
    await noSeriousFindings(page, "the front page without a key");
    assert.equal((await page.$$(".server")).length, 0);
    await page.type("#key", "wrong");
    await page.click("#key-form button");
    await page.waitForFunction(() => document.querySelector("#key-note").textContent.includes("refused"));
    await page.$eval("#key", (field) => { field.value = ""; });
    await page.type("#key", key);
    await page.keyboard.press("Enter");
    await shown(page, "[data-state=up]");
    await shown(page, "#first-call");
    assert.ok(!(await page.content()).includes(key), "the key is not in the page");
    await page.reload();
    await shown(page, "#key");
  },
  "the docs page says what to do without a key": async (page) => {
    await page.goto(`${base}/api/mcp/demo/docs`);
    await page.waitForFunction(() => document.querySelector(".info")?.innerText.includes("Authorize"));
    await noSeriousFindings(page, "the docs page without a key");
    await authorize(page, { key });
    await page.waitForSelector(".opblock");
    assert.equal(await page.title(), "demo - mcp-rest");
    // Here, and not at the public address, where this page may not go.
    assert.equal((await execute(page, "add", '{"a": 1, "b": 2}')).status, "200");
  },
};

const browser = await launch();
try {
  for (const [name, step] of Object.entries(key ? withKey : withoutKeys)) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const complaints = watch(page);
    await step(page);
    // A server that is down is meant to be.
    assert.deepEqual(complaints.filter((it) => !/status of 502/.test(it)), [], name);
    const kept = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]);
    assert.deepEqual(kept, [0, 0, ""], "nothing is kept");
    await context.close();
    console.log(`ok: ${name}`);
  }
} finally {
  await browser.close();
}
