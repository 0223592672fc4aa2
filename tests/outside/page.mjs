// What a user does with a Swagger UI page, in headless Chromium: Authorize, choose a document, open an operation, fill in the
// request body, Execute, read the response. What is done with it is in browser.mjs and other_sites.mjs.
import puppeteer from "puppeteer-core";

export const launch = (...args) => puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", ...args],
});

// What the browser complains about: none of it shows in the page itself. A 401 is logged by
// Chromium for every refused fetch and is expected here.
export function watch(page) {
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`page error: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !/status of 40[13]/.test(text)) complaints.push(`console: ${text}`);
  });
  return complaints;
}

const excerpt = (page) => page.$eval("#swagger-ui", (element) => element.innerText.trim().slice(0, 400));

async function waitOr(page, what, fn, ...args) {
  try {
    return await page.waitForFunction(fn, {}, ...args);
  } catch (error) {
    throw new Error(`${what}: ${error.message}; the page shows:\n${await excerpt(page)}`);
  }
}

export async function authorize(page, { key, bearer }) {
  await waitOr(page, "no Authorize button", () => document.querySelector(".auth-wrapper > button.authorize"));
  await page.click(".auth-wrapper > button.authorize");
  const field = bearer ? "#auth-bearer-value" : "#api_key_value";
  await page.waitForSelector(`.modal-ux ${field}`);
  await page.type(`.modal-ux ${field}`, bearer ?? key);
  // Each scheme has a form, and a button, of its own.
  await page.click(`.modal-ux form:has(${field}) button.authorize`);
  // The page closes the dialog itself after it had no key to show the document with; otherwise
  // the dialog stays, as it does in plain Swagger UI, and says "Authorized" (or that it is not).
  await waitOr(page, "the key was not taken", () => !document.querySelector(".modal-ux")
    || document.querySelector(".modal-ux .errors") || [...document.querySelectorAll(".modal-ux h6")].some((h) => h.innerText.trim() === "Authorized"));
  await page.evaluate(() => document.querySelector(".modal-ux .btn-done")?.click());
  await page.waitForSelector(".modal-ux", { hidden: true });
}

export async function choose(page, label) {
  const handle = await waitOr(page, `no document "${label}"`, (label) =>
    [...document.querySelectorAll("#document-choice option")].find((o) => o.label === label)?.value, label);
  const url = await handle.jsonValue();
  await page.select("#document-choice", url);
  await waitOr(page, `"${label}" is not shown`, (url) =>
    [...document.querySelectorAll(".info a.link")].some((a) => a.href === url), url);
}

export async function execute(page, operationId, body) {
  const found = await waitOr(page, `no operation "${operationId}"`, (wanted) => {
    if (document.querySelector(".errors-wrapper")) return "error";
    // Operation ids are not shown, but the path that each operation has in the address ends in its own.
    const idOf = (block) => decodeURIComponent(block.querySelector(".opblock-summary-path [data-path]").dataset.path.split("/").at(-1));
    return [...document.querySelectorAll(".opblock")].find((block) => idOf(block) === wanted)?.id;
  }, operationId);
  const id = await found.jsonValue();
  if (id === "error") throw new Error(`the page shows errors:\n${await excerpt(page)}`);
  const block = `[id="${id.replace(/["\\]/g, "\\$&")}"]`;
  if (!await page.$(`${block}.is-open`)) await page.click(`${block} .opblock-summary-control`);
  // The Execute button comes before the operation is resolved; the responses only after it, and with
  // them one from an earlier run, which must not be taken for the answer to this one.
  await page.waitForSelector(`${block} .responses-inner`);
  await page.waitForSelector(`${block} button.execute`);
  if (await page.$(`${block} .live-responses-table`)) {
    await page.click(`${block} button.btn-clear`);
    await page.waitForSelector(`${block} .live-responses-table`, { hidden: true });
  }
  if (body !== undefined) {
    const text = await page.waitForSelector(`${block} textarea.body-param__text`);
    await text.evaluate((element) => { element.focus(); element.select(); });
    await page.keyboard.sendCharacter(body);
    await waitOr(page, "the body was not taken", (element, body) => element.value === body, text, body);
  }
  await page.click(`${block} button.execute`);
  await page.waitForSelector(`${block} .live-responses-table .response-col_status`);
  return page.$eval(`${block} .live-responses-table tbody tr.response`, (row) => {
    const status = [...row.cells[0].childNodes].find((n) => n.nodeType === Node.TEXT_NODE)?.data.trim();
    const heading = [...row.querySelectorAll("h5")].find((h) => h.innerText === "Response body");
    const shown = heading?.parentElement.querySelector("pre") ?? heading?.parentElement;
    const message = row.querySelector(".renderedMarkdown")?.innerText.trim();
    return { status: status ?? null, body: shown?.innerText ?? message ?? "" };
  });
}
