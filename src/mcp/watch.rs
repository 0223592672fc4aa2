//! What a caller who watches a request is told while it runs: the server's notifications, as they arrive.
//!
//! A caller who is slow to listen slows down the reading of the stream, and so the server; nothing piles up here.

use bytes::Bytes;
use futures::SinkExt;
use futures::channel::mpsc;

use super::message::{Notification, random_hex};

/// Notifications that wait for a caller to take them.
const WAITING: usize = 16;

/// The way to a caller who watches.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The token that progress of the request is to carry, as JSON.
    pub(super) token: Bytes,
    notifications: mpsc::Sender<Notification>,
}

impl Watch {
    /// A way, and its other end.
    pub fn new() -> (Self, mpsc::Receiver<Notification>) {
        let (notifications, received) = mpsc::channel(WAITING);
        let token = format!("\"{}\"", random_hex()).into();
        let watch = Self {
            token,
            notifications,
        };
        (watch, received)
    }

    /// The token without its quotes.
    pub(super) fn token(&self) -> &str {
        let token = std::str::from_utf8(&self.token).unwrap_or_default();
        token.trim_matches('"')
    }

    /// The same for a request that carries a token of the caller's own.
    pub(super) fn with_token(&self, token: &str) -> Self {
        Self {
            token: Bytes::copy_from_slice(token.as_bytes()),
            notifications: self.notifications.clone(),
        }
    }

    /// Hands a notification on, unless it is about the progress of another request in the same session.
    pub(super) async fn tell(&self, notification: Notification) {
        if notification.is_of_another(&self.token) {
            return;
        }
        // Who does not listen any more is not told.
        let _ = self.notifications.clone().send(notification).await;
    }
}
