//! Reads a request's body, up to a limit and within a timeout.
//!
//! A body that arrives in one piece, as most do, is not copied. One that is too large is refused as soon as it exceeds
//! the limit, even if it never ends. The rest is then read and discarded for a while after the response: a client that
//! cannot go on sending mostly sees a broken connection instead of the response. A client that waits for `100 Continue`
//! sends nothing.

use super::inflate::{self, Coding};
use super::intake::Taken;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body::Frame;
use http_body_util::BodyExt as _;
use std::time::Duration;

/// Maximum bytes and time for which the rest of a body that is too large is discarded. Then the connection is given up.
const DRAIN: usize = 32 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// If a compressed body pauses for this long, the part that has arrived is inflated. So one without an end is refused,
/// too.
const PAUSE: Duration = Duration::from_millis(100);

/// Maximum number of pauses of one body at which it is inflated.
const PAUSES: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    TooLarge,
    /// The content coding is not supported.
    UnknownCoding,
    TooSlow,
    /// Other requests of the connection already hold all the bytes that it may hold.
    Crowded,
    /// The client disconnected, broke the protocol, or sent something other than its headers declare.
    Broken,
}

impl From<inflate::Mistake> for Mistake {
    fn from(mistake: inflate::Mistake) -> Self {
        match mistake {
            inflate::Mistake::Unknown => Self::UnknownCoding,
            inflate::Mistake::TooLarge => Self::TooLarge,
            inflate::Mistake::Broken => Self::Broken,
        }
    }
}

/// Limits of a body.
pub(super) struct Bounds {
    /// Maximum size in bytes, both as sent and inflated.
    pub limit: usize,
    /// Timeout for the whole body.
    pub time: Duration,
    /// Compressed bodies are allowed.
    pub inflate: bool,
}

/// Reads a body. Its bytes are counted in `taken`, as sent and as inflated.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    bounds: &Bounds,
    taken: &mut Taken,
) -> Result<Bytes, Mistake> {
    let codings = inflate::codings(headers)?;
    if !codings.is_empty() && !bounds.inflate {
        return Err(Mistake::UnknownCoding);
    }
    let read = read_all(headers, body, bounds.limit, &codings, taken);
    let read = tokio::time::timeout(bounds.time, read);
    let body = read.await.unwrap_or(Err(Mistake::TooSlow))?;
    let inflated = inflate::inflate(&codings, body, bounds.limit)?;
    if !codings.is_empty() {
        taken.add(inflated.len()).map_err(|_| Mistake::Crowded)?;
    }
    Ok(inflated)
}

