//! A place in a tool's schema, as a JSON pointer into its definition.

use std::rc::Rc;

/// Bytes of a pointer that are shown.
pub(crate) const LONGEST_POINTER: usize = 1000;

/// What was cut from a tool's definition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cut {
    /// Where it was: a JSON pointer into the tool's definition (`GET /api/mcp/{server}/tools/{tool}`).
    pub(crate) pointer: String,
    /// The keyword there, or the name of an argument; `*` for all that is there.
    pub(crate) keyword: String,
}

/// Where something is in a schema; a pointer is made of it only where something is cut.
#[derive(Debug, Clone, Default)]
pub(crate) struct At<'v>(Option<Rc<Step<'v>>>);

#[derive(Debug)]
enum Step<'v> {
    Member(At<'v>, &'v str),
    Item(At<'v>, usize),
    /// What a reference leads to.
    Target(&'v str),
}

impl<'v> At<'v> {
    /// Where a pointer leads.
    pub(crate) fn target(pointer: &'v str) -> Self {
        Self(Some(Rc::new(Step::Target(pointer))))
    }

    /// The member of an object there.
    pub(crate) fn member(&self, name: &'v str) -> Self {
        Self(Some(Rc::new(Step::Member(self.clone(), name))))
    }

    /// The item of a list there.
    pub(crate) fn item(&self, index: usize) -> Self {
        Self(Some(Rc::new(Step::Item(self.clone(), index))))
    }

    /// The JSON pointer, its end left out if it is too long.
    pub(crate) fn pointer(&self) -> String {
        let mut steps = Vec::new();
        let mut at = self;
        let mut start = "";
        while let Some(step) = at.0.as_deref() {
            match step {
                Step::Member(above, name) => {
                    let shown = name.chars().take(LONGEST_POINTER).collect::<String>();
                    steps.push(shown.replace('~', "~0").replace('/', "~1"));
                    at = above;
                }
                Step::Item(above, index) => {
                    steps.push(index.to_string());
                    at = above;
                }
                Step::Target(reference) => {
                    start = reference;
                    break;
                }
            }
        }
        let mut pointer = format!("/inputSchema{start}");
        for step in steps.iter().rev() {
            pointer.push('/');
            pointer.push_str(step);
        }
        if pointer.len() > LONGEST_POINTER {
            pointer = pointer.chars().take(LONGEST_POINTER).collect();
            pointer.push('…');
        }
        pointer
    }
}
