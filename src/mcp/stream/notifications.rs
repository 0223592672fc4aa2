//! The server's notifications for a caller that reads a streamed response, as they arrive.
//!
//! Back pressure: a caller that reads slowly slows down the reading of the upstream; the queue is bounded.

use std::sync::Arc;

use bytes::Bytes;
use futures::SinkExt;
use futures::channel::mpsc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::mcp::protocol::id::random_hex;
use crate::mcp::protocol::message::Notification;

/// The length of the queue.
const WAITING: usize = 16;
/// Their bytes. One that is longer waits alone.
const WAITING_BYTES: u32 = 256 * 1024;

/// The sender of notifications to a caller.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The token that progress of the request is to carry, as JSON.
    pub(crate) token: Bytes,
    notifications: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
}

/// A notification in the queue, with its share of the bytes there, released when dropped.
#[derive(Debug)]
pub struct Queued {
    /// The notification.
    pub notification: Notification,
    _room: Option<OwnedSemaphorePermit>,
}

impl Watch {
    /// A sender and its receiver.
    pub fn new() -> (Self, mpsc::Receiver<Queued>) {
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

    /// The same for a request with the caller's own progress token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: Bytes::copy_from_slice(token.as_bytes()),
            ..self.clone()
        }
    }

    /// Sends a notification, unless it is about the progress of another request in the same session.
    pub(crate) async fn send(&self, notification: Notification) {
        if notification.is_of_another(&self.token) {
            return;
        }
        let bytes = notification.method.len() + notification.params.len();
        let bytes = u32::try_from(bytes).unwrap_or(WAITING_BYTES);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes.min(WAITING_BYTES));
        let queued = Queued {
            notification,
            _room: room.await.ok(),
        };
        // The caller may be gone.
        let _ = self.notifications.clone().send(queued).await;
    }
}
