//! A JSON Schema cut to what the API of a model accepts: references replaced by what they lead to, an object at the top, and no keyword
//! that the API does not have. What is cut and constrains or tells anything is listed.
//!
//! Schemas come from servers: some kilobytes of references can stand for gigabytes. What is made of one is bounded in bytes and in depth,
//! and a schema that refers to itself is cut where it does.

#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};

use serde_json::{Map, Value, json};

use crate::api::models::dialect::{Dialect, NOT_AT_THE_TOP, Shape, is_argument_name, is_silent};
use crate::api::models::members::{add_properties, add_required, has_type, required_of, texts};
use crate::api::models::place::{At, Cut, LONGEST_POINTER};
use crate::api::models::{gemini_schema, numbers};
use crate::api::request::parameters::ModelApi;
use crate::schema::walk::{self, Budget, identity, target};

/// Bytes that one schema may become, and may have been.
pub(crate) const MOST_BYTES: usize = 256 * 1024;
/// How deep schemas may be nested, references followed.
const MOST_DEPTH: usize = 32;
/// Schemas that may apply to the same value: by references and `allOf`.
const MOST_LAYERS: usize = 64;
/// Bytes that a schema takes beside its keywords, and a value beside its text.
const SCHEMA: usize = 48;
const VALUE: usize = 8;
/// Cuts of one tool that are listed.
const MOST_CUTS: usize = 100;
/// Instead of a keyword: all that is there, because it is too large, too deep, or no schema.
const ALL: &str = "*";

type Schema = Map<String, Value>;

/// The input schema of a tool for one API. `cuts` gets what was cut.
pub(crate) fn cut(api: ModelApi, schema: Option<&str>, cuts: &mut Vec<Cut>) -> Schema {
    let read = schema.map(|text| {
        let is_short = text.len() <= MOST_BYTES;
        let read = is_short.then(|| serde_json::from_str(&numbers::replaced(text)).ok());
        read.flatten()
    });
    let root = match read {
        Some(Some(root @ (Value::Object(_) | Value::Bool(true)))) => root,
        None => Value::Bool(true),
        Some(_) => {
            let pointer = At::default().pointer();
            let keyword = ALL.to_owned();
            cuts.push(Cut { pointer, keyword });
            Value::Bool(true)
        }
    };
    let mut cutter = Cutter {
        api,
        dialect: Dialect::of(api),
        root: &root,
        budget: Budget::new(MOST_BYTES),
        open: Vec::new(),
        cuts: HashSet::new(),
        listed: cuts,
    };
    cutter.whole()
}

// === cutting ===

/// One of the schemas that apply to the same value.
struct Layer<'v> {
    keywords: &'v Schema,
    at: At<'v>,
    /// Of a schema that refers to itself, no more than what kind of value it is.
    is_hint: bool,
}

struct Cutter<'v, 'c> {
    api: ModelApi,
    dialect: Dialect,
    root: &'v Value,
    budget: Budget,
    /// The schemas within which the present one is, where references led.
    open: Vec<usize>,
    cuts: HashSet<Cut>,
    listed: &'c mut Vec<Cut>,
}

