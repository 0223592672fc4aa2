//! The state of a conversion, and what all parts of it need: what is known of components, where it is, and what it may still cost.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use crate::api::doc_formats::openapi_3_0::losses::Losses;
use crate::api::tool_docs::names::Names;
use crate::json::{Members, text_member};

/// A conversion under way.
pub(super) struct Converter<'a> {
    /// The schemas among the components of 3.1.
    pub(super) schemas: HashMap<Cow<'a, str>, &'a RawValue>,
    /// The names of all schemas of 3.0.
    pub(super) names: Names,
    /// Parts of schemas that something refers to: they become components, by component and pointer.
    pub(super) promoted: HashMap<(String, String), Option<String>>,
    pub(super) waiting: Vec<Promoted<'a>>,
    /// Components that are known to accept more than before.
    pub(super) widened: HashSet<String>,
    /// Whether a schema was seen that means something else if a component it refers to is one of those.
    pub(super) depends_on_widened: bool,
    /// References so far, and those to widened components.
    pub(super) references: usize,
    pub(super) widened_references: usize,
    pub(super) losses: Losses,
    /// The component of 3.1 that the schema at hand is in.
    pub(super) origin: String,
    /// The components that refer to each.
    pub(super) referred_from: HashMap<String, HashSet<String>>,
    /// Bytes that may still be read of the schema at hand, and bytes of it that may still become components.
    pub(super) reads: usize,
    pub(super) promotable: usize,
}

/// What references in a schema are relative to, and what may stand beside them.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is so whatever the others are"
)]
pub(super) struct Scope {
    /// The component is a resource by its `$id`: a fragment is about it.
    pub(super) is_resource: bool,
    /// A resource within the component: nothing is known of it.
    pub(super) is_foreign: bool,
    /// A draft to which nothing beside `$ref` has a meaning.
    pub(super) ignores_siblings: bool,
    /// A part of a component.
    pub(super) is_promoted: bool,
}

/// A part of a component that becomes one.
pub(super) struct Promoted<'a> {
    pub(super) name: String,
    pub(super) schema: &'a RawValue,
    /// The component it is in, and where.
    pub(super) origin: String,
    pub(super) pointer: String,
    pub(super) scope: Scope,
}

impl Scope {
    /// Of a component.
    pub(super) fn of(component: &RawValue) -> Self {
        let text = |name| text_member(component, name);
        let old = |dialect: Cow<'_, str>| {
            ["draft-03", "draft-04", "draft-06", "draft-07"]
                .iter()
                .any(|draft| dialect.contains(draft))
        };
        Self {
            is_resource: text("$id").is_some(),
            ignores_siblings: text("$schema").is_some_and(old),
            ..Self::default()
        }
    }
}

impl<'a> Converter<'a> {
    pub(super) fn of(document: &Members<'a>, widened: HashSet<String>) -> Self {
        let components = document.get("components").map(RawValue::get);
        let components = components.and_then(|it| Members::of(it).ok());
        let schemas = components.and_then(|it| Members::of(it.get("schemas")?.get()).ok());
        let schemas: HashMap<_, _> = schemas
            .map(|it| it.0)
            .unwrap_or_default()
            .into_iter()
            .collect();
        Self {
            names: Names::new(schemas.keys().map(Cow::as_ref)),
            schemas,
            promoted: HashMap::new(),
            waiting: Vec::new(),
            widened,
            depends_on_widened: false,
            references: 0,
            widened_references: 0,
            losses: Losses::default(),
            origin: String::new(),
            referred_from: HashMap::new(),
            reads: 0,
            promotable: 0,
        }
    }

    /// Goes on one step deeper, for the list of losses.
    pub(super) fn at<T>(&mut self, step: &str, convert: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.losses.enter(step);
        let converted = convert(self);
        self.losses.leave(length);
        converted
    }

    /// Takes the bytes of a value that is about to be read from what may be read.
    pub(super) fn read(&mut self, value: &RawValue) -> Option<()> {
        self.reads = self.reads.checked_sub(value.get().len())?;
        Some(())
    }

    /// The components that accept more than before, by themselves or by one that they refer to.
    pub(super) fn widened_components(&mut self) -> HashSet<String> {
        let mut widened = std::mem::take(&mut self.losses.widened);
        let mut to_see: Vec<String> = widened.iter().cloned().collect();
        while let Some(name) = to_see.pop() {
            let from = self.referred_from.remove(&name).unwrap_or_default();
            for name in from {
                if widened.insert(name.clone()) {
                    to_see.push(name);
                }
            }
        }
        widened
    }
}

/// The members of an object, of several with one name the last, as JSON parsers commonly read them.
pub(super) fn distinct<'m, 'a>(
    members: &'m Members<'a>,
) -> impl Iterator<Item = (Cow<'a, str>, &'a RawValue)> + use<'m, 'a> {
    let mut last: HashMap<&str, usize> = HashMap::new();
    for (at, (name, _)) in members.0.iter().enumerate() {
        last.insert(name, at);
    }
    let members = members.0.iter().enumerate();
    let kept = members.filter(move |(at, (name, _))| last.get(name.as_ref()) == Some(at));
    kept.map(|(_, (name, value))| (name.clone(), *value))
}
