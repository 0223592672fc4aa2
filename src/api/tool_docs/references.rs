//! References of the lean view as programs follow them that make tools of documents: all know `$ref` by itself, in `properties`, `items`,
//! `anyOf`, `oneOf` and `allOf`. What else there is they leave as it is, so that it leads nowhere, or take for a string, or never come to
//! an end (measured: Open `WebUI`, google-adk, openapi-llm, `FastMCP`). So that every schema still means what it meant:
//!
//! - where there is a description or a default beside a reference, a copy of what it leads to takes its place, with these
//! - so does a copy where they do not look: in `additionalProperties`, `prefixItems` and the like
//! - a reference on a cycle is wrapped in an `allOf`, with its type, which ends the descent of those that know no cycles
//! - `discriminator` is left out: to JSON Schema it says nothing
//!
//! Copies are bounded, for each schema and for the whole document: first come, first served, in the order of its tools. Where they would
//! take too much, the reference stays.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::io;

use crate::api::openapi::common::SCHEMAS;
use crate::api::tool_docs::node::{Node, Object};
use crate::json::text_of;
use crate::schema::keywords::{self, Holds};

/// How many bytes of copies one schema may get.
const COPIED: usize = 64 * 1024;
/// How many bytes of copies all schemas of a document may get together.
const COPIED_IN_ALL: usize = 2 * 1024 * 1024;
/// How deep a copy may be placed. What it brings itself is not counted, but gets no copies below this.
const DEPTH: usize = 32;

/// Up to how many components with cycles it is told where each cycle is.
const FEW: usize = 32;

/// How many bytes a `type` may have that is repeated beside references: enough for all types there are.
const LONGEST_TYPE: usize = 100;

/// Keywords that every consumer looks into.
const FOLLOWED: [&str; 5] = ["properties", "items", "anyOf", "oneOf", "allOf"];
/// Keywords that decide nothing: a copy may have them of the place that it takes.
const ANNOTATIONS: [&str; 8] = [
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "title",
    "$comment",
];

/// How many bytes of copies a document may still get. The tools that come first get theirs, so that the same tools make the same document.
pub(crate) struct Copies {
    left: usize,
}

impl Default for Copies {
    fn default() -> Self {
        Self {
            left: COPIED_IN_ALL,
        }
    }
}

/// The components of one schema, with the references between them as consumers follow them.
pub(crate) fn followed<'a>(
    components: Vec<(String, Node<'a>)>,
    copies: &mut Copies,
) -> Vec<(String, Node<'a>)> {
    let may_copy = copies.left.min(COPIED);
    let Some(mut references) = References::of(&components, may_copy) else {
        return components;
    };
    let rewritten = components.iter().map(|(name, node)| {
        let place = Place {
            component: name,
            is_hidden: false,
            depth: 0,
        };
        (name.clone(), references.schema(node, place))
    });
    let rewritten = rewritten.collect();
    copies.left -= may_copy - references.left;
    rewritten
}

struct References<'c, 'a> {
    components: HashMap<&'c str, Component<'c, 'a>>,
    /// Pairs of components of which the second leads back to the first.
    cyclic: HashSet<(String, String)>,
    /// Components that lead to a cycle: a copy with copies in it would have no end.
    endless: HashSet<String>,
    /// How many bytes may still be copied.
    left: usize,
}

/// What references lead to.
struct Component<'c, 'a> {
    node: &'c Node<'a>,
    /// Its bytes, once they are asked for: many references may lead to it. `None` of more than one schema may get.
    length: OnceCell<Option<usize>>,
}

/// Where a schema is.
#[derive(Clone, Copy)]
struct Place<'p> {
    /// The component whose schema it is part of.
    component: &'p str,
    /// A consumer does not look here.
    is_hidden: bool,
    depth: usize,
}

