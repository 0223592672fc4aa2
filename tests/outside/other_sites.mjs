// node other_sites.mjs attack|use|ask TARGET [PAGE KEY]: what pages do to the service, in Chromium.
// attack: a page of another site tries every way there is to have the browser send a call to TARGET (a URL of the service); each must be
// refused. use: the service's own page at TARGET (a Swagger UI) runs the tool `echo`; prints the status it shows.
// ask: the page at PAGE, of another site, calls the tool at TARGET by fetch with KEY, without a key, and for a stream; prints what it can read of
// each response, or the error.
// TARGET may be at service.test, which leads to this machine, but is not trusted as 127.0.0.1 is: there the browser does not say
// `Sec-Fetch-Site`. CHROMIUM names the browser.
import assert from "node:assert/strict";
import http from "node:http";
import { execute, launch, watch } from "./page.mjs";

const [what, target] = process.argv.slice(2);

// Each is run in a page of another site, and sends one request to `to`. `expected` is what becomes of it.
const refused = [403, 415];
const form = (attributes, fields, where = "frame") => [refused, (to, attributes, fields, where) => {
  const frame = document.body.appendChild(document.createElement("iframe"));
  frame.name = "frame";
  const form = document.body.appendChild(document.createElement("form"));
  for (const [name, value] of Object.entries({ method: "post", action: to, target: where, ...attributes })) form.setAttribute(name, value);
  form.innerHTML = fields;
  form.submit();
}, attributes, fields, where];
const field = `<input name='{"message":"' value='hi"}'>`;
const send = (options) => [refused, (to, options) => { fetch(to, options).catch(() => {}); }, { method: "POST", ...options }];
const framed = (attributes) => [refused, (to, attributes) => {
  const frame = document.createElement("iframe");
  const page = `<form method=post action="${to}"></form><script>document.forms[0].submit()</script>`;
  for (const [name, value] of Object.entries(attributes)) frame.setAttribute(name, value.replace("PAGE", page));
  document.body.append(frame);
}, attributes];

const attacks = {
  "a form without fields": form({}, ""),
  "one with a field": form({}, field),
  "one as text": form({ enctype: "text/plain" }, field),
  "one as text without fields": form({ enctype: "text/plain" }, ""),
  "one in parts": form({ enctype: "multipart/form-data" }, field),
  "one in parts without fields": form({ enctype: "multipart/form-data" }, ""),
  "one that leads away": form({}, "", "_top"),
  "one without a referrer": form({ rel: "noreferrer" }, ""),
  "one in a sandboxed frame": framed({ sandbox: "allow-scripts allow-forms", srcdoc: "PAGE" }),
  "one in a frame of its own": framed({ srcdoc: "PAGE" }),
  "one in a data: frame": framed({ src: "data:text/html,PAGE" }),
  "fetch without CORS": send({ mode: "no-cors" }),
  "with credentials": send({ mode: "no-cors", credentials: "include" }),
  "with text": send({ mode: "no-cors", body: "{}" }),
  "with a referrer policy": send({ mode: "no-cors", referrerPolicy: "no-referrer" }),
  "that outlives the page": send({ mode: "no-cors", keepalive: true }),
  "fetch": send({}),
  "fetch with text": send({ body: "{}" }),
  "fetch of a redirect": [refused, (to) => { fetch(`/?to=${encodeURIComponent(to)}`, { method: "POST", mode: "no-cors" }).catch(() => {}); }],
  "fetch of bytes": [refused, (to) => { fetch(to, { method: "POST", mode: "no-cors", body: new Blob(["{}"]) }).catch(() => {}); }],
  "XMLHttpRequest": [refused, (to) => {
    const request = new XMLHttpRequest();
    request.open("POST", to);
    request.send();
  }],
  "a beacon": [refused, (to) => { navigator.sendBeacon(to); }],
  "a beacon with text": [refused, (to) => { navigator.sendBeacon(to, "{}"); }],
  "a beacon of bytes": [refused, (to) => { navigator.sendBeacon(to, new Blob(["{}"])); }],
  "a link with a ping": [refused, (to) => {
    const link = document.body.appendChild(document.createElement("a"));
    link.href = "#";
    link.ping = to;
    link.click();
  }],
  "a worker": [refused, (to) => {
    const script = `fetch("${to}", { method: "POST", mode: "no-cors" }).catch(() => {})`;
    new Worker(URL.createObjectURL(new Blob([script])));
  }],
  // What the browser asks about first, and then does not send.
  "fetch of JSON": [[405], ...send({ headers: { "content-type": "application/json" }, body: "{}" }).slice(1)],
  "fetch with DELETE": [[405], ...send({ method: "DELETE" }).slice(1)],
  "a beacon of JSON": [[405], (to) => { navigator.sendBeacon(to, new Blob(["{}"], { type: "application/json" })); }],
};

