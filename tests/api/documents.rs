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

fn document(app: &TestApp) -> Value {
    app.get(&path(SERVER, "openapi.json")).ok()
}

/// The operations by the tool they run.
fn operations(document: &Value) -> Map<String, Value> {
    let paths = document["paths"].as_object().unwrap().iter();
    let by_tool = paths.map(|(path, item)| {
        let operation = &item["post"];
        let tool = operation["x-mcp-tool"].as_str().unwrap();
        let server = operation["x-mcp-server"].as_str().unwrap();
        let expected = crate::app::path(server, &format!("tools/{}/execute", encode(tool)));
        assert_eq!(*path, expected);
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
                            Some(format!("{to}{rest}"))
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
        let document = app.get(&target).ok();
        let operations = operations(&document);
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
    let document = document(&app);
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
    let tree = &document["components"]["schemas"]["tree_input"]["properties"];
    assert_eq!(tree["any"]["$ref"], "#/components/schemas/tree_input");
    assert_eq!(tree["root"]["$ref"], "#/components/schemas/tree_input.Node");
}

#[test]
fn operations_say_what_the_definitions_say() {
    let upstream = upstream(servers::ts_v2);
    let app = TestApp::over(&upstream);
    let document = document(&app);
    assert_eq!(document["openapi"], "3.1.0");
    let operations = operations(&document);
    let of = |tool: &str| &operations[&format!("{SERVER} {tool}")];
    assert_eq!(
        (&of("plain")["summary"], &of("plain")["description"]),
        (&json!("plain"), &json!("d"))
    );
    assert_eq!(of("get_sum")["summary"], "Sum");
    let odd = of("a/b c");
    assert_eq!(
        (&odd["summary"], &odd["deprecated"]),
        (&json!("Odd"), &json!(true))
    );
    assert_eq!(odd["x-mcp-annotations"]["readOnlyHint"], true);
    assert_eq!(of("plain")["requestBody"]["required"], true);
    assert_eq!(of("get_sum")["requestBody"]["required"], false);
    let example = &of("plain")["requestBody"]["content"]["application/json"]["example"];
    assert_eq!(*example, json!({"a": 1}));
    for status in ["400", "401", "404", "422", "502", "504"] {
        let response = at(&document, &of("plain")["responses"][status]["$ref"]);
        let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(*problem, "#/components/schemas/Problem", "{status}");
    }
    let schemes = document["components"]["securitySchemes"]
        .as_object()
        .unwrap();
    assert_eq!(schemes.keys().collect::<Vec<_>>(), ["apiKey", "bearer"]);
}

#[test]
fn operation_ids_are_unique_legal_and_do_not_depend_on_others() {
    let whole = upstream(servers::ts_v2);
    let app = TestApp::over(&whole);
    let operations = operations(&document(&app));
    let ids: BTreeSet<String> = operations
        .values()
        .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), operations.len());
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    assert!(
        ids.iter()
            .all(|id| id.bytes().all(legal) && !id.as_bytes()[0].is_ascii_digit())
    );
    assert!(ids.contains("plain") && ids.contains("a_b_c"));
    // These two would be one to a generator that writes them in its own way.
    assert!(!ids.contains("get_sum") && !ids.contains("getSum"));
    let again: BTreeSet<String> = self::operations(&document(&app))
        .values()
        .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, again);
}

/// Generators call a schema by its title where it has one, else by its key; two must not have one name.
#[test]
fn no_two_schemas_have_one_name() {
    let upstream = upstream(servers::ts_v2);
    let app = TestApp::over(&upstream);
    let document = document(&app);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let bare = |name: &str| {
        let kept = name.chars().filter(char::is_ascii_alphanumeric);
        kept.collect::<String>().to_lowercase()
    };
    let mut seen = BTreeSet::new();
    for (key, schema) in schemas {
        let name = schema["title"].as_str().unwrap_or(key);
        assert!(seen.insert(bare(name)), "{key}: {name}");
    }
    assert_eq!(schemas["titled_input"]["x-mcp-title"], "Args");
    assert_eq!(schemas["titled_input.P"]["x-mcp-title"], "Problem");
    assert!(schemas.contains_key("CallToolResult") && !schemas.contains_key("call_tool_result"));
}

#[test]
fn documents_are_kept_as_the_server_says() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = upstream(behaviour);
        let app = TestApp::over(&upstream);
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
    // A cache that serves others must not hand a session out to them.
    let stateful = upstream(servers::ts_v1_stateful);
    let app = TestApp::over(&stateful);
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
    assert!(
        operations(&document)
            .values()
            .all(|it| it["security"] == required)
    );
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
    let operations = operations(&document);
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
    let targets = [
        path(SERVER, "openapi.json"),
        "/api/openapi.json".to_owned(),
        "/openapi.json".to_owned(),
    ];

    let nowhere = with(json!({}));
    let behind = with(json!({"basePath": "/base"}));
    let trusting = with(json!({"basePath": "/base", "trustedProxies": ["127.0.0.0/8"]}));
    let trusting_others = with(json!({"trustedProxies": ["10.1.2.3"]}));
    for target in &targets {
        assert_eq!(url(&nowhere.request(&forwarded(target))), "/", "{target}");
        assert_eq!(
            url(&trusting_others.request(&forwarded(target))),
            "/",
            "{target}"
        );
        assert_eq!(
            url(&behind.request(&forwarded(target))),
            "/base",
            "{target}"
        );
        let told = trusting.request(&forwarded(target));
        assert_eq!(url(&told), "https://api.example.com/mcp", "{target}");
        assert!(
            told.header("vary").unwrap().contains("X-Forwarded-Host"),
            "{target}"
        );
        assert_eq!(url(&trusting.get(target)), "/base", "{target}");
    }
    let described = trusting.request(&forwarded(&path(SERVER, "tools/plain")));
    let expected = format!(
        "https://api.example.com/mcp{}",
        path(SERVER, "tools/plain/execute")
    );
    assert_eq!(described.ok()["example"]["url"], expected);
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
        assert_eq!(page.text().matches(&assets).count(), 2, "{}", page.text());
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
