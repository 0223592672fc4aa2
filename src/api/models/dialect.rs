//! What the API of each model accepts of JSON Schema, in one table: the keywords, and what their values must be.
//!
//! Where an API documents its rules, these are they; the others are what it was seen to refuse. What it would silently ignore is cut as
//! well, so that it is listed.

use serde_json::Value;

use crate::api::request::parameters::ModelApi;

/// What the value of a keyword must be. One that is anything else is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A schema.
    Schema,
    /// A schema, or `true` or `false`.
    SchemaOrFlag,
    /// A list of schemas, not empty.
    Schemas,
    /// Schemas by name.
    SchemasByName,
    /// The name of a type, or a list of them.
    Types,
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// Lists of strings by name.
    TextsByName,
    /// A list of any values, not empty.
    Values,
    /// A number.
    Number,
    /// A whole number from 0.
    Count,
    /// `true` or `false`.
    Flag,
    /// Any value.
    Any,
}

use Shape::{
    Any, Count, Flag, Number, Schema, SchemaOrFlag, Schemas, SchemasByName, Text, Texts,
    TextsByName, Types, Values,
};

/// The JSON Schema of one API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// 2020-12, without references, for `OpenAI` and Anthropic.
    JsonSchema,
    /// The members that Ollama's server reads; it ignores all others.
    Ollama,
    /// The schema object of OpenAPI 3.0, as far as Gemini has it.
    Gemini,
}

/// Keywords that every dialect has.
const COMMON: &[(&str, Shape)] = &[
    ("type", Types),
    ("description", Text),
    ("enum", Values),
    ("properties", SchemasByName),
    ("required", Texts),
    ("items", Schema),
    ("anyOf", Schemas),
];

const JSON_SCHEMA: &[(&str, Shape)] = &[
    ("title", Text),
    ("default", Any),
    ("examples", Values),
    ("deprecated", Flag),
    ("readOnly", Flag),
    ("writeOnly", Flag),
    ("const", Any),
    ("format", Text),
    ("pattern", Text),
    ("minLength", Count),
    ("maxLength", Count),
    ("minimum", Number),
    ("maximum", Number),
    ("exclusiveMinimum", Number),
    ("exclusiveMaximum", Number),
    ("multipleOf", Number),
    ("minItems", Count),
    ("maxItems", Count),
    ("uniqueItems", Flag),
    ("prefixItems", Schemas),
    ("contains", Schema),
    ("minContains", Count),
    ("maxContains", Count),
    ("minProperties", Count),
    ("maxProperties", Count),
    ("additionalProperties", SchemaOrFlag),
    ("unevaluatedProperties", SchemaOrFlag),
    ("unevaluatedItems", SchemaOrFlag),
    ("propertyNames", Schema),
    ("patternProperties", SchemasByName),
    ("dependentRequired", TextsByName),
    ("dependentSchemas", SchemasByName),
    ("oneOf", Schemas),
    ("allOf", Schemas),
    ("not", Schema),
    ("if", Schema),
    ("then", Schema),
    ("else", Schema),
    ("contentEncoding", Text),
    ("contentMediaType", Text),
];

const GEMINI: &[(&str, Shape)] = &[
    ("title", Text),
    ("default", Any),
    ("example", Any),
    ("nullable", Flag),
    ("format", Text),
    ("pattern", Text),
    ("minLength", Count),
    ("maxLength", Count),
    ("minimum", Number),
    ("maximum", Number),
    ("minItems", Count),
    ("maxItems", Count),
    ("minProperties", Count),
    ("maxProperties", Count),
];

/// Keywords that are left out without being listed: they identify, comment, or are resolved.
const SILENT: &[&str] = &[
    "$schema",
    "$id",
    "id",
    "$comment",
    "$anchor",
    "$dynamicAnchor",
    "$recursiveAnchor",
    "$vocabulary",
    "$defs",
    "definitions",
];

/// Keywords that no API accepts beside `type: object` at the top.
pub(crate) const NOT_AT_THE_TOP: &[&str] = &["enum", "const", "not"];

/// The types of JSON Schema.
pub(crate) const TYPES: &[&str] = &[
    "string", "number", "integer", "boolean", "array", "object", "null",
];

impl Dialect {
    /// The dialect of an API.
    pub(crate) fn of(api: ModelApi) -> Self {
        match api {
            ModelApi::OpenAi | ModelApi::OpenAiResponses | ModelApi::Anthropic => Self::JsonSchema,
            ModelApi::Gemini => Self::Gemini,
            ModelApi::Ollama => Self::Ollama,
        }
    }

    /// What the value of a keyword must be, if the dialect has it.
    pub(crate) fn shape(self, keyword: &str) -> Option<Shape> {
        let own = match self {
            Self::JsonSchema => JSON_SCHEMA,
            Self::Ollama => &[],
            Self::Gemini => GEMINI,
        };
        let mut rows = COMMON.iter().chain(own);
        let (_, shape) = rows.find(|(name, _)| *name == keyword)?;
        Some(*shape)
    }
}

/// Whether a keyword goes without being listed.
pub(crate) fn is_silent(keyword: &str) -> bool {
    SILENT.contains(&keyword) || keyword.starts_with("x-")
}

/// Whether an argument may have this name.
pub(crate) fn is_argument_name(api: ModelApi, name: &str) -> bool {
    let first_is = |is: fn(char) -> bool| name.starts_with(is);
    let all_are = |is: fn(char) -> bool| (1..=64).contains(&name.len()) && name.chars().all(is);
    match api {
        // "Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'".
        ModelApi::Anthropic => {
            all_are(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
        }
        // Documented at `FunctionDeclaration.parameters`.
        ModelApi::Gemini => {
            first_is(|c| c.is_ascii_alphabetic() || c == '_')
                && all_are(|c| c.is_ascii_alphanumeric() || c == '_')
        }
        _ => true,
    }
}

impl Shape {
    /// Whether a value without schemas in it has this shape.
    pub(crate) fn fits(self, value: &Value) -> bool {
        let texts = |value: &Value| {
            let list = value.as_array();
            list.is_some_and(|list| list.iter().all(Value::is_string))
        };
        let is_type = |value: &Value| value.as_str().is_some_and(|it| TYPES.contains(&it));
        match self {
            Any => true,
            Text => value.is_string(),
            Texts => texts(value),
            TextsByName => value.as_object().is_some_and(|it| it.values().all(texts)),
            Values => value.as_array().is_some_and(|list| !list.is_empty()),
            Number => value.is_number(),
            Count => value.is_u64(),
            Flag => value.is_boolean(),
            Types => match value {
                Value::Array(list) => {
                    let is_short = (1..=TYPES.len()).contains(&list.len());
                    let is_new =
                        |(n, one): (usize, &Value)| !list.iter().take(n).any(|it| it == one);
                    is_short && list.iter().all(is_type) && list.iter().enumerate().all(is_new)
                }
                one => is_type(one),
            },
            Schema | SchemaOrFlag | Schemas | SchemasByName => false,
        }
    }
}
