//! Interim replies of HTTP/1.1 (status 1xx; RFC 9110, section 15.2), which hyper reads and drops: a service may send a few
//! before its reply, and not without end.

use super::Failure;
use http::Request;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Interim replies before the reply.
pub const MAX_INTERIM: usize = 8;

/// The interim replies to one request.
#[derive(Default)]
pub struct Interim {
    came: AtomicUsize,
    too_many: Notify,
}

impl Interim {
    /// Counts those that come for this request.
    pub fn of<B>(request: &mut Request<B>) -> Arc<Self> {
        let interim = Arc::new(Self::default());
        let counted = Arc::clone(&interim);
        hyper::ext::on_informational(request, move |_| counted.count());
        interim
    }

    /// The outcome of the request's exchange, which is dropped if there are too many.
    ///
    /// # Errors
    /// Of the exchange; [`Failure::Invalid`] if there are too many.
    pub async fn bounded<T>(
        &self,
        exchange: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.too_many.notified() => {
                Err(Failure::Invalid(format!("more than {MAX_INTERIM} interim replies")))
            }
            outcome = exchange => outcome,
        }
    }

    fn count(&self) {
        if self.came.fetch_add(1, Ordering::Relaxed) == MAX_INTERIM {
            self.too_many.notify_one();
        }
    }
}
