//! Reads the event stream of a response until the reply (`collapse`), then returns the connection to the pool.

use futures::StreamExt;

use crate::config::settings::Limits;
use crate::mcp::http::body::{broken, drain_in_background};
use crate::mcp::http::socket::Connection;
use crate::mcp::http::unpack::Unpacked;
use crate::mcp::limits::Budget;
use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::message::Reply;
use crate::mcp::stream::collapse::{Collapse, Step};
use crate::mcp::stream::notifications::Watch;

/// An event stream that is being read. Dropping it closes the connection.
pub struct Events {
    response: Unpacked,
    /// What it is read with.
    pub collapse: Collapse,
    connection: Connection,
}

impl Events {
    /// The stream in `response`, read for the reply to `id`.
    pub(crate) fn new(
        response: Unpacked,
        connection: Connection,
        id: Id,
        limits: Limits,
        budget: &Budget,
    ) -> Self {
        Self {
            response,
            collapse: Collapse::new(id, limits, budget.clone()),
            connection,
        }
    }

    /// The next step; `None` at the end of the stream. Cancel safe.
    pub async fn next(&mut self) -> Result<Option<Step>, Error> {
        loop {
            if let Some(step) = self.collapse.next_step()? {
                return Ok(Some(step));
            }
            if let Some(chunk) = self.response.next().await {
                self.collapse.push(chunk.map_err(broken)?)?;
                continue;
            }
            let last = self.collapse.end()?;
            if last.is_none() {
                // The stream may belong to another request.
                self.connection.exclude();
            }
            return Ok(last);
        }
    }

    /// The reply. Notifications before it go to `watch`; without one they are passed over.
    pub(crate) async fn reply(
        mut self: Box<Self>,
        watch: Option<&Watch>,
    ) -> Result<Option<Reply>, Error> {
        if watch.is_some() {
            self.collapse.keep_notifications();
        }
        while let Some(step) = self.next().await? {
            match (step, watch) {
                (Step::Reply(reply), _) => {
                    self.release();
                    return Ok(Some(reply));
                }
                (Step::Notification(notification), Some(watch)) => watch.send(notification).await,
                _ => {}
            }
        }
        Ok(None)
    }

    /// Goes on with another stream, on which the same reply is to come.
    pub fn resume(&mut self, stream: Box<Self>) {
        self.response = stream.response;
        self.connection = stream.connection;
        self.collapse.resume();
    }

    /// The reply has come. Gives the connection back to the pool, if the stream ends soon.
    pub fn release(self: Box<Self>) {
        drain_in_background(self.response);
    }
}
