//! The rows of one service, each rendered once, so that a reply is composed of existing bytes.
//!
//! IDs are 1, 2, 3 … without a gap. Rows are added and replaced, never removed. The number of added rows is limited.

use bytes::{BufMut, Bytes, BytesMut};

/// Maximum number of entities that clients may create per service.
pub(super) const CREATED_MAX: usize = 100_000;

#[derive(Clone)]
pub(super) struct Rows {
    all: Vec<Bytes>,
    /// Indices of each owner's rows, oldest first; the owner's id is the index.
    by_owner: Vec<Vec<u32>>,
    max: usize,
}

/// No more entities can be created.
#[derive(Debug)]
pub(super) struct Full;

impl Rows {
    /// Renders `count` rows. `render` appends the row of an ID to a buffer and returns its owner (0: none).
    pub(super) fn seeded(count: u32, mut render: impl FnMut(u32, &mut Vec<u8>) -> u32) -> Self {
        let mut text = Vec::with_capacity(count as usize * 256);
        let mut ends = Vec::with_capacity(count as usize);
        let mut by_owner = Vec::new();
        for id in 1..=count {
            let owner = render(id, &mut text);
            note(&mut by_owner, owner, id - 1);
            ends.push(text.len());
        }
        let text = Bytes::from(text);
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let all: Vec<Bytes> =
            begins.zip(&ends).map(|(begin, end)| text.slice(begin..*end)).collect();
        let max = all.len() + CREATED_MAX;
        Self { all, by_owner, max }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, id: u32) -> Option<&Bytes> {
        self.all.get((id as usize).checked_sub(1)?)
    }

    /// Adds the row that `render` writes for the next id.
    pub(super) fn create(
        &mut self,
        owner: u32,
        render: impl FnOnce(u32) -> Bytes,
    ) -> Result<Bytes, Full> {
        if self.all.len() >= self.max {
            return Err(Full);
        }
        let index = self.all.len() as u32;
        let row = render(index + 1);
        self.all.push(row.clone());
        note(&mut self.by_owner, owner, index);
        Ok(row)
    }

    pub(super) fn replace(&mut self, id: u32, row: Bytes) {
        if let Some(old) = (id as usize).checked_sub(1).and_then(|index| self.all.get_mut(index)) {
            *old = row;
        }
    }

    /// Returns the rows after the ID `after`, and the ID for the next page, if there is one.
    pub(super) fn page(&self, after: u32, first: usize) -> (&[Bytes], Option<usize>) {
        let start = (after as usize).min(self.all.len());
        let end = start.saturating_add(first).min(self.all.len());
        (&self.all[start..end], (end < self.all.len()).then_some(end))
    }

    /// Returns an owner's last rows, latest first.
    pub(super) fn latest(&self, owner: u32, count: usize) -> impl Iterator<Item = &Bytes> {
        let indices = self.by_owner.get(owner as usize).map_or(&[][..], Vec::as_slice);
        indices.iter().rev().take(count).map(|index| &self.all[*index as usize])
    }
}

/// Joins the rows with commas, between `before` and `after`.
pub(super) fn join<'a>(
    before: &str,
    rows: impl IntoIterator<Item = &'a Bytes>,
    after: &str,
) -> Bytes {
    let mut text = BytesMut::with_capacity(8 * 1024);
    text.put_slice(before.as_bytes());
    for (index, row) in rows.into_iter().enumerate() {
        if index > 0 {
            text.put_u8(b',');
        }
        text.put_slice(row);
    }
    text.put_slice(after.as_bytes());
    text.freeze()
}

fn note(by_owner: &mut Vec<Vec<u32>>, owner: u32, index: u32) {
    let owner = owner as usize;
    if by_owner.len() <= owner {
        by_owner.resize_with(owner + 1, Vec::new);
    }
    if owner > 0 {
        by_owner[owner].push(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creating_ends_at_the_limit_and_loses_nothing() {
        let mut rows = Rows::seeded(2, |id, text| {
            text.extend(id.to_string().into_bytes());
            7
        });
        for _ in 0..CREATED_MAX {
            rows.create(7, |id| Bytes::from(id.to_string())).unwrap();
        }
        assert!(rows.create(7, |_| Bytes::new()).is_err());
        let (page, next) = rows.page(0, 3);
        assert_eq!((join("[", page, "]").as_ref(), next), (&b"[1,2,3]"[..], Some(3)));
        assert_eq!(rows.page(u32::MAX, usize::MAX).1, None);
        let latest: Vec<_> = rows.latest(7, 2).collect();
        assert_eq!(latest, ["100002", "100001"]);
        assert_eq!(rows.latest(8, 2).count(), 0);
    }
}
