//! The parts that a document of tools is put together from: mostly the servers' own bytes, printed as they came.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::Members;

/// The members of an object of a document.
pub(crate) type Object<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

/// A member that is not from a server.
pub(crate) fn member<'a>(
    name: impl Into<Cow<'a, str>>,
    value: impl Into<Value>,
) -> (Cow<'a, str>, Node<'a>) {
    (name.into(), Node::Ours(value.into()))
}

/// Members with their values as they came.
pub(crate) fn as_they_are(members: Members<'_>) -> impl Iterator<Item = (Cow<'_, str>, Node<'_>)> {
    let nodes = members.0.into_iter();
    nodes.map(|(name, value)| (name, Node::AsItIs(value)))
}

/// A part of a document, as far as it had to be taken apart.
#[derive(Debug, Clone)]
pub(crate) enum Node<'a> {
    Object(Object<'a>),
    Array(Vec<Node<'a>>),
    Text(String),
    /// As it came.
    AsItIs(&'a RawValue),
    /// Not from a server.
    Ours(Value),
    /// The same where many have it.
    Shared(&'a Value),
    /// Written already: as a tree it takes ten times the memory.
    Written(Box<RawValue>),
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Self::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Text(text) => serializer.serialize_str(text),
            Self::AsItIs(raw) => raw.serialize(serializer),
            Self::Ours(value) => value.serialize(serializer),
            Self::Shared(value) => value.serialize(serializer),
            Self::Written(raw) => raw.serialize(serializer),
        }
    }
}

impl<'a> Node<'a> {
    /// Its members, if it is an object from a server; else itself.
    pub(crate) fn into_members(self) -> Result<Object<'a>, Self> {
        match self {
            Self::Object(members) => Ok(members),
            Self::AsItIs(raw) => match Members::of(raw.get()) {
                Ok(members) => Ok(as_they_are(members).collect()),
                Err(_) => Err(self),
            },
            other => Err(other),
        }
    }

    /// Whether it is an object with a member of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::Object(members) => members.iter().any(|(known, _)| known == name),
            Self::AsItIs(raw) => {
                Members::of(raw.get()).is_ok_and(|members| members.get(name).is_some())
            }
            _ => false,
        }
    }
}
