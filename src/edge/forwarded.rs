//! The client's address behind proxies (`$request.ip`).
//!
//! `X-Forwarded-For` is a list. Each proxy appends, on the right, the address that called it. Everything left of that
//! was sent by the caller, which may be anyone. So the list is read from the right, and an entry is trusted only if a
//! trusted proxy appended it. Reading ends at the first address that is not a trusted proxy, at an entry that is not an
//! address, or after 32 entries. Without trusted proxies the header is ignored.
//!
//! `Forwarded` (RFC 7239) is not read: a proxy that writes only the other header would pass a forged one on, and
//! nothing shows which of the two to trust. Proxies that can write it can write `X-Forwarded-For`.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const NAME: &str = "x-forwarded-for";

/// Maximum number of entries that are read, empty ones included.
const HOPS: usize = 32;

/// Returns the client's address for a connection from `peer`.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    // Several headers of this name form one list, in their order.
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

/// Returns `true` if an address is a trusted proxy's. Its header is trusted, and its connections belong to many
/// clients.
pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

/// Parses `192.0.2.1` and `2001:db8::1`, also with a port, as some proxies write them: `192.0.2.1:80`,
/// `[2001:db8::1]:80`.
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