impl<'c, 'a> References<'c, 'a> {
    /// `None` if there is nothing to rewrite.
    fn of(components: &'c [(String, Node<'a>)], may_copy: usize) -> Option<Self> {
        let mut edges = Edges::new();
        let mut has_any = false;
        for (name, node) in components {
            let mut found = Vec::new();
            has_any |= collect(node, &mut found);
            found.sort_unstable();
            found.dedup();
            edges.insert(name.clone(), found);
        }
        let backwards = reversed(&edges);
        let endless = peeled(edges.keys().cloned().collect(), &edges, &backwards);
        let cyclic = cycles(&peeled(endless.clone(), &backwards, &edges), &edges);
        let components = components.iter().map(|(name, node)| {
            let length = OnceCell::new();
            (name.as_str(), Component { node, length })
        });
        has_any.then(|| Self {
            components: components.collect(),
            cyclic,
            endless,
            left: may_copy,
        })
    }

    fn schema(&mut self, node: &Node<'a>, place: Place<'_>) -> Node<'a> {
        match node {
            Node::Object(members) => {
                let target = members.iter().find_map(reference_to);
                match target.and_then(|target| self.reference(&target, members, place)) {
                    Some(node) => node,
                    None => Node::Object(self.members(members, place)),
                }
            }
            Node::Array(items) => {
                let items = items.iter().map(|item| self.schema(item, place));
                Node::Array(items.collect())
            }
            other => other.clone(),
        }
    }

    /// The members of a schema.
    fn members(&mut self, members: &Object<'a>, place: Place<'_>) -> Object<'a> {
        let kept = members.iter().filter(|(name, _)| name != "discriminator");
        let rewritten = kept.map(|(name, node)| {
            let is_list = name == "items" && matches!(node, Node::Array(_));
            let below = Place {
                is_hidden: place.is_hidden || !FOLLOWED.contains(&name.as_ref()) || is_list,
                depth: place.depth + 1,
                ..place
            };
            let node = match keywords::named(name).map(|keyword| keyword.holds) {
                Some(Holds::Schemas) => self.schema(node, below),
                Some(Holds::SchemasByName) => self.by_name(node, below),
                _ => node.clone(),
            };
            (name.clone(), node)
        });
        rewritten.collect()
    }

    fn by_name(&mut self, node: &Node<'a>, place: Place<'_>) -> Node<'a> {
        let Node::Object(named) = node else {
            return node.clone();
        };
        let named = named.iter();
        let rewritten = named.map(|(name, schema)| (name.clone(), self.schema(schema, place)));
        Node::Object(rewritten.collect())
    }

    /// What a schema with a reference becomes; `None` if it stays as it is, but for what is beside the reference.
    fn reference(
        &mut self,
        target: &str,
        members: &Object<'a>,
        place: Place<'_>,
    ) -> Option<Node<'a>> {
        let is_alone = members.len() == 1;
        let annotates = |(name, _): &(Cow<'_, str>, Node<'_>)| {
            name == "$ref" || ANNOTATIONS.contains(&name.as_ref()) || name.starts_with("x-")
        };
        let pair = (place.component.to_owned(), target.to_owned());
        if self.cyclic.contains(&pair) {
            return is_alone.then(|| self.wrapped(target, members));
        }
        if (!is_alone || place.is_hidden)
            && members.iter().all(annotates)
            && let Some(copy) = self.copy(target, place)
        {
            let beside = members.iter().filter(|(name, _)| name != "$ref");
            return Some(annotated(copy, beside.cloned()));
        }
        None
    }

    /// A reference in an `allOf`, with the type of what it leads to: that much is seen where the descent ends.
    fn wrapped(&self, target: &str, reference: &Object<'a>) -> Node<'a> {
        let all = Node::Array(vec![Node::Object(reference.clone())]);
        let kind = match self.components.get(target).map(|it| it.node) {
            Some(Node::Object(members)) => members.iter().find(|(name, _)| name == "type"),
            _ => None,
        };
        let kind = kind.filter(|(_, kind)| length(kind, LONGEST_TYPE).is_some());
        let kind = kind.cloned().into_iter();
        Node::Object(kind.chain([("allOf".into(), all)]).collect())
    }

    /// A copy of a component; `None` if it would take too much, or is none that members can be added to.
    fn copy(&mut self, target: &str, place: Place<'_>) -> Option<Object<'a>> {
        let component = self.components.get(target)?;
        let node: &'c Node<'a> = component.node;
        if place.depth > DEPTH || place.is_hidden && self.endless.contains(target) {
            return None;
        }
        let length = *component.length.get_or_init(|| length(node, COPIED));
        self.left = self.left.checked_sub(length?)?;
        let inside = Place {
            component: target,
            ..place
        };
        let Node::Object(copy) = self.schema(node, inside) else {
            return None;
        };
        let is_one = copy.iter().all(|(name, _)| name != "$ref");
        is_one.then_some(copy)
    }
}

/// A copy with the annotations of its place instead of its own.
fn annotated<'a>(
    copy: Object<'a>,
    beside: impl Iterator<Item = (Cow<'a, str>, Node<'a>)>,
) -> Node<'a> {
    let beside: Object<'a> = beside.collect();
    let replaced: HashSet<&str> = beside.iter().map(|(name, _)| name.as_ref()).collect();
    let kept = copy.into_iter();
    let kept = kept.filter(|(name, _)| !replaced.contains(name.as_ref()));
    let kept: Object<'a> = kept.collect();
    Node::Object(kept.into_iter().chain(beside).collect())
}