async fn read_all(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
    codings: &[Coding],
    taken: &mut Taken,
) -> Result<Bytes, Mistake> {
    if declared(headers).is_some_and(|length| length > limit as u64) {
        if !headers.contains_key(EXPECT) {
            drain(body);
        }
        return Err(Mistake::TooLarge);
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut length = 0;
    let mut pauses = Pauses { codings, left: PAUSES };
    loop {
        let so_far = if rest.is_empty() { &first[..] } else { &rest[..] };
        let frame = match pauses.frame(&mut body, so_far, limit).await {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(mistake) => {
                drain(body);
                return Err(mistake);
            }
        };
        let Ok(data) = frame.map_err(|_| Mistake::Broken)?.into_data() else { continue };
        length += data.len();
        if length > limit {
            drain(body);
            return Err(Mistake::TooLarge);
        }
        taken.add(data.len()).map_err(|_| Mistake::Crowded)?;
        if first.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// Handles the pauses of a compressed body.
struct Pauses<'a> {
    codings: &'a [Coding],
    left: usize,
}

impl Pauses<'_> {
    /// Returns the next frame of a body. `so_far` has arrived already.
    async fn frame(
        &mut self,
        body: &mut Body,
        so_far: &[u8],
        limit: usize,
    ) -> Result<Option<Result<Frame<Bytes>, axum::Error>>, Mistake> {
        if !self.codings.is_empty() && self.left > 0 && !so_far.is_empty() {
            if let Ok(frame) = tokio::time::timeout(PAUSE, body.frame()).await {
                return Ok(frame);
            }
            self.left -= 1;
            if inflate::exceeds(self.codings, so_far, limit) {
                return Err(Mistake::TooLarge);
            }
        }
        Ok(body.frame().await)
    }
}

/// Reads and discards the rest of a body while the answer is sent.
fn drain(mut body: Body) {
    tokio::spawn(tokio::time::timeout(DRAIN_TIME, async move {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > DRAIN {
                return;
            }
        }
    }));
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::intake::Intake;
    use futures_util::{StreamExt as _, stream};
    use http::HeaderValue;
    use http::header::CONTENT_ENCODING;

    fn chunks(chunks: &[&'static str]) -> Body {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok::<_, std::io::Error>(*chunk)).collect();
        Body::from_stream(stream::iter(chunks))
    }

    async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Mistake> {
        let bounds = Bounds { limit: 6, time: Duration::from_millis(200), inflate: true };
        super::read(headers, body, &bounds, &mut Intake::new(6).begin()).await
    }

    #[tokio::test]
    async fn what_a_connection_holds_is_counted_as_sent_and_as_inflated() {
        let intake = Intake::new(1 << 20);
        let bounds = Bounds { limit: 8 << 20, time: Duration::from_secs(20), inflate: true };
        let body = || Body::from(vec![b' '; 5 << 20]);
        let none = HeaderMap::new();
        let (mut first, mut second) = (intake.begin(), intake.begin());
        assert!(super::read(&none, body(), &bounds, &mut first).await.is_ok());
        let crowded = super::read(&none, body(), &bounds, &mut second).await;
        assert_eq!(crowded, Err(Mistake::Crowded));
        drop((first, second));
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &vec![b' '; 5 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        let gzip = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
        let (mut first, mut second) = (intake.begin(), intake.begin());
        let read = super::read(&gzip, Body::from(bomb.clone()), &bounds, &mut first).await;
        assert_eq!(read.map(|body| body.len()), Ok(5 << 20));
        let crowded = super::read(&gzip, Body::from(bomb), &bounds, &mut second).await;
        assert_eq!(crowded, Err(Mistake::Crowded));
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit() {
        let none = HeaderMap::new();
        for parts in [&["abcdef"][..], &["ab", "", "cd", "ef"], &["", "abcdef"]] {
            assert_eq!(read(&none, chunks(parts)).await, Ok(Bytes::from("abcdef")), "{parts:?}");
        }
        assert_eq!(read(&none, Body::empty()).await, Ok(Bytes::new()));
        assert_eq!(read(&none, chunks(&["abcd", "efg"])).await, Err(Mistake::TooLarge));
        let declared = HeaderMap::from_iter([(CONTENT_LENGTH, 7.into())]);
        assert_eq!(read(&declared, Body::empty()).await, Err(Mistake::TooLarge));
    }

    /// Returns a body that sends `parts` and never ends.
    fn without_end(parts: &[Bytes]) -> Body {
        let parts: Vec<_> = parts.iter().cloned().map(Ok::<_, std::io::Error>).collect();
        Body::from_stream(stream::iter(parts).chain(stream::pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_over_the_limit_is_refused_before_its_end() {
        let bounds = Bounds { limit: 1 << 20, time: Duration::from_secs(30), inflate: true };
        let (none, intake) = (HeaderMap::new(), Intake::new(1 << 20));
        let start = tokio::time::Instant::now();
        let large = without_end(&[Bytes::from(vec![b' '; 1 << 20]), Bytes::from_static(b"x")]);
        let read = super::read(&none, large, &bounds, &mut intake.begin()).await;
        assert_eq!((read, start.elapsed()), (Err(Mistake::TooLarge), Duration::ZERO));
        let declared = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from(3 << 20))]);
        let read = super::read(&declared, without_end(&[]), &bounds, &mut intake.begin()).await;
        assert_eq!((read, start.elapsed()), (Err(Mistake::TooLarge), Duration::ZERO));

        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &vec![b' '; 30 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        let parts: Vec<_> = bomb.chunks(10_000).map(Bytes::copy_from_slice).collect();
        let gzip = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
        let read = super::read(&gzip, without_end(&parts), &bounds, &mut intake.begin()).await;
        assert_eq!(read, Err(Mistake::TooLarge));
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        let read =
            super::read(&gzip, without_end(&[parts[0].slice(..100)]), &bounds, &mut intake.begin())
                .await;
        assert_eq!(read, Err(Mistake::TooSlow), "a slow one has its time");
    }

    #[tokio::test]
    async fn a_body_that_stops_or_breaks_is_given_up() {
        let none = HeaderMap::new();
        let silent = Body::from_stream(stream::pending::<std::io::Result<Bytes>>());
        assert_eq!(read(&none, silent).await, Err(Mistake::TooSlow));
        let broken = stream::iter([Ok("a"), Err(std::io::Error::other("gone"))]);
        assert_eq!(read(&none, Body::from_stream(broken)).await, Err(Mistake::Broken));
    }
}
