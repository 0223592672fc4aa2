//! Event streams: their events, the collapse of a stream into one reply, and notifications on their way to a caller who listens.

pub mod collapse;
pub mod notifications;
pub mod sse;