/// The component that a `$ref` leads to, as a whole.
fn reference_to(member: &(Cow<'_, str>, Node<'_>)) -> Option<String> {
    pointer_of(member).filter(|pointer| !pointer.contains('/'))
}

/// What follows `#/components/schemas/` in a `$ref`.
fn pointer_of((name, node): &(Cow<'_, str>, Node<'_>)) -> Option<String> {
    let reference = match node {
        Node::Text(text) => Cow::Borrowed(text.as_str()),
        Node::AsItIs(raw) => text_of(raw)?,
        _ => return None,
    };
    let pointer = reference.strip_prefix(SCHEMAS)?;
    (name == "$ref").then(|| pointer.to_owned())
}

/// Adds the components that a node refers to; whether there is anything to rewrite.
fn collect(node: &Node<'_>, found: &mut Vec<String>) -> bool {
    match node {
        Node::Object(members) => members.iter().fold(false, |any, member| {
            let pointer = pointer_of(member);
            let is_any = pointer.is_some() || member.0 == "discriminator";
            let name = pointer.as_deref().and_then(|it| it.split('/').next());
            found.extend(name.map(str::to_owned));
            collect(&member.1, found) || is_any || any
        }),
        Node::Array(items) => {
            // Each of them collects, whatever the one before has found.
            let any = items.iter().filter(|item| collect(item, found));
            any.count() > 0
        }
        _ => false,
    }
}

/// Names by name.
type Edges = HashMap<String, Vec<String>>;

fn reversed(edges: &Edges) -> Edges {
    let mut backwards = Edges::new();
    for (from, targets) in edges {
        for target in targets {
            let sources = backwards.entry(target.clone()).or_default();
            sources.push(from.clone());
        }
    }
    backwards
}

/// Those of `names` that are left when each is taken away that has no edge to one that is left, again and again.
fn peeled(mut names: HashSet<String>, edges: &Edges, backwards: &Edges) -> HashSet<String> {
    let of = |edges: &Edges, name: &str| edges.get(name).cloned().unwrap_or_default();
    let count = |name: &String| {
        let targets = of(edges, name);
        targets.iter().filter(|it| names.contains(*it)).count()
    };
    let mut counts: HashMap<String, usize> = names
        .iter()
        .map(|name| (name.clone(), count(name)))
        .collect();
    let ends = counts.iter().filter(|(_, count)| **count == 0);
    let mut ends: Vec<String> = ends.map(|(name, _)| name.clone()).collect();
    while let Some(end) = ends.pop() {
        names.remove(&end);
        for source in of(backwards, &end) {
            if let Some(count) = counts.get_mut(&source)
                && *count > 0
            {
                *count -= 1;
                if *count == 0 {
                    ends.push(source);
                }
            }
        }
    }
    names
}

/// Pairs of `names`, which are on cycles or between two, of which the second leads back to the first. Of too many names to tell, all pairs.
fn cycles(names: &HashSet<String>, edges: &Edges) -> HashSet<(String, String)> {
    let mut pairs = HashSet::new();
    for from in names {
        let targets = edges.get(from).into_iter().flatten();
        let targets: HashSet<&String> = targets.filter(|it| names.contains(*it)).collect();
        for target in targets {
            if names.len() > FEW || leads_to(target, from, names, edges) {
                pairs.insert((from.clone(), target.clone()));
            }
        }
    }
    pairs
}

/// Whether a name leads to another over `names`.
fn leads_to(from: &str, to: &str, names: &HashSet<String>, edges: &Edges) -> bool {
    let mut seen = HashSet::from([from]);
    let mut waiting = vec![from];
    while let Some(name) = waiting.pop() {
        if name == to {
            return true;
        }
        let targets = edges.get(name).into_iter().flatten();
        for target in targets.filter(|it| names.contains(*it)) {
            if seen.insert(target) {
                waiting.push(target);
            }
        }
    }
    false
}

/// How many bytes a node takes; `None` if they are more than `most`, after which none is counted.
fn length(node: &Node<'_>, most: usize) -> Option<usize> {
    let mut counted = Counted { bytes: 0, most };
    let done = serde_json::to_writer(&mut counted, node);
    #[cfg(test)]
    tests::COUNTED.set(tests::COUNTED.get() + counted.bytes);
    done.is_ok().then_some(counted.bytes)
}

/// What is written, as a number of bytes.
struct Counted {
    bytes: usize,
    most: usize,
}

impl io::Write for Counted {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        self.bytes = self.bytes.saturating_add(written.len());
        if self.bytes > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