impl<'v> Cutter<'v, '_> {
    fn cut(&mut self, at: &At<'v>, keyword: &str) {
        if self.cuts.len() >= MOST_CUTS {
            return;
        }
        let cut = Cut {
            pointer: at.pointer(),
            keyword: keyword.chars().take(LONGEST_POINTER).collect(),
        };
        if self.cuts.insert(cut.clone()) {
            self.listed.push(cut);
        }
    }

    /// Takes bytes; nothing is left after there were too few.
    fn spend(&self, bytes: usize) -> bool {
        let spent = self.budget.spend(bytes).is_some();
        spent || self.budget.spend(self.budget.left()).is_none()
    }

    /// The whole schema: an object, whatever it was.
    fn whole(&mut self) -> Schema {
        let at = At::default();
        let Value::Object(keywords) = self.root else {
            return self.object(Schema::new());
        };
        self.open.push(identity(self.root));
        let layers = self.layers(keywords, &at, true);
        let members = self.top(&layers, &at, 0);
        self.object(members)
    }

    /// `type: object`, with `properties`, which some APIs require, and in the form of the dialect.
    fn object(&mut self, members: Schema) -> Schema {
        let at = At::default();
        let mut whole = Schema::from_iter([("type".to_owned(), json!("object"))]);
        whole.extend(members.into_iter().filter(|(name, _)| name != "type"));
        let properties = whole.entry("properties");
        let properties = properties.or_insert_with(|| Value::Object(Schema::new()));
        let mut illegal = Vec::new();
        if let Value::Object(properties) = properties {
            let names = properties.keys();
            illegal.extend(
                names
                    .filter(|name| !is_argument_name(self.api, name))
                    .cloned(),
            );
            properties.retain(|name, _| is_argument_name(self.api, name));
        }
        if !illegal.is_empty() {
            let required = required_of(&whole).filter(|name| !illegal.contains(name));
            let required: Vec<String> = required.collect();
            whole.remove("required");
            add_required(&mut whole, required);
        }
        for name in illegal {
            self.cut(&at.member("properties"), &name);
        }
        self.formed(whole, &at)
    }

    /// What all of these allow at the top. A choice becomes the arguments of all its branches, of which those that every branch requires
    /// are required.
    fn top(&mut self, layers: &[Layer<'v>], at: &At<'v>, depth: usize) -> Schema {
        let mut members = self.members(layers, depth, true);
        for layer in layers.iter().filter(|layer| !layer.is_hint) {
            for keyword in ["anyOf", "oneOf"] {
                let Some(Value::Array(branches)) = layer.keywords.get(keyword) else {
                    continue;
                };
                self.cut(&layer.at, keyword);
                if depth >= MOST_DEPTH {
                    continue;
                }
                let mut required_by_all: Option<HashSet<String>> = None;
                for branch in branches {
                    let Value::Object(keywords) = branch else {
                        continue;
                    };
                    if !self.spend(SCHEMA) {
                        self.cut(at, ALL);
                        break;
                    }
                    let opened = self.open.len();
                    let branch = self.layers(keywords, &layer.at, true);
                    let branch = self.top(&branch, at, depth + 1);
                    self.open.truncate(opened);
                    let required: HashSet<String> = required_of(&branch).collect();
                    required_by_all = Some(match required_by_all {
                        Some(others) => others.intersection(&required).cloned().collect(),
                        None => required,
                    });
                    add_properties(&mut members, branch);
                }
                add_required(&mut members, required_by_all.unwrap_or_default());
            }
        }
        members
    }

    /// The schema in its place; `None` if it allows nothing.
    fn schema(&mut self, schema: &'v Value, at: &At<'v>, depth: usize) -> Option<Schema> {
        let keywords = match schema {
            _ if !self.spend(SCHEMA) || depth > MOST_DEPTH => {
                self.cut(at, ALL);
                return Some(self.formed(Schema::new(), at));
            }
            Value::Object(keywords) => keywords,
            Value::Bool(false) => return None,
            other => {
                if !other.is_boolean() {
                    self.cut(at, ALL);
                }
                return Some(self.formed(Schema::new(), at));
            }
        };
        let opened = self.open.len();
        let layers = self.layers(keywords, at, self.dialect != Dialect::JsonSchema);
        let members = self.members(&layers, depth, false);
        self.open.truncate(opened);
        Some(self.formed(members, at))
    }

    /// A schema, what its references lead to, and, if `flat`, what is in `allOf`.
    fn layers(&mut self, keywords: &'v Schema, at: &At<'v>, flat: bool) -> Vec<Layer<'v>> {
        let mut layers: Vec<Layer<'v>> = Vec::new();
        let mut waiting = VecDeque::from([(keywords, at.clone(), false)]);
        while let Some((keywords, at, is_hint)) = waiting.pop_front() {
            if layers.len() >= MOST_LAYERS || !self.spend(SCHEMA) {
                self.cut(&at, ALL);
                break;
            }
            let reference = keywords.get("$ref").filter(|_| !is_hint);
            if let Some(reference) = reference {
                let reference = reference.as_str().unwrap_or_default();
                let led = target(self.root, reference);
                match led {
                    Some(led @ Value::Object(found)) => {
                        let is_open = self.open.contains(&identity(led));
                        if is_open {
                            self.cut(&at, "$ref");
                        } else {
                            self.open.push(identity(led));
                        }
                        let pointer = reference.strip_prefix('#').unwrap_or_default();
                        let place = At::target(pointer);
                        waiting.push_back((found, place, is_open));
                    }
                    Some(Value::Bool(true)) => {}
                    _ => self.cut(&at, "$ref"),
                }
            }
            if let Some(Value::Array(all)) = keywords.get("allOf").filter(|_| flat && !is_hint) {
                for (index, schema) in all.iter().take(MOST_LAYERS).enumerate() {
                    if let Value::Object(keywords) = schema {
                        waiting.push_back((keywords, at.member("allOf").item(index), false));
                    }
                }
            }
            layers.push(Layer {
                keywords,
                at,
                is_hint,
            });
        }
        layers
    }

    /// The keywords of all these schemas together.
    fn members(&mut self, layers: &[Layer<'v>], depth: usize, is_top: bool) -> Schema {
        let is_flat = is_top || self.dialect != Dialect::JsonSchema;
        let mut members = Schema::new();
        for layer in layers {
            for (keyword, value) in layer.keywords {
                let at = &layer.at;
                match keyword.as_str() {
                    // Keywords that lead to nothing take time as well.
                    _ if !self.spend(1) => self.cut(at, ALL),
                    _ if is_silent(keyword) => {}
                    "type" | "description" | "title" if layer.is_hint => {
                        self.keyword(&mut members, at, keyword, value, depth);
                    }
                    _ if layer.is_hint => {}
                    // Followed, or handled by `top`.
                    "$ref" => {}
                    "allOf" if is_flat => {}
                    "anyOf" | "oneOf" if is_top => {}
                    "type" if is_top => {
                        if !has_type(value, "object") {
                            self.cut(at, "type");
                        }
                    }
                    known if is_top && NOT_AT_THE_TOP.contains(&known) => self.cut(at, known),
                    "properties" => self.properties(&mut members, at, value, depth),
                    "required" => match self.plain(Shape::Texts, value) {
                        Some(names) => add_required(&mut members, texts(&names)),
                        None => self.cut(at, keyword),
                    },
                    _ => self.keyword(&mut members, at, keyword, value, depth),
                }
            }
        }
        members
    }

    fn properties(&mut self, members: &mut Schema, at: &At<'v>, value: &'v Value, depth: usize) {
        let Value::Object(named) = value else {
            return self.cut(at, "properties");
        };
        let place = at.member("properties");
        let mut properties = Schema::new();
        for (name, schema) in named {
            let is_known = |known: &Value| known.get(name).is_some();
            if members.get("properties").is_some_and(is_known) {
                self.cut(&place, name);
                continue;
            }
            if !self.spend(name.len()) {
                self.cut(&place, ALL);
                break;
            }
            match self.schema(schema, &place.member(name), depth + 1) {
                Some(schema) => {
                    properties.insert(name.clone(), Value::Object(schema));
                }
                None => self.cut(&place, name),
            }
        }
        let found = Schema::from_iter([("properties".to_owned(), Value::Object(properties))]);
        add_properties(members, found);
    }

    /// Adds a keyword in its own form, if the dialect has it and it is not there already.
    fn keyword(
        &mut self,
        members: &mut Schema,
        at: &At<'v>,
        keyword: &'v str,
        value: &'v Value,
        depth: usize,
    ) {
        let is_list = value.is_array();
        let own = match (keyword, self.dialect.shape(keyword)) {
            // Before 2020-12 a list of items stood under `items`.
            ("items", _) if is_list && self.dialect == Dialect::JsonSchema => "prefixItems",
            (_, Some(_)) => keyword,
            ("oneOf", None) => "anyOf",
            ("const", None) => "enum",
            ("examples", None) if self.dialect == Dialect::Gemini => "example",
            _ => return self.cut(at, keyword),
        };
        if members.contains_key(own) {
            if members.get(own) != Some(value) {
                self.cut(at, keyword);
            }
            return;
        }
        let place = at.member(keyword);
        let made = match (keyword, own) {
            ("const", "enum") => self.plain(Shape::Any, value).map(|value| json!([value])),
            ("examples", "example") => {
                let first = value.as_array().and_then(|all| all.first());
                first.and_then(|first| self.plain(Shape::Any, first))
            }
            _ => {
                let shape = self.dialect.shape(own).unwrap_or(Shape::Any);
                self.value(shape, value, &place, depth)
            }
        };
        match made {
            Some(made) => {
                if keyword == "oneOf" && own == "anyOf" {
                    self.cut(at, keyword);
                }
                members.insert(own.to_owned(), made);
            }
            None => self.cut(at, keyword),
        }
    }

    /// The value of a keyword; `None` if it has not the shape that it must have, or there is no room for it.
    fn value(
        &mut self,
        shape: Shape,
        value: &'v Value,
        at: &At<'v>,
        depth: usize,
    ) -> Option<Value> {
        match (shape, value) {
            (Shape::SchemaOrFlag, Value::Bool(_)) => Some(value.clone()),
            (Shape::Schema | Shape::SchemaOrFlag, Value::Object(_) | Value::Bool(_)) => {
                self.schema(value, at, depth + 1).map(Value::Object)
            }
            (Shape::Schemas, Value::Array(list)) => {
                let mut schemas = Vec::new();
                for (index, schema) in list.iter().enumerate() {
                    let schema = self.schema(schema, &at.item(index), depth + 1);
                    schemas.extend(schema.map(Value::Object));
                }
                (!schemas.is_empty()).then_some(Value::Array(schemas))
            }
            (Shape::SchemasByName, Value::Object(named)) => {
                let mut schemas = Schema::new();
                for (name, schema) in named {
                    if !self.spend(name.len()) {
                        break;
                    }
                    let schema = self.schema(schema, &at.member(name), depth + 1);
                    schemas.extend(schema.map(|it| (name.clone(), Value::Object(it))));
                }
                Some(Value::Object(schemas))
            }
            _ => self.plain(shape, value),
        }
    }

    /// A value without schemas in it.
    fn plain(&mut self, shape: Shape, value: &Value) -> Option<Value> {
        if self.budget.left() == 0 {
            return None;
        }
        let mut is_kept = true;
        let is_there = walk::values(value, 0, |value, name, _| {
            is_kept &= !numbers::is_lost(value);
            let text = value.as_str().map_or(VALUE, |text| text.len() + VALUE);
            self.budget.spend(text + name.map_or(0, str::len))
        });
        if is_there.is_none() {
            self.spend(usize::MAX);
        }
        let fits = is_there.is_some() && is_kept && shape.fits(value);
        fits.then(|| value.clone())
    }

    /// The schema in the form that the dialect has for it.
    fn formed(&mut self, mut schema: Schema, at: &At<'v>) -> Schema {
        match self.dialect {
            Dialect::JsonSchema => {
                // "array schema missing items".
                let types = schema.get("type");
                if types.is_some_and(|types| has_type(types, "array"))
                    && !schema.contains_key("items")
                {
                    schema.insert("items".to_owned(), json!({}));
                }
                schema
            }
            Dialect::Ollama => schema,
            Dialect::Gemini => {
                let mut cuts = Vec::new();
                let formed = gemini_schema::of(schema, &mut |keyword| {
                    cuts.push(keyword.to_owned());
                });
                for keyword in cuts {
                    self.cut(at, &keyword);
                }
                formed
            }
        }
    }
}