// The site of the attacker; and a way through it, so that what really reaches the service is seen, whatever the browser tells of it.
async function site(answer) {
  const server = http.createServer(answer).listen(0, "127.0.0.1");
  await new Promise((ready) => server.once("listening", ready));
  return server;
}

async function attack(browser) {
  const { host, hostname, port } = new URL(target);
  let arrived = () => {};
  // Passes requests on as they are. The port is the service's own as far as the browser knows.
  const witness = await site((request, response) => {
    const sent = http.request({ port, host: "127.0.0.1", method: request.method, path: request.url, headers: request.rawHeaders, setHost: false });
    sent.on("response", (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
      arrived({ method: request.method, status: answer.statusCode, headers: request.headers });
    });
    request.pipe(sent);
  });
  const to = target.replace(host, `${hostname}:${witness.address().port}`);
  const evil = await site((request, response) => {
    const location = new URL(request.url, "http://x").searchParams.get("to");
    if (location) response.writeHead(307, { location }).end();
    else response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><link rel=icon href=data:,>");
  });
  const pages = [`http://attacker.test:${evil.address().port}/`, `http://${hostname}:${evil.address().port}/`];
  for (const from of pages) {
    for (const [name, [expected, run, ...args]] of Object.entries(attacks)) {
      const page = await browser.newPage();
      await page.goto(from);
      const answered = new Promise((resolve, reject) => {
        arrived = resolve;
        setTimeout(() => reject(new Error(`${name} from ${from} did not arrive`)), 30_000).unref();
      });
      await page.evaluate(run, to, ...args).catch((error) => assert.match(error.message, /destroyed|closed|detached/));
      const { method, status, headers } = await answered;
      assert.ok(expected.includes(status), `${name} from ${from}: ${method} ${status}`);
      assert.equal("sec-fetch-site" in headers, hostname === "127.0.0.1", name);
      console.log(`${status} ${method} ${name} from ${from}: ${headers["sec-fetch-site"] ?? headers.origin}, ${headers["content-type"]}`);
      await page.close();
    }
  }
  for (const server of [witness, evil]) {
    server.close();
    server.closeAllConnections();
  }
}

async function use(browser) {
  const page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  watch(page);
  await page.goto(target);
  const { status, body } = await execute(page, "echo", '{"message": "hi"}');
  console.log(`${status} ${body}`);
}

async function ask(browser) {
  const [from, key] = process.argv.slice(4);
  const page = await browser.newPage();
  await page.goto(from);
  for (const headers of [{ "x-api-key": key }, {}, { "x-api-key": key, accept: "text/event-stream" }]) {
    const told = await page.evaluate(async (to, headers) => {
      try {
        const options = { method: "POST", headers: { "content-type": "application/json", ...headers }, body: '{"message":"hi"}' };
        const response = await fetch(to, options);
        const id = response.headers.has("x-request-id") ? "id" : "no id";
        return `${response.status} ${response.headers.get("content-type")} ${id} ${await response.text()}`;
      } catch (error) {
        return error.name;
      }
    }, target, headers);
    console.log(told.replaceAll("\n", " "));
  }
}

const browser = await launch("--host-resolver-rules=MAP *.test 127.0.0.1", "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable");
try {
  await { attack, use, ask }[what](browser);
} finally {
  await browser.close();
}
