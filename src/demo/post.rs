//! Notifications of the storefront: stores those that were sent, and streams new ones to listeners.
//!
//! Letters are kept forever and passed on once, in the order of their IDs. Nothing is queued for listeners that cannot
//! keep up: their stream ends, so that they notice the gap.

use super::calendar;
use super::rows::{Full, Rows};
use super::seed::{self, NOTIFICATIONS, Notification, Subject};
use bytes::Bytes;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};

/// Maximum number of letters that a listener may be behind.
const BEHIND_MAX: usize = 256;

pub(super) struct Post {
    rows: RwLock<Rows>,
    new: broadcast::Sender<Delivered>,
}

/// A notification for a user.
pub(super) struct Letter<'a> {
    pub user: u32,
    pub kind: &'a str,
    pub text: &'a str,
    pub order: Option<u32>,
}

#[derive(Clone)]
struct Delivered {
    user: u32,
    row: Bytes,
}

/// Receives the notifications of one user from now on.
pub(super) struct Listener {
    post: Arc<Post>,
    user: u32,
    new: broadcast::Receiver<Delivered>,
    promote_after: Option<Duration>,
}

/// Rendered once, however many storefronts a process starts.
static SEEDED: LazyLock<Rows> = LazyLock::new(|| {
    Rows::seeded(NOTIFICATIONS, |id, text| {
        Notification::seeded(id, |notification| {
            super::render(notification, text);
            notification.user_id
        })
    })
});

impl Post {
    pub(super) fn new() -> Arc<Self> {
        let (new, _) = broadcast::channel(BEHIND_MAX);
        Arc::new(Self { rows: RwLock::new(SEEDED.clone()), new })
    }

    pub(super) fn read<R>(&self, with: impl FnOnce(&Rows) -> R) -> R {
        with(&self.rows.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stores a letter and passes it on.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn deliver(&self, letter: &Letter<'_>) -> Result<Bytes, Full> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let row = rows.create(letter.user, |id| letter.rendered(id))?;
        // Under the lock, so that letters arrive in order. An error means that there is no listener.
        let _ = self.new.send(Delivered { user: letter.user, row: row.clone() });
        Ok(row)
    }

    /// Replaces a row by the result of `change`; `None` if there is no such row.
    pub(super) fn change(
        &self,
        id: u32,
        change: impl FnOnce(&Bytes) -> Option<Bytes>,
    ) -> Option<Bytes> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let changed = change(rows.get(id)?)?;
        rows.replace(id, changed.clone());
        Some(changed)
    }

    /// Listens for a user. If `promote_after` is not zero, a listener without a letter for that long gets a promotion.
    pub(super) fn listen(self: &Arc<Self>, user: u32, promote_after: Option<Duration>) -> Listener {
        Listener { post: Arc::clone(self), user, new: self.new.subscribe(), promote_after }
    }
}

impl Letter<'_> {
    fn rendered(&self, id: u32) -> Bytes {
        super::rendered(&Notification {
            id,
            user_id: self.user,
            kind: self.kind,
            body: self.text,
            read: false,
            created_at: calendar::notified_at(id),
            subject: self.order.map(|order_id| Subject { order_id }),
        })
    }
}

impl Listener {
    /// Returns the next letter, as JSON.
    ///
    /// # Errors
    /// The listener is too far behind, or the post is closed.
    pub(super) async fn next(&mut self) -> Result<Bytes, RecvError> {
        while let Some(patience) = self.promote_after {
            match tokio::time::timeout(patience, self.heard()).await {
                Ok(heard) => return heard,
                Err(_) => self.promote(),
            }
        }
        self.heard().await
    }

    async fn heard(&mut self) -> Result<Bytes, RecvError> {
        loop {
            let delivered = self.new.recv().await?;
            if delivered.user == self.user {
                return Ok(delivered.row);
            }
        }
    }

    fn promote(&mut self) {
        let text = seed::promotion(self.post.read(Rows::len) as u64);
        let letter = Letter { user: self.user, kind: "PROMOTION", text: &text, order: None };
        if self.post.deliver(&letter).is_err() {
            self.promote_after = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(user: u32) -> Letter<'static> {
        Letter { user, kind: "SECURITY", text: "Someone signed in as you", order: None }
    }

    #[tokio::test]
    async fn letters_are_heard_in_order_by_whom_they_are_for() {
        let post = Post::new();
        let mut listener = post.listen(2, None);
        let delivered = [2, 1, 2].map(|user| post.deliver(&letter(user)).unwrap());
        assert_eq!(listener.next().await.as_ref(), Ok(&delivered[0]));
        assert_eq!(listener.next().await.as_ref(), Ok(&delivered[2]));
    }

    #[tokio::test]
    async fn whoever_cannot_keep_up_is_told_that_something_is_missing() {
        let post = Post::new();
        let mut listener = post.listen(2, None);
        for _ in 0..=BEHIND_MAX {
            post.deliver(&letter(1)).unwrap();
        }
        assert_eq!(listener.next().await, Err(RecvError::Lagged(1)));
    }

    #[tokio::test]
    async fn silence_is_broken_by_promotions_where_that_is_asked_for() {
        let post = Post::new();
        let mut listener = post.listen(7, Some(Duration::from_millis(1)));
        for _ in 0..2 {
            let row = tokio::time::timeout(Duration::from_secs(20), listener.next()).await;
            let row = row.expect("in time").unwrap();
            assert!(std::str::from_utf8(&row).unwrap().contains("PROMOTION"));
        }
        assert_eq!(post.read(|rows| rows.latest(7, 9).count()), 2, "they are kept like any other");
    }
}
