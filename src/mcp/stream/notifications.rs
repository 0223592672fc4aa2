//! What a caller who watches a request is told while it runs: the server's notifications, as they arrive.
//!
//! A caller who is slow to listen slows down the reading of the stream, and so the server; little piles up here.

use std::sync::Arc;

use bytes::Bytes;
use futures::SinkExt;
use futures::channel::mpsc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::mcp::protocol::id::random_hex;
use crate::mcp::protocol::message::Notification;

/// Notifications that wait for a caller to take them.
const WAITING: usize = 16;
/// Their bytes. One that is longer waits alone.
const WAITING_BYTES: u32 = 256 * 1024;

/// The way to a caller who watches.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The token that progress of the request is to carry, as JSON.
    pub(crate) token: Bytes,
    notifications: mpsc::Sender<Told>,
    room: Arc<Semaphore>,
}

/// A notification on its way, with its room among those that wait: it is given back when this is dropped.
#[derive(Debug)]
pub struct Told {
    /// What the server tells.
    pub notification: Notification,
    _room: Option<OwnedSemaphorePermit>,
}

impl Watch {
    /// A way, and its other end.
    pub fn new() -> (Self, mpsc::Receiver<Told>) {
        let (notifications, received) = mpsc::channel(WAITING);
        let token = format!("\"{}\"", random_hex()).into();
        let watch = Self {
            token,
            notifications,
            room: Arc::new(Semaphore::new(
                usize::try_from(WAITING_BYTES).unwrap_or(usize::MAX),
            )),
        };
        (watch, received)
    }

    /// The token without its quotes.
    pub(crate) fn token(&self) -> &str {
        let token = std::str::from_utf8(&self.token).unwrap_or_default();
        token.trim_matches('"')
    }

    /// The same for a request that carries a token of the caller's own.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: Bytes::copy_from_slice(token.as_bytes()),
            ..self.clone()
        }
    }

    /// Hands a notification on, unless it is about the progress of another request in the same session.
    pub(crate) async fn tell(&self, notification: Notification) {
        if notification.is_of_another(&self.token) {
            return;
        }
        let bytes = notification.method.len() + notification.params.len();
        let bytes = u32::try_from(bytes).unwrap_or(WAITING_BYTES);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes.min(WAITING_BYTES));
        let told = Told {
            notification,
            _room: room.await.ok(),
        };
        // Who does not listen any more is not told.
        let _ = self.notifications.clone().send(told).await;
    }
}
