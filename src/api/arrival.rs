//! How long the body of a request may be on its way, and how much may come with it that is no body.
//!
//! Its bytes are `extract`'s.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_rt::time::{Sleep, sleep_until};

use super::call::Call;
use super::error::Error;
use super::extract;
use crate::caller_connection::Exchange;

/// What may come beside a body of any length: what the HTTP library reads ahead, and then some.
const FRAMING: usize = 256 * 1024;

/// A body on its way.
pub(super) struct Arrival {
    exchange: Exchange,
    cap: usize,
    /// What the connection may have brought when the body is there, its framing included.
    most: u64,
    deadline: Instant,
    /// Made when the body did not come along with the head.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Arrival {
    /// The body of a call: within its deadline, and at most `cap` bytes. In chunks it may be twice that, for small chunks
    /// with short extensions take as much again.
    pub(super) fn of(call: &Call<'_>, cap: usize) -> Result<Self, Error> {
        let most = cap.saturating_mul(2).saturating_add(FRAMING);
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let of_server = call.server().ok().and_then(|server| server.timeout);
        Ok(Self {
            exchange: call.exchange.clone(),
            cap,
            most: call.exchange.received().saturating_add(most),
            deadline: call.started + extract::timeout(call, of_server, None)?,
            timer: None,
        })
    }

    /// Why the body is not waited for any longer. To be asked whenever there is nothing of it to read.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        if self.exchange.received() > self.most {
            return Poll::Ready(Error::PayloadTooLarge(self.cap));
        }
        let deadline = self.deadline.into();
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().poll(context).map(|()| Error::RequestTimeout)
    }
}
