//! What OpenAPI 3.0 cannot say of a document: where it stands in the document of 3.1, and its keyword. The list is bounded; what does
//! not fit is counted.

use std::collections::HashSet;

use serde_json::{Value, json};

/// How many are listed.
const MOST: usize = 200;
/// Bytes of a pointer; a longer one is not listed.
const LONGEST: usize = 400;

/// A place to go back to.
#[derive(Clone, Copy)]
pub(super) struct Place(usize);

/// The losses of a conversion so far.
#[derive(Default)]
pub(super) struct Losses {
    /// The place at hand, as a JSON pointer.
    place: String,
    /// The component that it is in.
    pub(super) component: String,
    listed: Vec<Value>,
    more: usize,
    /// How many of them were assertions, without which a schema accepts more.
    pub(super) assertions: usize,
    /// Names of the components that assertions were lost in.
    pub(super) widened: HashSet<String>,
}

impl Losses {
    /// Goes one step deeper.
    pub(super) fn enter(&mut self, step: &str) -> Place {
        self.enter_at(&format!("/{}", step.replace('~', "~0").replace('/', "~1")))
    }

    /// Goes along a pointer.
    pub(super) fn enter_at(&mut self, pointer: &str) -> Place {
        let before = Place(self.place.len());
        self.place.push_str(pointer);
        before
    }

    /// Goes back.
    pub(super) fn leave(&mut self, before: Place) {
        self.place.truncate(before.0);
    }

    /// A keyword that says what a value must be is lost. `*` stands for all of a schema.
    pub(super) fn assertion(&mut self, keyword: &str) {
        self.assertions += 1;
        if !self.component.is_empty() && !self.widened.contains(&self.component) {
            self.widened.insert(self.component.clone());
        }
        self.annotation(keyword);
    }

    /// Anything else is lost.
    pub(super) fn annotation(&mut self, keyword: &str) {
        if self.listed.len() < MOST && self.place.len() + keyword.len() <= LONGEST {
            let loss = json!({"pointer": self.place, "keyword": keyword});
            if self.listed.last() != Some(&loss) {
                self.listed.push(loss);
            }
        } else {
            self.more += 1;
        }
    }

    /// All of them; how many are not listed is the last entry.
    pub(super) fn list(&self) -> Vec<Value> {
        let mut list = self.listed.clone();
        if self.more > 0 {
            list.push(json!({"more": self.more}));
        }
        list
    }
}
