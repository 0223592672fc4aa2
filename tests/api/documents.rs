//! OpenAPI documents of servers' tools: what goes in comes out, whatever the schemas are; where they say the service is; and how
//! they are kept. `typed/embed/tests.rs` makes up schemas of every kind; here is the way through the whole service.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::app::{SERVER, TestApp, encode, path};
use crate::http::{Request, Response};
use crate::upstream::servers::Behaviour;
use crate::upstream::{Reply, Upstream, servers};

/// Tools with every way to refer to something, names that look alike, and all that a definition can say.
const TOOLS: &str = r##"[
    {"name":"plain","description":"d","inputSchema":{"type":"object","properties":{"a":{"type":"integer","minimum":1}},"required":["a"]}},
    {"name":"get_sum","title":"Sum","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"sum":{"type":"number","maximum":1.10}},"required":["sum"]}},
    {"name":"getSum","inputSchema":{"type":"object"}},
    {"name":"a/b c","annotations":{"title":"Odd","readOnlyHint":true,"deprecated":true},"inputSchema":{"type":"object"}},
    {"name":"tree","inputSchema":{"type":"object","properties":{"root":{"$ref":"#/$defs/Node"},"any":{"$ref":"#"}},"$defs":{"Node":{"type":"object","properties":{"next":{"$ref":"#/$defs/Node"},"leaf":{"$ref":"#/$defs/a~1b"}}},"a/b":{"enum":[1,"x",null]}}}},
    {"name":"anchored","inputSchema":{"type":"object","properties":{"a":{"$ref":"#here"}},"$defs":{"X":{"$anchor":"here","type":"string"}}}},
    {"name":"dynamic","inputSchema":{"$dynamicAnchor":"n","type":"object","properties":{"child":{"$dynamicRef":"#n"}}}},
    {"name":"identified","inputSchema":{"$id":"https://example.com/in","type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string"}}}},
    {"name":"choices","inputSchema":{"type":"object","allOf":[{"if":{"properties":{"k":{"const":1}}},"then":{"required":["l"]},"else":{"not":{"required":["l"]}}}],"oneOf":[{"required":["k"]},{"required":["l"]}],"properties":{"k":{"enum":[1,2]},"l":{"anyOf":[{"type":"string"},{"type":"null"}]}},"patternProperties":{"^x-":{"type":"array","prefixItems":[{"type":"string"}],"items":false}},"dependentSchemas":{"k":{"minProperties":1}}}},
    {"name":"draft7","inputSchema":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","definitions":{"P":{"type":"string","default":{"$ref":"#/no"}}},"properties":{"p":{"$ref":"#/definitions/P"}}}},
    {"name":"far","inputSchema":{"type":"object","properties":{"a":{"$ref":"https://example.com/other.json"}}}},
    {"name":"call_tool","inputSchema":{"type":"object","title":"Args"},"outputSchema":{"type":"object","title":"Result"}},
    {"name":"titled","inputSchema":{"type":"object","title":"Args","properties":{"p":{"$ref":"#/$defs/P"}},"$defs":{"P":{"title":"Problem","type":"string"}}}},
    {"name":"animals","inputSchema":{"type":"object","properties":{"pet":{"oneOf":[{"$ref":"#/$defs/Cat"},{"$ref":"#/%24defs/Cat"},{"$ref":""}],"discriminator":{"propertyName":"k","mapping":{"cat":"#/$defs/Cat"}}}},"$defs":{"Cat":{"type":"object"}}}},
    {"name":"odd keywords","inputSchema":{"type":"object","properties":{"a":{"$ref":"#/x-shared/A"}},"x-shared":{"A":{"$ref":"#/x-shared/B"},"B":{"type":"string"}}}},
    {"name":"no schemas","inputSchema":null,"outputSchema":null},
    {"name":"schemaless"}
]"##;

const BOTH_ERAS: [(&str, Behaviour); 2] = [
    ("legacy", servers::ts_v1_stateful),
    ("modern", servers::ts_v2),
];

