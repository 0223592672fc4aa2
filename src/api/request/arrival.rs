//! How long the body of a request may be on its way, and how much may come with it that is no body.
//!
//! Its bytes are `extract`'s.

use std::pin::Pin;
use std::task;
use std::task::Poll;
use std::time::Instant;

use actix_rt::time::{Sleep, sleep_until};

use crate::api::error::kinds::Error;
use crate::api::request::context::Context;
use crate::api::request::extract;

/// What may come beside a body of any length: what the HTTP library reads ahead, and then some.
const FRAMING: usize = 256 * 1024;

/// The body of a call on its way. Until it is dropped, its connection is read from without a pause.
pub(crate) struct Arrival<'c> {
    context: &'c Context<'c>,
    /// What the connection may have brought when the body is there, its framing included.
    most: u64,
    /// Made when the body did not come along with the head.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<'c> Arrival<'c> {
    /// At most `cap` bytes. In chunks it may be twice that, for small chunks with short extensions take as much again.
    pub(crate) fn of(context: &'c Context<'c>, cap: usize) -> Self {
        context.exchange.set_reading(true);
        let most = cap.saturating_mul(2).saturating_add(FRAMING);
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        Self {
            context,
            most: context.exchange.received().saturating_add(most),
            timer: None,
        }
    }

    /// Why the body is not waited for any longer. To be asked whenever there is nothing of it to read.
    pub(crate) fn poll(&mut self, poll: &mut task::Context<'_>) -> Poll<Error> {
        let context = self.context;
        if context.exchange.received() > self.most {
            let cap = context.state.settings.limits.request_bytes;
            return Poll::Ready(Error::PayloadTooLarge(cap));
        }
        let timer = match &mut self.timer {
            Some(timer) => timer,
            None => match deadline(context) {
                Ok(deadline) => self.timer.insert(Box::pin(sleep_until(deadline.into()))),
                Err(error) => return Poll::Ready(error),
            },
        };
        timer.as_mut().poll(poll).map(|()| Error::RequestTimeout)
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        self.context.exchange.set_reading(false);
    }
}

/// The deadline of a call, as far as it is known without its body.
fn deadline(context: &Context<'_>) -> Result<Instant, Error> {
    let of_server = context.server().ok().and_then(|server| server.timeout);
    Ok(context.started + extract::timeout(context, of_server, None)?)
}
