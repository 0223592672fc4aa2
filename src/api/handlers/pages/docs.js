"use strict";

// Swagger UI for one of several documents of the same service. The page is served at different
// depths (perhaps behind a proxy's prefix), so every address is built from <body data-root>.
// What is shown is in the address: ?document=service|all or ?server=NAME, and view=full.
(() => {
  const { root: rootPath, document: firstPath } = document.body.dataset;
  const inRoot = (path) => new URL(path, new URL(rootPath, location.href)).href;
  const serverUrl = (name) => inRoot(`api/mcp/${encodeURIComponent(name)}/openapi.json`);
  const find = (id) => document.getElementById(id);
  const choice = find("document-choice");
  const full = find("full").querySelector("input");
  const asked = new URLSearchParams(location.search);
  const first = new URL(firstPath, location.href).href;
  const named = { service: inRoot("openapi.json"), all: inRoot("api/openapi.json") };
  let wanted = asked.has("server") ? serverUrl(asked.get("server")) : named[asked.get("document")] ?? first;
  let shown = null; // address of the last document really shown, not of one that was refused
  let locked = false; // the built-in document stands in for the wanted one
  let turn = 0; // an answer that a later choice has overtaken must not replace it
  full.checked = asked.get("view") === "full";

  // The name of the server whose document this is. The address bar may escape it differently than encodeURIComponent, and the
  // list would show it twice.
  function serverOf(url) {
    const name = url.startsWith(inRoot("api/mcp/")) && url.split("/").at(-2);
    try {
      return name && decodeURIComponent(name);
    } catch {
      return name; // not a valid escape: then it is used literally
    }
  }
  if (serverOf(wanted)) wanted = serverUrl(serverOf(wanted));

  // So that a reload, a bookmark and a link to this page show the same.
  function keepInAddress() {
    const query = new URLSearchParams();
    const name = serverOf(wanted);
    if (wanted !== first && wanted !== serverUrl(serverOf(first) || "")) {
      if (name) query.set("server", name);
      else query.set("document", wanted === named.all ? "all" : "service");
    }
    if (full.checked) query.set("view", "full");
    const told = query.size ? `?${query}` : "";
    if (told !== location.search) history.replaceState(null, "", location.pathname + told + location.hash);
  }

  // Only there to give Swagger UI an Authorize button. The schemes must be named as in the real
  // documents: Swagger UI files a key under the scheme's name and looks it up by that name.
  const lockedDocument = (status) => JSON.stringify({
    openapi: "3.1.0", paths: {},
    info: { title: "API key needed", version: "-", description:
      `The service answered ${status}. Press **Authorize** and enter a key to see this document.` },
    components: { securitySchemes: {
      apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
      bearer: { type: "http", scheme: "bearer" },
    } },
  });

  // === how Swagger UI differs here ===

  // Errors are a line each until they are opened: their examples would take most of the page.
  const foldedResponse = (Original, { React }) => function Response(props) {
    const [isOpen, setOpen] = React.useState(/^[123]/.test(props.code));
    if (isOpen) return React.createElement(Original, props);
    const words = (props.response.get("description") ?? "").replaceAll("`", "");
    return React.createElement("tr", { className: "other-response" }, React.createElement("td", { colSpan: 3 },
      React.createElement("button", { type: "button", className: "folded", "aria-expanded": false, onClick: () => setOpen(true) },
        React.createElement("span", { className: "code" }, props.code),
        React.createElement("span", { className: "words" }, words))));
  };

  // The headers of a response are one line as well.
  const foldedHeaders = (Original, { React }) => function Headers(props) {
    const [isOpen, setOpen] = React.useState(false);
    if (isOpen) return React.createElement(Original, props);
    const names = props.headers?.keySeq?.().join(", ");
    return names ? React.createElement("button", { type: "button", className: "folded", "aria-expanded": false, onClick: () => setOpen(true) },
      React.createElement("span", { className: "words" }, `Headers: ${names}`)) : null;
  };

  // Pictures and sound of a result are Base64 in JSON: they are shown below it.
  const MOST_CHARACTERS = 16 * 1024 * 1024;
  const blocksOf = (text) => {
    if (typeof text !== "string" || text.length > MOST_CHARACTERS) return [];
    try {
      const value = JSON.parse(text);
      const content = [value, value?.content].find(Array.isArray) ?? [value];
      return content.filter((it) => /^(image|audio)\/[\w.+-]+$/.test(it?.mimeType) && /^[\w+/=\s-]*$/.test(it.data));
    } catch {
      return [];
    }
  };
  const withMedia = (Original, { React }) => function Body(props) {
    const blocks = React.useMemo(() => blocksOf(props.content), [props.content]);
    const media = blocks.map(({ mimeType, data }, index) => {
      const src = `data:${mimeType};base64,${data}`;
      return mimeType.startsWith("image/")
        ? React.createElement("img", { key: index, src, alt: `Content ${index + 1} of the result, ${mimeType}` })
        : React.createElement("audio", { key: index, src, controls: true });
    });
    return React.createElement(React.Fragment, null, React.createElement(Original, props),
      media.length > 0 && React.createElement("div", { className: "media" }, media));
  };

  // By words that must all occur in an operation; Swagger UI's own filter knows tags alone.
  function opsFilter(tagged, phrase) {
    const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (operation) => {
      const described = operation.get("operation");
      const members = ["summary", "description", "operationId"].map((it) => described.get(it) ?? "");
      const text = [operation.get("path"), operation.get("method"), ...members].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    };
    return tagged.map((tag) => tag.update("operations", (all) => all.filter(fits))).filter((tag) => tag.get("operations").size);
  }

  const plugin = ({ React }) => ({
    fn: { opsFilter },
    components: {
      FilterContainer: () => null,
      // A link within the button that opens the operation: the button alone writes the same address.
      DeepLink: ({ path, text }) => React.createElement("span", { "data-path": path }, text),
    },
    wrapComponents: { response: foldedResponse, headers: foldedHeaders, responseBody: withMedia },
    statePlugins: {
      auth: { wrapActions: { authorize: (original) => async (payload) => {
        const wasLocked = locked;
        clearErrors();
        original(payload);
        await Promise.all([listServers(), locked && show(wanted)]);
        if (wasLocked) ui.authActions.showDefinitions(false); // what has changed is behind the dialog
      } } },
      // Kept by path, so that another document with the same paths would inherit bodies and responses.
      spec: {
        actions: { forgetDocument: () => ({ type: "page_forget_document" }) },
        reducers: { page_forget_document: (state) => state.delete("meta").delete("responses") },
      },
      oas3: { reducers: { page_forget_document: (state) => state.clear() } },
      layout: { reducers: { page_forget_document: (state) => state.delete("shown") } },
    },
  });

  const ui = SwaggerUIBundle({
    dom_id: "#swagger-ui", plugins: [plugin],
    deepLinking: true, validatorUrl: null, tryItOutEnabled: true, persistAuthorization: false,
    defaultModelsExpandDepth: -1, // every schema is shown where it is used
    // A tool without arguments has no body in the document, and curl would give an empty one the type of a form.
    requestInterceptor(request) {
      if (request.method === "POST" && !request.body) {
        request.body = "{}";
        request.headers["Content-Type"] = "application/json";
      }
      return request;
    },
  });

  const clearErrors = () => ui.errSelectors.allErrors().size && ui.errActions.clearBy(() => false);
  // The key lives in Swagger UI's own state only; there is no second copy to keep in step.
  async function get(url) {
    const keys = ui.authSelectors.authorized();
    const headers = {};
    for (const { schema, value } of Object.values(keys.toJS())) {
      if (!/^[\x20-\x7e]+$/.test(value ?? "")) continue; // fetch would throw; now it is refused
      if (schema.type === "apiKey" && schema.in === "header") headers[schema.name] = value;
      if (/^bearer$/i.test(schema.scheme)) headers.Authorization = `Bearer ${value}`;
    }
    const response = await fetch(url, { headers, cache: "no-cache" }); // the answer depends on the key
    // Swagger UI offers only Logout while it holds a key, so a refused one has to go before another
    // can be entered; unless that has happened while this request was under way.
    if (response.status === 401 && keys.size && keys === ui.authSelectors.authorized()) {
      ui.authActions.logout(keys.keySeq().toArray());
      ui.errActions.newAuthErr({ authId: keys.keySeq().first(), level: "error", message: "The key was refused." });
    }
    return response;
  }

  async function listServers() {
    const entries = new Map([[named.service, "This service"], [named.all, "All servers"]]);
    try {
      const response = await get(inRoot("api/list-servers"));
      const { servers } = response.ok ? await response.json() : { servers: [] };
      for (const { name } of servers) entries.set(serverUrl(name), name);
    } catch (error) {
      console.warn("list-servers:", error); // the documents known without it can still be chosen
    }
    if (!entries.has(wanted)) entries.set(wanted, serverOf(wanted) || wanted);
    choice.replaceChildren(...Array.from(entries, ([url, label]) => new Option(label, url)));
    choice.value = wanted;
  }

  // === documents ===

  const problem = find("problem");
  // What the service says of a document that it cannot give, in its own words.
  function tellProblem(status, body) {
    problem.querySelector("h2").textContent = body?.title ?? (status ? `Status ${status}` : "No answer");
    problem.querySelector("p").textContent = body?.detail ?? "The document could not be loaded. Is the service still running?";
    problem.hidden = false;
    find("swagger-ui").hidden = true;
  }

  // Calls go to the service that this page came from, which is where the document is, whatever its public address may be: this
  // page may not send anything elsewhere.
  function callable(text, url) {
    const spec = JSON.parse(text);
    const server = spec.servers?.[0]?.url ?? "/";
    if (new URL(server, url).origin === location.origin) return text;
    return JSON.stringify({ ...spec, servers: [{ url: url.replace(/\/openapi\.json$/, "") }] });
  }

  async function show(url) {
    const mine = ++turn;
    wanted = url;
    const name = serverOf(url);
    find("full").hidden = !name;
    keepInAddress();
    // The old document must not be executed under the new one's name. But "loading" also takes an open
    // Authorize dialog off the page, and the stand-in has nothing to execute.
    if (!locked) ui.specActions.updateLoadingStatus("loading");
    const source = name && full.checked ? `${url}?view=full` : url;
    const response = await get(source).catch(() => ({ status: 0 }));
    const text = response.ok ? await response.text() : "";
    const refusal = response.ok || !response.status ? null : await response.json().catch(() => null);
    if (mine !== turn) return;
    locked = response.status === 401 && refusal?.origin !== "upstream";
    document.title = `${name || (url === named.all ? "All servers" : "API documentation")} - mcp-rest`;
    if (!response.ok && !locked) {
      ui.specActions.updateLoadingStatus("failed");
      return tellProblem(response.status, refusal);
    }
    problem.hidden = true;
    find("swagger-ui").hidden = false;
    if (!locked && shown && shown !== source) {
      ui.specActions.forgetDocument();
      history.replaceState(null, "", location.pathname + location.search); // it named an old operation
    }
    if (!locked) shown = source;
    ui.specActions.updateUrl(url); // relative servers are resolved against it
    ui.specActions.updateSpec(locked ? lockedDocument(response.status) : callable(text, url));
    ui.specActions.updateLoadingStatus("success");
  }

  // === names for screen readers ===

  // What Swagger UI leaves without a name, or out of reach of the keyboard. The name is read from the row where there is one.
  const NAMELESS = {
    "textarea.body-param__text": "Request body",
    "select#servers": "Server",
    "select.content-type, .content-type-wrapper select": "Media type",
    ".copy-to-clipboard button": "Copy",
    ".download-contents": "Download the response body",
    ".parameters-col_description select, .parameters-col_description input, .parameters-col_description textarea": "Parameter",
  };
  const SCROLLED = "pre.curl, .highlight-code, .microlight";
  function nameAll() {
    for (const [selector, name] of Object.entries(NAMELESS)) {
      for (const element of document.querySelectorAll(`#swagger-ui :is(${selector}):not([aria-label])`)) {
        element.setAttribute("aria-label", element.closest("tr[data-param-name]")?.dataset.paramName ?? name);
      }
    }
    for (const element of document.querySelectorAll(`#swagger-ui :is(${SCROLLED}):not([tabindex])`)) element.tabIndex = 0;
  }
  new MutationObserver(nameAll).observe(find("swagger-ui"), { childList: true, subtree: true });

  // === the page ===

  problem.querySelector("button").addEventListener("click", () => show(wanted));
  choice.addEventListener("change", () => { clearErrors(); show(choice.value); });
  full.addEventListener("change", () => { clearErrors(); show(wanted); });
  find("filter").addEventListener("input", ({ target }) => ui.layoutActions.updateFilter(target.value.trim() || false));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const darken = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", darken);
  darken();
  listServers();
  show(wanted);
})();