/// A server with these tools, on two pages.
fn upstream(behaviour: Behaviour) -> Upstream {
    let tools: Vec<Value> = serde_json::from_str(TOOLS).unwrap();
    Upstream::start(move |request, state| {
        let in_session = request.header("mcp-session-id").is_some()
            || request.header("mcp-protocol-version") == Some("2026-07-28");
        match request.rpc() {
            "tools/list" if in_session => {
                let (items, rest) = match request.message["params"]["cursor"].as_str() {
                    Some("") => (&tools[5..], r#","ttlMs":60000,"cacheScope":"public""#),
                    _ => (
                        &tools[..5],
                        r#","ttlMs":90000,"cacheScope":"public","nextCursor":"""#,
                    ),
                };
                let items = Value::from(items);
                Reply::json(
                    200,
                    request.result(&format!(r#"{{"tools":{items}{rest}}}"#)),
                )
            }
            _ => behaviour(request, state),
        }
    })
}

/// The lean view.
fn document(app: &TestApp) -> Value {
    app.get(&path(SERVER, "openapi.json")).ok()
}

/// With everything.
fn full(app: &TestApp) -> Value {
    app.get(&path(SERVER, "openapi.json?view=full")).ok()
}

/// The operations by the server and the tool they run, each at the path that calls it.
fn operations(app: &TestApp, document: &Value) -> Map<String, Value> {
    let base = document["servers"][0]["url"].as_str().unwrap();
    let root = format!("http://{}", app.address);
    let paths = document["paths"].as_object().unwrap().iter();
    let by_tool = paths.map(|(path, item)| {
        let operation = &item["post"];
        let tool = operation["x-mcp-tool"].as_str().unwrap();
        let server = operation["tags"][0].as_str().unwrap();
        let expected = crate::app::path(server, &format!("tools/{}/execute", encode(tool)));
        assert_eq!(format!("{base}{path}"), format!("{root}{expected}"));
        (format!("{server} {tool}"), operation.clone())
    });
    by_tool.collect()
}

/// What a reference in a document leads to.
fn at<'d>(document: &'d Value, reference: &Value) -> &'d Value {
    let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
    let pointer = percent_decode_str(pointer).decode_utf8().unwrap();
    document
        .pointer(&pointer)
        .unwrap_or_else(|| panic!("{reference}"))
}

/// A schema as the server has written it, read back out of the document at `reference`.
fn read_back(document: &Value, reference: &Value) -> Value {
    let base = reference.as_str().unwrap();
    let mut schema = titled(at(document, reference));
    let name = base.rsplit('/').next().unwrap();
    if schema["$id"] == format!("mcp-rest://schemas/{name}/") {
        schema.as_object_mut().unwrap().shift_remove("$id");
        return schema;
    }
    let dialect = schema.get("$schema").is_some();
    let mut moves = Vec::new();
    for (keyword, noted) in [
        ("$defs", "x-mcp-defs"),
        ("definitions", "x-mcp-definitions"),
    ] {
        let members = schema.as_object_mut().unwrap();
        let Some(places) = members.shift_remove(noted) else {
            continue;
        };
        let mut definitions = Map::new();
        for (name, place) in places.as_object().unwrap() {
            let mut definition = titled(at(document, place));
            if dialect {
                definition.as_object_mut().unwrap().shift_remove("$schema");
            }
            let token = name.replace('~', "~0").replace('/', "~1");
            moves.push((
                place.as_str().unwrap().to_owned(),
                format!("#/{keyword}/{token}"),
            ));
            definitions.insert(name.clone(), definition);
        }
        members.insert(keyword.to_owned(), definitions.into());
    }
    moves.push((base.to_owned(), "#".to_owned()));
    restore(&mut schema, &moves);
    schema
}

/// A schema with its title where it was.
fn titled(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(members) = schema.as_object_mut()
        && let Some(title) = members.shift_remove("x-mcp-title")
    {
        members.insert("title".to_owned(), title);
    }
    schema
}

fn restore(value: &mut Value, moves: &[(String, String)]) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "$ref" || text.starts_with("#/components/") => {
                        let found = moves.iter().find_map(|(from, to)| {
                            let rest = text.strip_prefix(from.as_str())?;
                            let is_it = rest.is_empty() || rest.starts_with('/');
                            is_it.then(|| format!("{to}{rest}"))
                        });
                        *text = found.unwrap_or_else(|| text.clone());
                    }
                    _ => restore(member, moves),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| restore(item, moves)),
        _ => {}
    }
}

