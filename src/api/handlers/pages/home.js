"use strict";

// The front page: the configured servers, each asked for its state, and the first call as a curl line. Everything is read through
// the service's own routes; a key that they want is kept in a variable of this page alone.
(() => {
  const AT_ONCE = 4; // requests under way
  const ASKED = 40; // servers that are asked without being told to
  const WAIT_MS = 10_000;

  const find = (id) => document.getElementById(id);
  const inRoot = (path) => new URL(path, new URL(document.body.dataset.root, location.href)).href;
  const ofServer = (name, rest = "") => inRoot(`api/mcp/${encodeURIComponent(name)}${rest}`);
  const rows = new Map(); // by the server's name
  let key = "";
  let hasExample = false;

  async function get(url) {
    const headers = { Accept: "application/json", ...(key && { "X-API-Key": key }) };
    let response;
    try {
      response = await fetch(url, { headers, cache: "no-store" });
    } catch {
      return { status: 0, body: { title: "No answer", detail: "This service did not answer: is it still running?" } };
    }
    const body = await response.json().catch(() => ({ title: `Status ${response.status}`, detail: "The answer was not JSON" }));
    return { status: response.status, body };
  }

  // === servers ===

  function row(name) {
    const item = find("server").content.firstElementChild.cloneNode(true);
    const part = (selector) => item.querySelector(selector);
    part(".name").textContent = name;
    part(".docs").href = ofServer(name, "/docs");
    part(".openapi").href = ofServer(name, "/openapi.json");
    part(".tools").href = ofServer(name, "/tools");
    for (const link of item.querySelectorAll(".links a")) link.setAttribute("aria-label", `${link.textContent}: ${name}`);
    part(".again").setAttribute("aria-label", `Try again: ${name}`);
    part(".again").addEventListener("click", () => ask(name));
    return { item, part };
  }

  function tell(name, state, words) {
    const { item, part } = rows.get(name);
    item.dataset.state = state;
    part(".state").textContent = words;
  }

  async function ask(name) {
    const { part } = rows.get(name);
    part(".problem").hidden = true;
    tell(name, "asking", "asking …");
    const { status, body } = await get(`${ofServer(name)}?timeoutMs=${WAIT_MS}`);
    if (status !== 200) {
      part(".title").textContent = `${body.title}.`;
      part(".detail").textContent = body.detail ?? "";
      part(".problem").hidden = false;
      return tell(name, "down", status === 401 || status === 403 ? "access denied" : "not available");
    }
    const { serverInfo, protocolVersion, instructions } = body;
    const itself = [serverInfo?.title ?? serverInfo?.name, serverInfo?.version].filter((it) => typeof it === "string").join(" ");
    part(".about").textContent = [itself, protocolVersion && `MCP ${protocolVersion}`].filter(Boolean).join(" · ");
    if (typeof instructions === "string" && instructions.trim()) {
      part(".instructions").textContent = instructions;
      part("details").hidden = false;
    }
    tell(name, "up", "up");
    await exemplify(name);
  }

  // A few at a time, in order.
  async function askAll(names) {
    const waiting = [...names];
    const next = async () => {
      while (waiting.length) await ask(waiting.shift());
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  }

  async function list() {
    const { status, body } = await get(inRoot("api/list-servers"));
    const locked = status === 401 || status === 403;
    find("key-form").hidden = !locked && !key;
    if (locked) {
      if (key) find("key-note").textContent = "This key was refused.";
      document.querySelectorAll(".keyed").forEach((link) => { link.hidden = true; });
      return;
    }
    find("key-form").hidden = true;
    if (status !== 200) {
      find("servers-note").textContent = `${body.title}. ${body.detail ?? ""}`;
      return;
    }
    const names = body.servers.map(({ name }) => name);
    find("servers-note").textContent = names.length ? "" : "No server is configured.";
    for (const name of names) rows.set(name, row(name));
    find("servers").replaceChildren(...Array.from(rows.values(), ({ item }) => item));
    // A link cannot carry the key.
    if (key) document.querySelectorAll(".keyed").forEach((link) => { link.hidden = true; });
    find("filter").hidden = names.length < 8;
    const others = names.slice(ASKED);
    others.forEach((name) => tell(name, "unknown", "not asked"));
    find("ask-others").hidden = !others.length;
    find("ask-others").textContent = `Ask the other ${others.length} servers`;
    find("ask-others").onclick = () => {
      find("ask-others").hidden = true;
      askAll(others);
    };
    await askAll(names.slice(0, ASKED));
    if (!hasExample && names.length) showCurl(`curl ${quoted(ofServer(names[0], "/tools"))}${key && " -H \"X-API-Key: $KEY\""}`);
  }

  // === the first call ===

  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

  function showCurl(line) {
    find("curl").textContent = line;
    find("first-call").hidden = false;
  }

  // A call of the first server that is up: the service itself writes a curl line for each tool.
  async function exemplify(name) {
    if (hasExample) return;
    hasExample = true;
    const { body } = await get(inRoot(`api/tools?server=${encodeURIComponent(name)}&limit=20`));
    const tools = (body.tools ?? []).map(({ tool }) => tool);
    const harmless = tools.find((tool) => tool.annotations?.readOnlyHint) ?? tools[0];
    const described = harmless && await get(ofServer(name, `/tools/${encodeURIComponent(harmless.name)}`));
    const line = described?.body.example?.curl;
    if (typeof line === "string") showCurl(line);
    else hasExample = false;
  }

  async function copy() {
    const code = find("curl");
    try {
      await navigator.clipboard.writeText(code.textContent); // only where the page is trusted: https or this machine
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    find("copy-note").textContent = "Copied.";
  }

  find("copy").addEventListener("click", copy);
  find("filter").addEventListener("input", ({ target }) => {
    const wanted = target.value.trim().toLowerCase();
    for (const [name, { item }] of rows) item.hidden = !name.toLowerCase().includes(wanted);
  });
  find("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    key = find("key").value;
    if (/^[\x20-\x7e]+$/.test(key)) list();
    else find("key-note").textContent = "A key is visible ASCII.";
  });
  list();
})();
