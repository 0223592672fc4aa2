//! Every response the tests see, held against the service's own OpenAPI document: the operation, the status, the
//! content type and the body must be in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::http::{Request, Response};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json");

struct Document {
    root: Value,
    /// Compiled schemas by their text.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Checks one response.
#[track_caller]
pub fn check(request: &Request, response: &Response) {
    let Some(document) = document() else { return };
    let path = request.target.split(['?', '#']).next().unwrap_or_default();
    let what = format!("{} {path} -> {}", request.method, response.status);
    let content = document.content(&request.method, path, response.status);
    let Some(content) = content.unwrap_or_else(|reason| panic!("{what}: {reason}")) else {
        assert!(
            response.body.is_empty(),
            "{what}: the document knows no body"
        );
        return;
    };
    let media_type = response.headers.media_type().unwrap_or_default();
    let (kind, _) = media_type.split_once('/').unwrap_or_default();
    let ranges = [media_type, &format!("{kind}/*"), "*/*"];
    let Some(described) = ranges.iter().find_map(|range| content.get(range)) else {
        panic!("{what}: {media_type:?} is not in the document");
    };
    if (media_type.ends_with("/json") || media_type.ends_with("+json"))
        && content.get(media_type).is_some()
    {
        document.validate(&what, &described["schema"], &response.json());
    }
}

fn document() -> Option<&'static Document> {
    static LOADED: OnceLock<Option<Document>> = OnceLock::new();
    let load = || {
        let Ok(text) = std::fs::read(DOCUMENT) else {
            eprintln!("responses are NOT checked: there is no {DOCUMENT}");
            return None;
        };
        let root = serde_json::from_slice(&text).unwrap();
        Some(Document {
            root,
            validators: Mutex::default(),
        })
    };
    LOADED.get_or_init(load).as_ref()
}

impl Document {
    /// What the document says of the body of an answer; `None` if it has none.
    fn content(
        &self,
        method: &str,
        path: &str,
        status: u16,
    ) -> Result<Option<Value>, &'static str> {
        let Some(operation) = self.operation(method, path) else {
            // An unknown route, or a method that a route does not have.
            let problem = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
            return if (400..500).contains(&status) {
                Ok(Some(json!({"application/problem+json": problem})))
            } else {
                Err("this operation is not in the document")
            };
        };
        let answer = operation["responses"]
            .get(status.to_string())
            .ok_or("this status is not in the document")?;
        Ok(self.resolve(answer).get("content").cloned())
    }

    /// The operation whose path template matches; of several the one with the most literal segments.
    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let paths = self.root["paths"].as_object().unwrap();
        let (_, item) = paths
            .iter()
            .filter(|(template, _)| matches(template, path))
            .max_by_key(|(template, _)| {
                segments(template)
                    .filter(|part| !is_parameter(part))
                    .count()
            })?;
        item.get(method.to_ascii_lowercase())
    }

    /// What a `$ref` points at.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"]
            .as_str()
            .and_then(|target| target.strip_prefix('#'))
        {
            Some(pointer) => self.root.pointer(pointer).unwrap(),
            None => value,
        }
    }

    fn validate(&self, what: &str, schema: &Value, body: &Value) {
        let validator = self.validator(schema);
        let mistakes: Vec<String> = validator
            .iter_errors(body)
            .map(|mistake| format!("{}: {mistake}", mistake.instance_path()))
            .collect();
        assert!(mistakes.is_empty(), "{what}: {mistakes:#?} in {body}");
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let compile = || {
            let mut whole = schema.clone();
            // So that "#/components/..." can be found from within the schema.
            if let Some(members) = whole.as_object_mut() {
                members.insert("components".to_owned(), self.root["components"].clone());
            }
            Arc::new(jsonschema::draft202012::new(&whole).unwrap())
        };
        Arc::clone(validators.entry(schema.to_string()).or_insert_with(compile))
    }
}

fn matches(template: &str, path: &str) -> bool {
    segments(template).count() == segments(path).count()
        && segments(template)
            .zip(segments(path))
            .all(|(expected, found)| is_parameter(expected) || expected == found)
}

/// The parts between slashes; a trailing slash makes no part.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_end_matches('/').split('/').skip(1)
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}