/// One spelling for references that mean the same.
fn spelled(schema: Value) -> Value {
    let text = schema.to_string().replace("#/%24defs/", "#/$defs/");
    serde_json::from_str(&text.replace(r#""$ref":"""#, r##""$ref":"#""##)).unwrap()
}

/// Every schema of every tool of a server, read back out of its document, is what its list says.
#[track_caller]
pub fn holds_all_schemas(app: &TestApp, server: &str) {
    let listed = app.get(&path(server, "tools?all=true")).ok();
    for target in [path(server, "openapi.json"), "/api/openapi.json".to_owned()] {
        let document = app.get(&format!("{target}?view=full")).ok();
        let operations = operations(app, &document);
        for tool in listed["tools"].as_array().unwrap() {
            let name = tool["name"].as_str().unwrap();
            let operation = &operations[&format!("{server} {name}")];
            let body = &operation["requestBody"]["content"]["application/json"];
            let input = read_back(&document, &body["schema"]["$ref"]);
            let expected = tool.get("inputSchema").filter(|schema| schema.is_object());
            let expected = expected.cloned().unwrap_or(json!({"type": "object"}));
            assert_eq!(spelled(input), spelled(expected), "{name}");
            let content = &operation["responses"]["200"]["content"];
            let output = &content["application/vnd.mcp.structured+json"];
            match tool.get("outputSchema").filter(|schema| schema.is_object()) {
                None => assert_eq!(*output, Value::Null, "{name}"),
                Some(expected) => {
                    let reference = &output["schema"]["$ref"];
                    assert_eq!(read_back(&document, reference), *expected, "{name}");
                    let whole = at(&document, &content["application/json"]["schema"]["$ref"]);
                    assert_eq!(whole["properties"]["structuredContent"]["$ref"], *reference);
                }
            }
        }
    }
}

#[test]
fn schemas_come_out_as_they_went_in() {
    for (_, behaviour) in BOTH_ERAS {
        let upstream = upstream(behaviour);
        let app = TestApp::over(&upstream);
        holds_all_schemas(&app, SERVER);
    }
}

#[test]
fn every_reference_leads_somewhere_in_the_document() {
    let upstream = upstream(servers::ts_v2);
    let app = TestApp::over(&upstream);
    for document in [document(&app), full(&app)] {
        let mut to_see = vec![&document];
        let mut seen = 0;
        while let Some(value) = to_see.pop() {
            match value {
                Value::Object(members) => to_see.extend(members.values()),
                Value::Array(items) => to_see.extend(items),
                _ => {}
            }
            if let Some(reference) = value.get("$ref").filter(|reference| reference.is_string())
                && reference.as_str().unwrap().starts_with("#/components/")
            {
                at(&document, reference);
                seen += 1;
            }
        }
        assert!(seen > 50, "{seen}");
        let tree = &document["components"]["schemas"]["TreeArguments"]["properties"];
        // A cycle is wrapped in the lean view.
        let any = tree["any"].get("$ref");
        let any = any.unwrap_or(&tree["any"]["allOf"][0]["$ref"]);
        assert_eq!(*any, "#/components/schemas/TreeArguments");
        let node = "#/components/schemas/TreeArgumentsNode";
        assert_eq!(tree["root"]["$ref"], node);
    }
}

#[test]
fn operations_say_what_the_definitions_say() {
    let upstream = upstream(servers::ts_v2);
    let app = TestApp::over(&upstream);
    // To some consumers the summary is all there is: it begins to tell what the description does.
    let summaries = [["d", "Sum"], ["plain", "Sum"]];
    for (document, [plain, sum]) in [document(&app), full(&app)].iter().zip(summaries) {
        assert_eq!(document["openapi"], "3.1.0");
        let operations = operations(&app, document);
        let of = |tool: &str| &operations[&format!("{SERVER} {tool}")];
        assert_eq!(
            (&of("plain")["summary"], &of("plain")["description"]),
            (&json!(plain), &json!("d"))
        );
        assert_eq!(of("get_sum")["summary"], sum);
        let odd = of("a/b c");
        assert_eq!(
            (&odd["summary"], &odd["deprecated"]),
            (&json!("Odd"), &json!(true))
        );
        assert_eq!(odd["x-openai-isConsequential"], false);
        assert_eq!(of("plain")["x-openai-isConsequential"], true);
        assert_eq!(of("plain")["requestBody"]["required"], true);
        assert_eq!(of("get_sum")["requestBody"]["required"], false);
        let example = &of("plain")["requestBody"]["content"]["application/json"]["example"];
        assert_eq!(*example, json!({"a": 1}));
    }
}

/// What reaches a model is the tool's own: body, result, and one problem for all.
#[test]
fn the_lean_view_has_what_a_caller_needs() {
    let upstream = upstream(servers::ts_v2);
    let app = TestApp::over(&upstream);
    let document = document(&app);
    let statuses = |operation: &Value| {
        let responses = operation["responses"].as_object().unwrap().keys();
        responses.cloned().collect::<Vec<_>>()
    };
    for (tool, operation) in &operations(&app, &document) {
        assert_eq!(operation["parameters"], Value::Null, "{tool}");
        assert_eq!(statuses(operation), ["200", "default"], "{tool}");
        let problem = at(&document, &operation["responses"]["default"]["$ref"]);
        let problem = &problem["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(*problem, "#/components/schemas/Problem", "{tool}");
        let answer = operation["responses"]["200"]["content"]
            .as_object()
            .unwrap();
        assert_eq!(answer.keys().collect::<Vec<_>>(), ["application/json"]);
    }
    let operations = operations(&app, &document);
    let answer = |tool: &str| {
        let operation = &operations[&format!("{SERVER} {tool}")];
        let content = &operation["responses"]["200"]["content"];
        content["application/json"]["schema"]["$ref"].clone()
    };
    assert_eq!(answer("plain"), "#/components/schemas/CallToolResult");
    let typed = at(&document, &answer("call_tool"));
    let output = at(&document, &typed["properties"]["structuredContent"]["$ref"]);
    assert_eq!(output["type"], "object");
    for absent in [
        "jsonSchemaDialect",
        "x-mcp-defs",
        "$schema",
        "auto",
        "timeoutMs",
    ] {
        assert!(!document.to_string().contains(absent), "{absent}");
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert!(schemas.values().all(|schema| schema.get("title").is_none()));
    // Where arguments are checked, or a tool's error is a status, there is 422.
    for server in [
        json!({"argumentChecks": "on"}),
        json!({"toolErrors": "status"}),
    ] {
        let mut server = server;
        server["url"] = upstream.url().into();
        let app = TestApp::spawn(&json!({"mcpServers": {SERVER: server}}));
        let document = self::document(&app);
        for operation in self::operations(&app, &document).values() {
            assert_eq!(statuses(operation), ["200", "422", "default"]);
        }
    }
}

/// 200 is what a call without parameters answers.
#[test]
fn the_answer_is_in_the_configured_form() {
    let upstream = upstream(servers::ts_v2);
    let answers = |server: Value| {
        let mut server = server;
        server["url"] = upstream.url().into();
        let app = TestApp::spawn(&json!({"mcpServers": {SERVER: server}}));
        let document = document(&app);
        let operations = operations(&app, &document);
        let of = |tool: &str| {
            operations[&format!("{SERVER} {tool}")]["responses"]["200"]["content"].clone()
        };
        let schemas = document["components"]["schemas"].clone();
        (of("get_sum"), of("plain"), schemas)
    };
    let json = |schema: Value| json!({"application/json": {"schema": schema}});
    let named = |schemas: &Value, end: &str| {
        let names = schemas.as_object().unwrap().keys();
        let mut names = names.filter(|name| name.starts_with("GetSum") && name.ends_with(end));
        json!({"$ref": format!("#/components/schemas/{}", names.next().unwrap())})
    };

    let (typed, untyped, schemas) = answers(json!({}));
    assert_eq!(typed, json(named(&schemas, "Result")));
    assert_eq!(
        untyped,
        json(json!({"$ref": "#/components/schemas/CallToolResult"}))
    );

    for form in ["value", "structured"] {
        let (typed, untyped, schemas) = answers(json!({"result": form, "toolErrors": "status"}));
        assert_eq!(typed, json(named(&schemas, "Output")), "{form}");
        assert_eq!(untyped, json(json!({})), "{form}");
    }
    // There a tool's error is an answer too: its text.
    let (typed, _, schemas) = answers(json!({"result": "value"}));
    let choice = &typed["application/json"]["schema"]["anyOf"];
    assert_eq!(
        (&choice[0], &choice[1]["type"]),
        (&named(&schemas, "Output"), &json!("string"))
    );

    let (typed, untyped, _) = answers(json!({"result": "text"}));
    assert_eq!(typed, json!({"text/plain": {"schema": {"type": "string"}}}));
    assert_eq!(untyped, typed);
}

#[test]
fn a_server_is_introduced_in_its_own_words() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = upstream(behaviour);
        let app = TestApp::over(&upstream);
        let info = &document(&app)["info"];
        let said = json!({"title": "scripted", "description": "Grüße", "version": "1.0"});
        assert_eq!(*info, said, "{era}");
        // A session that was opened to ask is ended, and the answer is remembered.
        document(&app);
        let asked = upstream.count("initialize") + upstream.count("server/discover");
        assert!(asked <= 4, "{era}: {asked}");
        if era == "legacy" {
            upstream.wait_until_no_session_is_left();
        }
    }
}

#[test]
fn the_full_view_has_everything() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = upstream(behaviour);
        let app = TestApp::over(&upstream);
        let document = full(&app);
        let operations = operations(&app, &document);
        let plain = &operations[&format!("{SERVER} plain")];
        for status in ["400", "401", "404", "422", "502", "504"] {
            let response = at(&document, &plain["responses"][status]["$ref"]);
            let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(*problem, "#/components/schemas/Problem", "{status}");
        }
        let odd = &operations[&format!("{SERVER} a/b c")];
        assert_eq!(odd["x-mcp-annotations"]["readOnlyHint"], true);
        let parameters = plain["parameters"].as_array().unwrap().iter();
        let parameters = parameters.map(|it| at(&document, &it["$ref"])["name"].as_str().unwrap());
        let parameters: BTreeSet<&str> = parameters.collect();
        assert!(parameters.contains("timeoutMs") && parameters.contains("result"));
        for of_sessions in ["init", "close", "sessionId", "Mcp-Session-Id"] {
            assert_eq!(
                parameters.contains(of_sessions),
                era == "legacy",
                "{of_sessions}"
            );
        }
        let schemes = document["components"]["securitySchemes"].as_object();
        assert_eq!(
            schemes.unwrap().keys().collect::<Vec<_>>(),
            ["apiKey", "bearer"]
        );
    }
    let upstream = upstream(servers::ts_v2);
    let app = TestApp::over(&upstream);
    app.get(&path(SERVER, "openapi.json?view=most"))
        .is_refused(400, "invalid_request");
}

