"use strict";

// Swagger UI for one of several documents of the same service. The page is served at different
// depths (perhaps behind a proxy's prefix), so every address is built from <body data-root>.
(() => {
  const { root: rootPath, document: firstPath } = document.body.dataset;
  const inRoot = (path) => new URL(path, new URL(rootPath, location.href)).href;
  const serverUrl = (name) => inRoot(`api/mcp/${encodeURIComponent(name)}/openapi.json`);
  const choice = document.getElementById("document-choice");
  let wanted = new URL(firstPath, location.href).href;
  let shown = null; // address of the last document really shown, not of one that was refused
  let locked = false; // the built-in document stands in for the wanted one
  let turn = 0; // an answer that a later choice has overtaken must not replace it

  // The address bar may escape a name differently than encodeURIComponent; the list would show it twice.
  let wantedName = wanted.startsWith(inRoot("api/mcp/")) && wanted.split("/").at(-2);
  try {
    wantedName = wantedName && decodeURIComponent(wantedName);
    if (wantedName) wanted = serverUrl(wantedName);
  } catch { /* not a valid escape: then it is used literally */ }

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

  const plugin = { statePlugins: {
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
  } };

  const ui = SwaggerUIBundle({
    dom_id: "#swagger-ui", plugins: [plugin],
    deepLinking: true, validatorUrl: null, tryItOutEnabled: true, persistAuthorization: false,
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
    const entries = new Map([[inRoot("openapi.json"), "This service"]]);
    entries.set(inRoot("api/openapi.json"), "All servers");
    try {
      const response = await get(inRoot("api/list-servers"));
      const { servers } = response.ok ? await response.json() : { servers: [] };
      for (const { name } of servers) entries.set(serverUrl(name), name);
    } catch (error) {
      console.warn("list-servers:", error); // the documents known without it can still be chosen
    }
    if (!entries.has(wanted)) entries.set(wanted, wantedName || wanted);
    choice.replaceChildren(...Array.from(entries, ([url, label]) => new Option(label, url)));
    choice.value = wanted;
  }

  async function show(url) {
    const mine = ++turn;
    wanted = url;
    // The old document must not be executed under the new one's name. But "loading" also takes an open
    // Authorize dialog off the page, and the stand-in has nothing to execute.
    if (!locked) ui.specActions.updateLoadingStatus("loading");
    const response = await get(url).catch((error) => ({ statusText: error.message }));
    const text = response.ok ? await response.text() : "";
    if (mine !== turn) return;
    locked = response.status === 401 || response.status === 403;
    if (!response.ok && !locked) {
      ui.errActions.newThrownErr(new Error(`${response.status ?? ""} ${response.statusText} ${url}`));
      return ui.specActions.updateLoadingStatus("failed");
    }
    if (!locked && shown && shown !== url) {
      ui.specActions.forgetDocument();
      history.replaceState(null, "", location.pathname + location.search); // it named an old operation
    }
    if (!locked) shown = url;
    ui.specActions.updateUrl(url); // relative servers are resolved against it
    ui.specActions.updateSpec(locked ? lockedDocument(response.status) : text);
    ui.specActions.updateLoadingStatus("success");
  }

  choice.addEventListener("change", () => { clearErrors(); show(choice.value); });
  listServers();
  show(wanted);
})();
