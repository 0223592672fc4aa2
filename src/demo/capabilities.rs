//! The capabilities of the demo server besides tools: two resources, a resource template, a prompt, and completion for both.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::demo::message::{Era, LISTS_LIVE_MS, Params, Refusal, from_object};
use crate::demo::tools::PIXEL;

const NOTES: &str = "# Notes\n\nThis is a resource of the demo server.\n";
const LANGUAGES: [(&str, &str); 4] = [
    ("dutch", "Hallo"),
    ("english", "Hello"),
    ("french", "Bonjour"),
    ("german", "Guten Tag"),
];

/// A list or a content that clients may cache.
fn public(era: Era, member: &str, value: &Value) -> Value {
    match era {
        Era::Modern => json!({member: value, "ttlMs": LISTS_LIVE_MS, "cacheScope": "public"}),
        Era::Legacy => json!({member: value}),
    }
}

pub(crate) fn list_resources(era: Era) -> Value {
    let resources = json!([
        {"uri": "demo://notes.md", "name": "notes", "title": "Notes", "mimeType": "text/markdown"},
        {"uri": "demo://pixel.png", "name": "pixel", "title": "One orange pixel", "mimeType": "image/png"},
    ]);
    public(era, "resources", &resources)
}

pub(crate) fn list_templates(era: Era) -> Value {
    let templates = json!([
        {"uriTemplate": "demo://greetings/{language}", "name": "greeting", "title": "A greeting", "mimeType": "text/plain"},
    ]);
    public(era, "resourceTemplates", &templates)
}

pub(crate) fn read_resource(era: Era, params: &Params) -> Result<Value, Refusal> {
    let uri = params.uri.as_deref().unwrap_or_default();
    let content = match uri {
        "demo://notes.md" => json!({"uri": uri, "mimeType": "text/markdown", "text": NOTES}),
        "demo://pixel.png" => json!({"uri": uri, "mimeType": "image/png", "blob": PIXEL}),
        _ => match uri.strip_prefix("demo://greetings/").and_then(greeting) {
            Some(greeting) => json!({"uri": uri, "mimeType": "text/plain", "text": greeting}),
            None => return Err(Refusal::UnknownResource(era, uri.to_owned())),
        },
    };
    Ok(public(era, "contents", &json!([content])))
}

fn greeting(language: &str) -> Option<&'static str> {
    let mut languages = LANGUAGES.iter();
    languages
        .find(|(name, _)| *name == language)
        .map(|(_, greeting)| *greeting)
}

pub(crate) fn list_prompts(era: Era) -> Value {
    let prompts = json!([
        {"name": "greet", "title": "Greet", "description": "Asks a model to greet somebody in a language",
         "arguments": [
             {"name": "name", "description": "Who is to be greeted", "required": true},
             {"name": "language", "description": "In which language; English if absent"}]},
    ]);
    public(era, "prompts", &prompts)
}

#[derive(Deserialize)]
struct Greet {
    name: String,
    language: Option<String>,
}

pub(crate) fn get_prompt(params: &Params) -> Result<Value, Refusal> {
    let prompt = params.name.as_deref().unwrap_or_default();
    if prompt != "greet" {
        return Err(Refusal::InvalidParams(format!("Unknown prompt: {prompt}")));
    }
    let arguments = params.arguments.map_or("{}", RawValue::get);
    let Greet { name, language } = from_object(arguments).map_err(Refusal::InvalidParams)?;
    let language = language.as_deref().unwrap_or("english");
    let text = format!("Greet {name} in {language}.");
    Ok(json!({
        "description": "A greeting",
        "messages": [{"role": "user", "content": {"type": "text", "text": text}}],
    }))
}

/// Languages that begin with the text so far.
pub(crate) fn complete(params: &Params) -> Result<Value, Refusal> {
    let (Some(of), Some(argument)) = (&params.reference, &params.argument) else {
        return Err(Refusal::InvalidParams(
            "ref and argument are missing".into(),
        ));
    };
    match (of.kind.as_str(), of.name.as_deref(), of.uri.as_deref()) {
        ("ref/prompt", Some("greet"), _)
        | ("ref/resource", _, Some("demo://greetings/{language}")) => {}
        _ => {
            return Err(Refusal::InvalidParams(
                "There is nothing to complete".into(),
            ));
        }
    }
    let languages = LANGUAGES.iter().map(|(name, _)| *name);
    let fitting =
        languages.filter(|name| argument.name == "language" && name.starts_with(&argument.value));
    let values: Vec<&str> = fitting.collect();
    Ok(json!({"completion": {"total": values.len(), "hasMore": false, "values": values}}))
}
