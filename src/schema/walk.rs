//! How a schema is walked: every value in it, what a reference leads to, and how much a walk may still cost.
//!
//! Trees come from `serde_json`, which reads nothing nested deeper than 128 levels, so recursion over one is bounded. References make a
//! schema deeper, and can make it branch without bound: a walk that follows them needs a bound on its depth and a [`Budget`].

use std::cell::Cell;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::schema::keywords::KEYWORDS;

/// Bytes of text that are read in the time that a schema takes.
const TEXT: usize = 64;
/// Bytes of an index and its slash in a JSON pointer, taken from above.
const INDEX: usize = 7;

/// How much a walk may still cost: steps, or bytes of what it makes.
pub(crate) struct Budget(Cell<usize>);

impl Budget {
    /// So much to spend.
    pub(crate) fn new(left: usize) -> Self {
        Self(Cell::new(left))
    }

    /// What is left.
    pub(crate) fn left(&self) -> usize {
        self.0.get()
    }

    /// Takes an amount; `None` if there is less left.
    pub(crate) fn spend(&self, amount: usize) -> Option<()> {
        self.0.set(self.left().checked_sub(amount)?);
        Some(())
    }
}

/// Steps that it takes to read a text.
pub(crate) fn steps(text: &str) -> usize {
    text.len() / TEXT + 1
}

/// Shows `visit` every value in a tree, each before those in it, with its name if it is a member, and the length of its JSON pointer,
/// which is at least `pointer`. Ends where `visit` returns `None`.
pub(crate) fn values<'v>(
    root: &'v Value,
    pointer: usize,
    mut visit: impl FnMut(&'v Value, Option<&'v str>, usize) -> Option<()>,
) -> Option<()> {
    values_in(root, None, pointer, &mut visit)
}

fn values_in<'v>(
    value: &'v Value,
    name: Option<&'v str>,
    pointer: usize,
    visit: &mut impl FnMut(&'v Value, Option<&'v str>, usize) -> Option<()>,
) -> Option<()> {
    visit(value, name, pointer)?;
    match value {
        Value::Array(items) => {
            let mut items = items.iter();
            items.try_for_each(|item| values_in(item, None, pointer + INDEX, visit))
        }
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            let escapes = name.bytes().filter(|byte| matches!(byte, b'~' | b'/'));
            let pointer = pointer + name.len() + escapes.count() + 1;
            values_in(member, Some(name), pointer, visit)
        }),
        _ => Some(()),
    }
}

/// The references in a schema, which are those of its own keywords.
pub(crate) fn references(keywords: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let refer = KEYWORDS.iter().filter(|keyword| keyword.refers());
    refer.filter_map(|keyword| keywords.get(keyword.name)?.as_str())
}

/// What a reference leads to, if that is in this schema.
pub(crate) fn target<'v>(root: &'v Value, reference: &str) -> Option<&'v Value> {
    let pointer = reference.strip_prefix('#')?;
    if pointer.contains('%') {
        return root.pointer(&percent_decode_str(pointer).decode_utf8().ok()?);
    }
    root.pointer(pointer)
}

/// Which value this is, among those of one schema.
pub(crate) fn identity(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}