#[test]
fn operation_ids_are_unique_legal_and_do_not_depend_on_others() {
    let whole = upstream(servers::ts_v2);
    let app = TestApp::over(&whole);
    let ids = || -> BTreeSet<String> {
        let operations = operations(&app, &document(&app));
        let ids = operations.values().map(|it| it["operationId"].as_str());
        ids.map(|id| id.unwrap().to_owned()).collect()
    };
    let first = ids();
    assert_eq!(first.len(), 17);
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    for id in &first {
        assert!(id.len() <= 64 && id.bytes().all(legal), "{id}");
        assert!(!id.as_bytes()[0].is_ascii_digit(), "{id}");
    }
    for own in ["plain", "a_b_c", "call_tool", "odd_keywords"] {
        assert!(first.contains(own), "{own}");
    }
    // These two would be one to a generator that writes them in its own way.
    assert!(!first.contains("get_sum") && !first.contains("getSum"));
    assert_eq!(first, ids());
}

/// Generators call a schema by its title where it has one, else by its key, in notations of their own; two must not have one name.
#[test]
fn no_two_schemas_have_one_name() {
    let upstream = upstream(servers::ts_v2);
    let app = TestApp::over(&upstream);
    for document in [document(&app), full(&app)] {
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let mut seen = BTreeSet::new();
        for (key, schema) in schemas {
            assert!(key.bytes().all(|b| b.is_ascii_alphanumeric()), "{key}");
            assert!(seen.insert(key.to_lowercase()), "{key}");
            assert_eq!(schema["title"], Value::Null, "{key}");
        }
        assert!(schemas.contains_key("CallToolResult"));
        assert!(
            schemas.contains_key("CallToolArguments") && schemas.contains_key("CallToolOutput")
        );
    }
    let schemas = &full(&app)["components"]["schemas"];
    assert_eq!(schemas["TitledArguments"]["x-mcp-title"], "Args");
    assert_eq!(schemas["TitledArgumentsP"]["x-mcp-title"], "Problem");
}

