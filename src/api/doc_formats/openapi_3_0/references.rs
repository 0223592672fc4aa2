//! References in schemas: OpenAPI 3.0 knows those to components alone, and generators find nothing deeper. What a JSON pointer or an
//! anchor leads to becomes a component of its own.

use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use crate::api::doc_formats::openapi_3_0::converter::{Converter, Promoted, Scope};
use crate::api::openapi::common::SCHEMAS;
use crate::api::tool_docs::names::pascal_case;
use crate::json::{Members, text_member, text_of};
use crate::schema::keywords::{self, Holds};

/// How deep a schema is searched for an anchor.
const DEPTH: usize = 64;

impl<'a> Converter<'a> {
    /// The component that a reference leads to, as a reference; `None` if there is none.
    pub(super) fn reference(&mut self, written: &str, scope: Scope) -> Option<String> {
        let (component, fragment) = self.target(written, scope)?;
        let name = if fragment.is_empty() {
            component
        } else {
            self.promote(component, fragment)?
        };
        self.references += 1;
        if self.widened.contains(&name) {
            self.widened_references += 1;
        }
        let from = self.losses.component.clone();
        let known = self.referred_from.entry(name.clone()).or_default();
        known.insert(from);
        Some(format!("{SCHEMAS}{name}"))
    }

    /// The component of 3.1, and the fragment within it.
    fn target(&mut self, written: &str, scope: Scope) -> Option<(String, String)> {
        if scope.is_foreign {
            return None;
        }
        let written = percent_decode_str(written).decode_utf8().ok()?;
        if !scope.is_resource {
            let place = written.strip_prefix(SCHEMAS)?;
            let end = place.find('/').unwrap_or(place.len());
            let (name, pointer) = place.split_at_checked(end)?;
            let is_known = self.schemas.contains_key(name);
            return is_known.then(|| (name.to_owned(), pointer.to_owned()));
        }
        let (resource, fragment) = written.split_once('#').unwrap_or((&written, ""));
        if !resource.is_empty() {
            let origin = *self.schemas.get(self.origin.as_str())?;
            self.read(origin)?;
            let id = text_member(origin, "$id")?;
            (id.trim_end_matches('#') == resource).then_some(())?;
        }
        Some((self.origin.clone(), fragment.to_owned()))
    }

    /// A part of a component as a component: its name. `None` if it is not there, or if it would be too much.
    fn promote(&mut self, component: String, fragment: String) -> Option<String> {
        let key = (component, fragment);
        if let Some(known) = self.promoted.get(&key) {
            return known.clone();
        }
        let name = self.promoted_anew(&key.0, &key.1);
        self.promoted.insert(key, name.clone());
        name
    }

    fn promoted_anew(&mut self, component: &str, fragment: &str) -> Option<String> {
        let root = *self.schemas.get(component)?;
        let schema = if fragment.starts_with('/') {
            self.at_pointer(root, fragment)?
        } else {
            let mut found = Vec::new();
            self.anchored(root, fragment, DEPTH, &mut found)?;
            let [only] = found[..] else {
                return None;
            };
            only
        };
        if std::ptr::eq(schema, root) {
            return Some(component.to_owned());
        }
        schema.get().starts_with(['{', 't', 'f']).then_some(())?;
        self.promotable = self.promotable.checked_sub(schema.get().len())?;
        let name = self.unused_name(component, fragment);
        self.waiting.push(Promoted {
            name: name.clone(),
            schema,
            origin: component.to_owned(),
            pointer: format!("/{component}{fragment}"),
            scope: Scope {
                is_promoted: true,
                ..Scope::of(root)
            },
        });
        Some(name)
    }

    fn unused_name(&mut self, component: &str, fragment: &str) -> String {
        let tokens = fragment.split(['/', '#']).filter(|token| {
            let keyword = keywords::named(token).map(|keyword| keyword.holds);
            keyword != Some(Holds::SchemasByName)
        });
        let tokens: Vec<&str> = tokens.collect();
        let wanted = format!("{component}{}", pascal_case(&tokens.join("_")));
        self.names
            .component(&wanted, &format!("{component}{fragment}"))
    }

    /// What a JSON pointer leads to, if no resource begins on the way.
    fn at_pointer(&mut self, root: &'a RawValue, pointer: &str) -> Option<&'a RawValue> {
        let mut at = root;
        for token in pointer.split('/').skip(1) {
            self.read(at)?;
            let token = token.replace("~1", "/").replace("~0", "~");
            at = if at.get().starts_with('[') {
                let items: Vec<&'a RawValue> = serde_json::from_str(at.get()).ok()?;
                *items.get(token.parse::<usize>().ok()?)?
            } else {
                Members::of(at.get()).ok()?.get(&token)?
            };
            self.read(at)?;
            let is_resource = at.get().starts_with('{') && text_member(at, "$id").is_some();
            (!is_resource).then_some(())?;
        }
        Some(at)
    }

    /// The schemas with an anchor. `None` if another resource begins within, which may have the same.
    fn anchored(
        &mut self,
        schema: &'a RawValue,
        anchor: &str,
        depth: usize,
        found: &mut Vec<&'a RawValue>,
    ) -> Option<()> {
        self.read(schema)?;
        let depth = depth.checked_sub(1)?;
        if schema.get().starts_with('[') {
            let items: Vec<&'a RawValue> = serde_json::from_str(schema.get()).ok()?;
            let mut items = items.into_iter();
            return items.try_for_each(|item| self.anchored(item, anchor, depth, found));
        }
        let Ok(members) = Members::of(schema.get()) else {
            return Some(());
        };
        if depth + 1 < DEPTH && members.get("$id").is_some() {
            return None;
        }
        let names = |keyword| {
            members
                .get(keyword)
                .and_then(text_of)
                .is_some_and(|it| it == anchor)
        };
        if names("$anchor") || names("$dynamicAnchor") {
            found.push(schema);
        }
        for (name, value) in &members.0 {
            match keywords::named(name).map(|keyword| keyword.holds) {
                Some(Holds::Schemas) => self.anchored(value, anchor, depth, found)?,
                Some(Holds::SchemasByName) => {
                    let named = Members::of(value.get()).map_or(Vec::new(), |it| it.0);
                    for (_, schema) in named {
                        self.anchored(schema, anchor, depth, found)?;
                    }
                }
                _ => {}
            }
        }
        Some(())
    }
}
