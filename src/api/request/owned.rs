//! Members of a body as copies, for a streamed request, which outlives the body and must not read it again.

use serde_json::value::RawValue;

use crate::api::error::kinds::Error;
use crate::json::Members;
use crate::mcp::limits::{Budget, NoRoom, Reservation, SMALL};
use crate::mcp::protocol::error::Executed;

/// Members of a JSON object. Large ones count as the body did.
pub(crate) struct OwnedMembers {
    members: Vec<(String, Box<RawValue>)>,
    _reservation: Reservation,
}

impl OwnedMembers {
    /// Copies of `members`; an error if there is no memory for them.
    pub(crate) fn of(members: &Members<'_>, budget: &Budget) -> Result<Self, Error> {
        let lengths = members.0.iter();
        let lengths = lengths.map(|(name, value)| name.len() + value.get().len());
        let bytes = lengths.sum();
        let mut reservation = budget.reservation();
        if bytes > SMALL {
            let held = reservation.resize(bytes);
            held.map_err(|NoRoom| Error::NoRoom(Executed::No))?;
        }
        let copies = members.0.iter();
        let copies = copies.map(|(name, value)| (name.to_string(), (*value).to_owned()));
        Ok(Self {
            members: copies.collect(),
            _reservation: reservation,
        })
    }

    /// The members.
    pub(crate) fn borrowed(&self) -> Members<'_> {
        let members = self.members.iter();
        Members(
            members
                .map(|(name, value)| (name.into(), &**value))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_copies_count_until_they_are_dropped() {
        let text = format!(r#"{{"a": 1.10, "b": "{}"}}"#, "x".repeat(SMALL));
        let members = Members::of(&text).unwrap();
        let budget = Budget::new(2 * SMALL);
        let owned = OwnedMembers::of(&members, &budget).unwrap();
        assert_eq!(owned.borrowed().get("a").unwrap().get(), "1.10");
        assert!(matches!(
            OwnedMembers::of(&members, &budget),
            Err(Error::NoRoom(Executed::No))
        ));
        drop(owned);
        assert!(OwnedMembers::of(&members, &budget).is_ok());
    }
}