#[test]
fn documents_are_kept_as_the_server_says() {
    let public = |upstream: &Upstream| {
        TestApp::spawn(&json!({"mcpServers": {SERVER: {"url": upstream.url()}},
            "gateway": {"publicUrl": "https://api.example.com"}}))
    };
    for (era, behaviour) in BOTH_ERAS {
        let upstream = upstream(behaviour);
        let app = public(&upstream);
        let first = app.get(&path(SERVER, "openapi.json"));
        // The page that lives shortest counts.
        assert_eq!(
            first.header("cache-control"),
            Some("public, max-age=60"),
            "{era}"
        );
        let tag = first.header("etag").unwrap();
        let again = Request::get(&path(SERVER, "openapi.json")).header("if-none-match", tag);
        let again = app.request(&again);
        assert_eq!((again.status, again.body.len()), (304, 0), "{era}");
        let all = app.get("/api/openapi.json");
        assert_eq!(
            all.header("cache-control"),
            Some("public, max-age=60"),
            "{era}"
        );
    }
    // A cache that serves others must not hand a session out to them, nor addresses that a request has claimed.
    let stateful = upstream(servers::ts_v1_stateful);
    let response = TestApp::over(&stateful).get(&path(SERVER, "openapi.json"));
    assert_eq!(
        response.header("cache-control"),
        Some("private, max-age=60")
    );
    assert_eq!(response.header("vary"), Some("Accept, Host"));
    let app = public(&stateful);
    let own = app.get(&path(SERVER, "openapi.json?init=true"));
    assert!(own.session().is_some());
    assert_eq!(own.header("cache-control"), Some("private, max-age=60"));
    let untold = Upstream::start(servers::ts_v1_stateless);
    let response = TestApp::over(&untold).get(&path(SERVER, "openapi.json"));
    assert_eq!(response.header("cache-control"), Some("private, no-cache"));
}

