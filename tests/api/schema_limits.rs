//! Schemas that would cost more than their answer is worth: what they may take of memory and work, and what happens instead.
//!
//! Costs are read from `/proc`: peak memory, and processor time, which does not depend on who else is at work.

use serde_json::{Map, Value, json};

use crate::app::{SERVER, TestApp, execute, path};
use crate::process::Ticks;
use crate::upstream::{Reply, Upstream, servers};

/// What a process has taken up to a moment.
pub struct Cost {
    /// MiB.
    memory: usize,
    ticks: Ticks,
}

impl Cost {
    /// Up to now.
    pub fn of(app: &TestApp) -> Self {
        let process = app.process();
        Self {
            memory: process.peak_memory() >> 20,
            ticks: process.ticks(),
        }
    }

    /// The process has taken no more than this since, in MiB of peak memory and in hundredths of a second.
    #[track_caller]
    pub fn is_within(&self, app: &TestApp, memory: usize, ticks: Ticks) {
        let now = Self::of(app);
        let (more, longer) = (now.memory - self.memory, now.ticks - self.ticks);
        assert!(more <= memory, "{more} MiB");
        assert!(longer <= ticks, "{longer} ticks");
    }
}

/// A server whose tools, all of them read-only, have these schemas.
fn server(schemas: &[(&str, Value)]) -> Upstream {
    let tools = schemas.iter().map(|(name, schema)| {
        json!({"name": name, "inputSchema": schema, "annotations": {"readOnlyHint": true}})
    });
    let list = json!({"tools": tools.collect::<Vec<_>>()}).to_string();
    Upstream::start(move |request, state| match request.rpc() {
        "tools/list" => Reply::json(200, request.result(&list)),
        "tools/call" => {
            state.executed();
            Reply::json(200, request.result(r#"{"content":[]}"#))
        }
        _ => servers::ts_v1_stateless(request, state),
    })
}

fn checked(upstream: &Upstream) -> TestApp {
    TestApp::over_with(upstream, json!({"argumentChecks": "on"}))
}

/// The answer about one tool.
fn described(app: &TestApp, tool: &str) -> Value {
    app.get(&path(SERVER, &format!("tools/{tool}")))
        .ok()
        .clone()
}

/// An object with so many members.
fn members(count: usize, member: impl Fn(usize) -> Value) -> Map<String, Value> {
    (0..count)
        .map(|number| (format!("p{number}"), member(number)))
        .collect()
}

#[test]
fn patterns_are_counted_before_they_are_compiled() {
    let many = members(
        4_000,
        |number| json!({"pattern": format!("^(a|b){{1,200}}c{number}$")}),
    );
    let large = json!({"properties": {
        "a": {"pattern": "((a{100}){100}){100}"}, "n": {"type": "integer"},
    }});
    let upstream = server(&[("many", json!({"properties": many})), ("large", large)]);
    let app = checked(&upstream);
    let cost = Cost::of(&app);
    assert_eq!(described(&app, "many")["example"]["arguments"], Value::Null);
    for tool in ["many", "large"] {
        app.execute(SERVER, tool, &json!({"a": "x"})).ok();
    }
    // A pattern that is too large is left out; the rest of its schema counts.
    let misfit = app.execute(SERVER, "large", &json!({"n": "x"}));
    misfit.is_refused(422, "invalid_arguments");
    app.get(&path(SERVER, "openapi.json")).ok();
    cost.is_within(&app, 128, 1_000);
}

#[test]
fn long_texts_and_slow_patterns_are_not_brought_together() {
    let slow = json!({"properties": {"a": {"type": "string", "pattern": "(a|b)*a(a|b){600}c"}}});
    let upstream = server(&[("slow", slow)]);
    let app = checked(&upstream);
    let text = |length: usize| -> Value {
        // No two stretches of it are alike.
        let letters = (0..length).map(|n| if (n * n / 7) % 3 == 0 { 'a' } else { 'b' });
        json!({"a": letters.collect::<String>()})
    };
    let short = app
        .execute(SERVER, "slow", &text(50))
        .is_refused(422, "invalid_arguments");
    assert_eq!(short.0["errors"][0]["keyword"], "pattern");
    let cost = Cost::of(&app);
    let long = app.execute(SERVER, "slow", &text(2_000_000));
    let problem = long.is_refused(422, "invalid_arguments");
    assert_eq!(problem.0["errors"][0]["keyword"], "inputSchema");
    cost.is_within(&app, 128, 500);
    assert_eq!(upstream.executions(), 0);
}

#[test]
fn compiled_schemas_are_weighed() {
    // Validators keep the pointer of every keyword: each of these schemas makes some 20 MB of 20 KB.
    let names: Vec<String> = (0..24).map(|number| format!("t{number}")).collect();
    let schemas: Vec<(&str, Value)> = names
        .iter()
        .map(|name| {
            let long = format!("{name}{}", "n".repeat(12_000));
            let below = members(600, |_| json!({"type": "string"}));
            (
                name.as_str(),
                json!({"properties": {long: {"properties": below}}}),
            )
        })
        .collect();
    let upstream = server(&schemas);
    let app = checked(&upstream);
    let cost = Cost::of(&app);
    for name in &names {
        app.execute(SERVER, name, &json!({})).ok();
    }
    cost.is_within(&app, 160, 3_000);
}

#[test]
fn examples_are_64_kib_at_most() {
    let default = "d".repeat(50_000);
    let properties = members(4_000, |_| json!({"$ref": "#/$defs/d"}));
    let required: Vec<&String> = properties.keys().collect();
    let many = json!({"properties": properties, "required": required, "$defs": {"d": {"default": default}}});
    let quoted = json!({"properties": {"a": {"default": "'\"".repeat(15_000)}}, "required": ["a"]});
    let fine = json!({"properties": {"a": {"default": "x".repeat(20_000)}}, "required": ["a"]});
    let upstream = server(&[("many", many), ("quoted", quoted), ("fine", fine)]);
    let app = TestApp::over(&upstream);
    let cost = Cost::of(&app);
    for tool in ["many", "quoted", "fine"] {
        let example = described(&app, tool)["example"].clone();
        assert!(example.to_string().len() <= 64 << 10, "{tool}");
        assert_eq!(example["arguments"].is_object(), tool == "fine", "{tool}");
    }
    app.get(&path(SERVER, "openapi.json")).ok();
    cost.is_within(&app, 96, 1_000);
}

#[test]
fn what_a_query_learns_is_not_copied() {
    let listed: Vec<String> = (0..10_000).map(|number| format!("v{number}")).collect();
    let place = json!({"anyOf": vec![json!({"$ref": "#/$defs/listed"}); 2_000]});
    let schema = json!({"properties": {"a": place}, "$defs": {"listed": {"enum": listed}}});
    let upstream = server(&[("look", schema)]);
    let app = TestApp::over(&upstream);
    let cost = Cost::of(&app);
    app.get(&path(SERVER, "tools/look/execute?a=v7")).ok();
    cost.is_within(&app, 64, 500);
    let sent = upstream.only("tools/call");
    assert!(
        sent.body.contains(r#""arguments":{"a":"v7"}"#),
        "{}",
        sent.body
    );
    let many: Vec<String> = (0..999).map(|number| format!("a=v{number}")).collect();
    let refused = app.get(&path(
        SERVER,
        &format!("tools/look/execute?{}", many.join("&")),
    ));
    assert!(matches!(refused.status, 400 | 422), "{}", refused.status);
    assert_eq!(upstream.executions(), 1);
}

#[test]
fn schemas_over_256_kib_are_not_used() {
    let long = json!({"properties": {"a": {"type": "integer"}}, "required": ["a"], "description": "d".repeat(256 << 10)});
    let upstream = server(&[("long", long)]);
    let app = checked(&upstream);
    assert_eq!(described(&app, "long")["example"]["arguments"], Value::Null);
    let query = app.get(&path(SERVER, "tools/long/execute?a=1"));
    let problem = query.is_refused(400, "invalid_request");
    problem.says("invalid_request_schema_cannot_type_a_query");
    assert_eq!(upstream.executions(), 0);
    app.execute(SERVER, "long", &json!({"a": "x"})).ok();
    assert_eq!(upstream.executions(), 1);
}

#[test]
fn arguments_that_cannot_be_checked_are_not_sent() {
    let schema = json!({"properties": {"a": {"type": "string"}}});
    let unusable = json!({"properties": {"a": {"type": "string", "pattern": "(?<=a)b"}}});
    let upstream = server(&[("usable", schema), ("unusable", unusable)]);
    let app = checked(&upstream);
    let items = format!(r#"{{"b":[{}0]}}"#, "0,".repeat(1_000_000));
    let bodies = [r#"{"b":1e400}"#, r#"{"b":"\ud800"}"#, items.as_str()];
    let cost = Cost::of(&app);
    for body in bodies {
        let refused = app.request(&execute(SERVER, "usable", "").json(body));
        let problem = refused.is_refused(422, "invalid_arguments");
        assert_eq!(problem.0["errors"][0]["pointer"], "");
    }
    cost.is_within(&app, 96, 500);
    assert_eq!(upstream.executions(), 0);
    // A schema that cannot be used lets everything pass.
    app.request(&execute(SERVER, "unusable", "").json(&items))
        .ok();
    assert_eq!(upstream.executions(), 1);
}

#[test]
fn what_is_told_of_mistakes_is_short() {
    let enumerated: Vec<String> = (0..100)
        .map(|number| format!("{number}{}", "v".repeat(1_000)))
        .collect();
    let schema = json!({"additionalProperties": {"enum": enumerated}});
    let upstream = server(&[("listed", schema)]);
    let app = checked(&upstream);
    let long: Map<String, Value> = (0..100)
        .map(|number| (format!("{number}{}", "n".repeat(10_000)), json!(number)))
        .collect();
    for wrong in [json!(members(100, |_| json!(7))), json!(long)] {
        let refused = app.execute(SERVER, "listed", &wrong);
        let problem = refused.is_refused(422, "invalid_arguments");
        assert!(problem.0.to_string().len() < 64 << 10);
    }
}

#[test]
fn the_deadline_counts_for_work_on_schemas_too() {
    // Each is checked in turn: what waits for its turn waits no longer than its own deadline, and nothing is sent then.
    let slow = json!({"properties": {"a": {"type": "array", "items": {"anyOf": vec![json!({"minLength": 2}); 100]}}}});
    let upstream = server(&[("slow", slow)]);
    let app = checked(&upstream);
    let body = json!({"a": vec!["x"; 20_000]});
    app.execute_with(SERVER, "slow", "?timeoutMs=60000", &json!({"a": ["xx"]}))
        .ok();
    let late = app.execute_with(SERVER, "slow", "?timeoutMs=1", &body);
    late.is_refused(504, "upstream_timeout");
    assert_eq!(upstream.executions(), 1);
}

/// Validators go as deep for these as there are hubs times links, however often each is defined.
#[test]
fn what_applies_in_place_is_counted_where_the_rest_is_asked_for() {
    let (hubs, links) = (40, 30);
    let mut definitions = Map::new();
    for hub in 0..hubs {
        let mut chain = json!({"$ref": format!("#/$defs/hub{}", (hub + hubs - 1) % hubs)});
        for _ in 0..links {
            chain = json!({"allOf": [chain]});
        }
        let next = json!([{"$ref": format!("#/$defs/hub{}", hub + 1)}]);
        let mut this = json!({"$ref": format!("#/$defs/chain{hub}")});
        if hub + 1 < hubs {
            this["allOf"] = next;
        }
        definitions.insert(format!("hub{hub}"), this);
        definitions.insert(format!("chain{hub}"), chain);
    }
    let last = format!("#/$defs/hub{}", hubs - 1);
    let deep = json!({"$defs": definitions, "properties": {"x": {
        "unevaluatedProperties": false, "$ref": last, "allOf": [{"$ref": "#/$defs/hub0"}],
    }}});
    let mut chain = json!({"properties": {"n": {"multipleOf": 1e-300}}});
    for _ in 0..100 {
        chain = json!({"if": chain});
    }
    let long = json!({"unevaluatedProperties": false, "allOf": [chain]});
    let upstream = server(&[("deep", deep), ("long", long)]);
    let app = checked(&upstream);
    let cost = Cost::of(&app);
    for tool in ["deep", "long"] {
        described(&app, tool);
        app.execute(SERVER, tool, &json!({"x": {"a": 1}, "n": 1}))
            .ok();
    }
    app.get(&path(SERVER, "openapi.json")).ok();
    cost.is_within(&app, 64, 300);
}
