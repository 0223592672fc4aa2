//! Event streams: their events, the collapse of a stream into one reply, and notifications for a caller that reads a streamed response.

pub mod collapse;
pub mod notifications;
pub mod sse;