#[test]
fn keys_are_asked_for_and_documents_are_nobody_else_s() {
    let upstream = upstream(servers::ts_v2);
    let config = json!({"mcpServers": {SERVER: {"url": upstream.url()}}, "gateway": {"auth": {"apiKeys": ["${KEY}"]}}});
    let app = TestApp::spawn_with(&config, &[], &[("KEY", "s3cret-key")]);
    let target = path(SERVER, "openapi.json");
    let refused = app.get(&target);
    refused.is_refused(401, "unauthorized");
    let response = app.request(&Request::get(&target).header("x-api-key", "s3cret-key"));
    assert_eq!(
        response.header("cache-control"),
        Some("private, max-age=60")
    );
    let document = response.ok();
    let required = json!([{"apiKey": []}, {"bearer": []}]);
    assert_eq!(document["security"], required);
    let full =
        Request::get(&path(SERVER, "openapi.json?view=full")).header("x-api-key", "s3cret-key");
    let full = app.request(&full).ok();
    let operations = operations(&app, &full);
    assert!(operations.values().all(|it| it["security"] == required));
    // The page is for whoever opens it; a browser cannot send a key along.
    for page in [path(SERVER, "docs"), path("nope", "docs")] {
        let page = app.get(&page);
        assert_eq!(
            (page.status, page.headers.media_type()),
            (200, Some("text/html"))
        );
    }
}

