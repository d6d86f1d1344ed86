//! The client's address behind proxies (`$request.ip`).
//!
//! `X-Forwarded-For` is a list to which each proxy adds, on the right, the address that it was called from; whatever
//! stands left of that was sent by the one before it, who may be anybody. So it is read from the right, and one entry
//! is believed only if the one who added it is a proxy of ours: it ends at the first address that is none, at anything
//! that is no address, or after 32 entries. Without trusted proxies the header is never looked at.
//!
//! `Forwarded` (RFC 7239) is not read: a proxy that writes only the other header would pass a forged one on untouched,
//! and nothing tells which of the two to believe. Proxies that can write it can write this one.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const NAME: &str = "x-forwarded-for";

/// Proxies in a row, empty entries included; nobody has more.
const HOPS: usize = 32;

/// Who asks, seen from a connection of `peer`.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    // The instances of a header are one list, in their order.
    let instances = headers.get_all(NAME).iter().rev();
    let entries = instances.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    for entry in entries.take(HOPS) {
        if !is_trusted(client, trusted) {
            break;
        }
        match address(entry.trim_ascii()) {
            Some(address) => client = address,
            // A list may have empty elements (RFC 9110 §5.6.1).
            None if entry.trim_ascii().is_empty() => {}
            None => break,
        }
    }
    client
}

/// Whether an address is a proxy's, whose word counts and whose connections are many clients'.
pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

/// `192.0.2.1`, `2001:db8::1`, and both as some proxies write them, with a port: `192.0.2.1:80`, `[2001:db8::1]:80`.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    text.parse().ok().or_else(with_port).or_else(bracketed).map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn seen(peer: &str, lines: &[&str]) -> String {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).into();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(NAME, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(seen("203.0.113.9", &["198.51.100.1, 10.0.0.1"]), "203.0.113.9");
        assert_eq!(
            client("10.0.0.1".parse().unwrap(), &HeaderMap::new(), &[]).to_string(),
            "10.0.0.1"
        );
    }

    #[test]
    fn what_a_stranger_wrote_to_the_left_is_not_read() {
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &["10.9.9.9, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"]), "203.0.113.9");
    }

    #[test]
    fn several_headers_are_one_list() {
        assert_eq!(seen("10.0.0.1", &["1.1.1.1", "203.0.113.9", "10.0.0.2"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1", "2.2.2.2, 203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn garbage_ends_it_at_the_last_good_address() {
        for garbage in [
            "unknown",
            "_hidden",
            "1.2.3",
            "1.2.3.4.5",
            "fe80::1%eth0",
            "1.1.1.1 2.2.2.2",
            "é",
            "[::1",
        ] {
            assert_eq!(
                seen("10.0.0.1", &[&format!("203.0.113.9, {garbage}")]),
                "10.0.0.1",
                "{garbage}"
            );
            let line = format!("203.0.113.9, {garbage}, 10.0.0.2");
            assert_eq!(seen("10.0.0.1", &[&line]), "10.0.0.2", "{garbage}");
        }
        assert_eq!(seen("10.0.0.1", &[", ,203.0.113.9, ,"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &[""]), "10.0.0.1");
    }

    #[test]
    fn addresses_come_in_several_forms() {
        for (written, read) in [
            ("203.0.113.9:4711", "203.0.113.9"),
            ("2001:db8::9", "2001:db8::9"),
            ("[2001:db8::9]", "2001:db8::9"),
            ("[2001:db8::9]:443", "2001:db8::9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:1", "203.0.113.9"),
        ] {
            assert_eq!(seen("10.0.0.1", &[written]), read);
            assert_eq!(seen("fd00::1", &[&format!("1.1.1.1, {written}, ::ffff:10.1.1.1")]), read);
        }
        assert_eq!(seen("::ffff:10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen("::ffff:203.0.113.9", &["1.1.1.1"]), "203.0.113.9");
    }

    #[test]
    fn a_long_list_is_not_read_to_its_end() {
        let long = "10.0.0.7,".repeat(1200) + "10.0.0.8";
        assert!(long.len() > 10_000);
        assert_eq!(seen("10.0.0.1", &[&long]), "10.0.0.7");
        let hidden = format!("203.0.113.9,{}", "10.0.0.7,".repeat(HOPS));
        assert_eq!(seen("10.0.0.1", &[&hidden]), "10.0.0.7");
        assert_eq!(seen("10.0.0.1", &[&",".repeat(10_000)]), "10.0.0.1");
    }
}
