//! Recognizes connect failures that are caused by this process or its machine, not by the instance: no file
//! descriptors, local ports or memory are left. They never count against an instance.

use super::Failure;
use rustix::io::Errno;
use std::error::Error;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::LazyLock;

/// Returns the failure to report if connecting to `host` failed because a resource of this machine is exhausted.
#[must_use]
pub fn exhausted(error: &(dyn Error + 'static), host: &str) -> Option<Failure> {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let numbers = causes.filter_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error());
    let reason = match numbers.last() {
        Some(number) => reason(number, host)?,
        // The system's resolver hides its own error numbers.
        None => reason(File::open("/dev/null").err()?.raw_os_error()?, host)?,
    };
    Some(Failure::Exhausted(reason))
}

fn reason(number: i32, host: &str) -> Option<&'static str> {
    match Errno::from_raw_os_error(number) {
        Errno::MFILE => Some(
            "this process has too many open files; raise its limit (`ulimit -n`, systemd's `LimitNOFILE`, \
             Docker's `--ulimit nofile`), or lower `server.connections`",
        ),
        Errno::NFILE => {
            Some("this machine has too many open files; raise the sysctl `fs.file-max`")
        }
        Errno::ADDRNOTAVAIL if means_ports(host) => Some(
            "no local port is free; widen the sysctl `net.ipv4.ip_local_port_range`, or lower \
             `concurrency.max`",
        ),
        Errno::NOBUFS | Errno::NOMEM => {
            Some("the system has no memory for another connection; give the machine more")
        }
        _ => None,
    }
}

/// Returns whether EADDRNOTAVAIL means that ports are exhausted. It does not if the connection may have been an IPv6
/// one on a machine without IPv6.
fn means_ports(host: &str) -> bool {
    static HAS_IPV6: LazyLock<bool> =
        LazyLock::new(|| UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok());
    host.parse::<Ipv4Addr>().is_ok() || *HAS_IPV6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("tcp connect error")]
    struct Outer(#[source] io::Error);

    fn of(errno: Errno) -> Option<Failure> {
        exhausted(&Outer(io::Error::from(errno)), "127.0.0.1")
    }

    #[test]
    fn exhausted_resources_of_this_machine_are_told_from_failures_of_an_instance() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM]
        {
            assert!(matches!(of(errno), Some(Failure::Exhausted(_))), "{errno}");
        }
        for errno in [Errno::CONNREFUSED, Errno::TIMEDOUT, Errno::HOSTUNREACH, Errno::CONNRESET] {
            assert_eq!(of(errno), None, "{errno}");
        }
        let unnumbered = Outer(io::Error::other("failed to lookup address information"));
        assert_eq!(exhausted(&unnumbered, "localhost"), None, "descriptors are free");
    }

    #[test]
    fn the_message_names_the_fix() {
        let text = of(Errno::MFILE).unwrap().to_string();
        assert!(text.contains("ulimit -n") && text.contains("server.connections"), "{text}");
    }
}