#[test]
fn servers_that_are_down_are_named_and_names_do_not_collide() {
    let one = upstream(servers::ts_v2);
    let other = upstream(servers::ts_v1_stateful);
    let app = TestApp::spawn(&json!({"mcpServers": {
        "a": {"url": one.url()},
        "a b": {"url": other.url()},
        "down": {"url": "http://127.0.0.1:9/mcp", "retries": 0},
    }}));
    let response = app.get("/api/openapi.json");
    assert_eq!(response.header("cache-control"), Some("private, no-cache"));
    let document = response.ok();
    let failed = &document["info"]["x-mcp-failed-servers"];
    assert_eq!(
        (&failed[0]["server"], &failed[0]["code"]),
        (&json!("down"), &json!("upstream_unreachable"))
    );
    assert!(
        document["info"]["description"]
            .as_str()
            .unwrap()
            .contains("`down`")
    );
    let operations = operations(&app, &document);
    assert_eq!(operations.len(), 34);
    let ids: BTreeSet<&str> = operations
        .values()
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 34);
    assert!(ids.contains("a_plain") && ids.contains("a_b_plain"));
    // Two schemas with the same `$id` are two resources.
    let identified: BTreeSet<&str> = ["a", "a b"]
        .iter()
        .map(|server| {
            let body = &operations[&format!("{server} identified")]["requestBody"];
            let schema = &body["content"]["application/json"]["schema"]["$ref"];
            at(&document, schema)["$id"].as_str().unwrap()
        })
        .collect();
    assert_eq!(identified.len(), 2, "{identified:?}");
}

#[test]
fn a_server_that_is_not_there_has_no_document() {
    let app = TestApp::spawn(
        &json!({"mcpServers": {SERVER: {"url": "http://127.0.0.1:9/mcp", "retries": 0}}}),
    );
    app.get(&path(SERVER, "openapi.json"))
        .is_refused(502, "upstream_unreachable");
    app.get(&path("nope", "openapi.json"))
        .is_refused(404, "server_not_found");
    app.get(&path("nope", "docs"))
        .is_refused(404, "server_not_found");
}

// === Where the service is ===

fn url(response: &Response) -> Value {
    response.ok()["servers"][0]["url"].clone()
}

#[test]
fn proxies_that_are_trusted_say_where_the_service_is() {
    let upstream = upstream(servers::ts_v2);
    let with = |gateway: Value| {
        TestApp::spawn(
            &json!({"mcpServers": {SERVER: {"url": upstream.url()}}, "gateway": gateway}),
        )
    };
    let forwarded = |target: &str| {
        Request::get(target)
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "api.example.com")
            .header("x-forwarded-prefix", "/mcp")
    };
    let at = path(SERVER, "");
    let targets = [
        (path(SERVER, "openapi.json"), at.trim_end_matches('/')),
        ("/api/openapi.json".to_owned(), "/api"),
        ("/openapi.json".to_owned(), ""),
    ];

    let nowhere = with(json!({}));
    let behind = with(json!({"basePath": "/base"}));
    let trusting = with(json!({"basePath": "/base", "trustedProxies": ["127.0.0.0/8"]}));
    let trusting_others = with(json!({"trustedProxies": ["10.1.2.3"]}));
    let public = with(
        json!({"publicUrl": "https://public.example.com/p/", "basePath": "/base",
        "trustedProxies": ["127.0.0.0/8"]}),
    );
    for (target, at) in &targets {
        let asked = |app: &TestApp, base: &str, vary: Option<&str>| {
            let response = app.request(&forwarded(target));
            assert_eq!(url(&response), format!("{base}{at}"), "{target}");
            let varies = response
                .header("vary")
                .is_some_and(|it| it.contains("Host"));
            assert_eq!(varies, vary.is_some(), "{target}");
            if let Some(vary) = vary {
                assert_eq!(response.header("vary"), Some(vary), "{target}");
                let kept = response.header("cache-control").unwrap();
                assert!(kept.starts_with("private"), "{target}: {kept}");
            }
        };
        let own = |app: &TestApp| format!("http://{}", app.address);
        asked(&nowhere, &own(&nowhere), Some("Accept, Host"));
        let proxied = "Accept, Host, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Prefix";
        asked(&trusting_others, &own(&trusting_others), Some(proxied));
        asked(
            &behind,
            &format!("{}/base", own(&behind)),
            Some("Accept, Host"),
        );
        asked(&trusting, "https://api.example.com/mcp", Some(proxied));
        asked(&public, "https://public.example.com/p", None);
        let direct = url(&trusting.get(target));
        assert_eq!(direct, format!("{}/base{at}", own(&trusting)), "{target}");
    }
    let tool = path(SERVER, "tools/plain");
    for (app, base) in [
        (&trusting, "https://api.example.com/mcp"),
        (&public, "https://public.example.com/p"),
    ] {
        let described = app.request(&forwarded(&tool)).ok();
        let expected = format!("{base}{}", path(SERVER, "tools/plain/execute"));
        assert_eq!(described["example"]["url"], expected);
    }
}

// === Pages ===

#[test]
fn every_server_has_a_page_that_needs_nothing_from_elsewhere() {
    let upstream = upstream(servers::ts_v2);
    let app = TestApp::over(&upstream);
    for (target, root) in [
        (path(SERVER, "docs"), "../../../swagger-ui/"),
        (path(SERVER, "docs/"), "../../../../swagger-ui/"),
        ("/swagger-ui/".to_owned(), "../swagger-ui/"),
    ] {
        let page = Request::get(&target).send(app.address);
        assert_eq!(
            (page.status, page.headers.media_type()),
            (200, Some("text/html")),
            "{target}"
        );
        let assets = format!("src=\"{root}");
        assert_eq!(page.text().matches(&assets).count(), 3, "{}", page.text());
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(
            !page.text().contains("{root}") && !page.text().contains("://"),
            "{}",
            page.text()
        );
    }
    for (asset, media_type) in [
        ("docs.js", "text/javascript"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
        ("favicon.svg", "image/svg+xml"),
    ] {
        let asset = app.get(&format!("/swagger-ui/{asset}"));
        assert_eq!(
            (asset.status, asset.headers.media_type()),
            (200, Some(media_type))
        );
    }
    // Nothing else of what Swagger UI comes with.
    for other in ["swagger-initializer.js", "oauth2-redirect.html", ".npmrc"] {
        app.get(&format!("/swagger-ui/{other}"))
            .is_refused(404, "not_found");
    }
    let without_slash = Request::get("/swagger-ui").send(app.address);
    assert_eq!(
        (without_slash.status, without_slash.header("location")),
        (308, Some("swagger-ui/"))
    );
}
