//! Behavior of the storefront: slow, failing or healthy, as the flags of `portcullis demo` set it.
//!
//! Each flag is parsed once, here, into a ready value; an error names what was expected.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Settings for [`super::start`].
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Applied in order: a later one wins.
    pub latency: Vec<Latency>,
    /// Applied in order: a later one wins.
    pub fail: Vec<Fail>,
    pub ports: Ports,
    /// A listener without a notification for this long gets a promotion, so that there is something to see. `None`:
    /// only requests cause notifications.
    pub promote_after: Option<Duration>,
}

/// Port of each service on 127.0.0.1; 0 takes a free port.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ports {
    pub users: u16,
    pub products: u16,
    pub orders: u16,
    pub notifications: u16,
}

impl Ports {
    /// Default ports of `schema/portcullis.yaml`.
    pub const USUAL: Self = Self { users: 4101, products: 4102, orders: 4103, notifications: 4104 };
}

/// A backing service of the storefront.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Users,
    Products,
    Orders,
    Notifications,
}

impl Service {
    pub const ALL: [Self; 4] = [Self::Users, Self::Products, Self::Orders, Self::Notifications];

    /// Returns its name as a source of the graph.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Products => "products",
            Self::Orders => "orders",
            Self::Notifications => "notifications",
        }
    }

    /// Returns the environment variable in which `schema/portcullis.yaml` expects its address.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Users => "USERS_URL",
            Self::Products => "PRODUCTS_URL",
            Self::Orders => "ORDERS_URL",
            Self::Notifications => "NOTIFICATIONS_URL",
        }
    }
}

/// `50ms` for every service, or `orders=200ms` for one: time before each reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// `None`: every service.
    pub service: Option<Service>,
    pub delay: Duration,
}

/// `orders=500`, `products=hang`, `users=50%`: failure of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fail {
    pub service: Service,
    pub failure: Failure,
}

/// Answer of a failing service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// This HTTP status, 400 to 599, for every request; over gRPC the nearest code.
    Status(u16),
    /// Status 500 for this many of a hundred requests, evenly spread.
    Share(u8),
    /// Never replies.
    Hang,
    /// Closes the connection without a reply.
    Close,
    /// A page of HTML with status 200.
    Html,
    /// The first half of a reply.
    Half,
    /// A reply of 300 MB.
    Huge,
}

/// An invalid flag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    #[error("there is no service `{0}`; there are users, products, orders and notifications")]
    Service(String),
    #[error("`{0}` is not a duration between 0 and 60s; write for example `50ms` or `1.5s`")]
    Duration(String),
    #[error(
        "`{0}` is not a way to fail; write `500`, `50%`, `hang`, `close`, `html`, `half` or `huge`"
    )]
    Failure(String),
    #[error("`{0}` does not say which service fails; write for example `orders=500`")]
    NoService(String),
}

impl FromStr for Service {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        Self::ALL
            .into_iter()
            .find(|service| service.name() == text)
            .ok_or_else(|| FlagError::Service(text.to_owned()))
    }
}

impl FromStr for Latency {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        match text.split_once('=') {
            Some((service, delay)) => {
                Ok(Self { service: Some(service.parse()?), delay: duration(delay)? })
            }
            None => Ok(Self { service: None, delay: duration(text)? }),
        }
    }
}

impl FromStr for Fail {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        let (service, failure) =
            text.split_once('=').ok_or_else(|| FlagError::NoService(text.to_owned()))?;
        Ok(Self { service: service.parse()?, failure: failure.parse()? })
    }
}

impl FromStr for Failure {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        let unknown = || FlagError::Failure(text.to_owned());
        if let Some(share) = text.strip_suffix('%') {
            let share: u8 = share.parse().map_err(|_| unknown())?;
            return if share <= 100 { Ok(Self::Share(share)) } else { Err(unknown()) };
        }
        match text {
            "hang" => Ok(Self::Hang),
            "close" => Ok(Self::Close),
            "html" => Ok(Self::Html),
            "half" => Ok(Self::Half),
            "huge" => Ok(Self::Huge),
            _ => match text.parse() {
                Ok(status @ 400..=599) => Ok(Self::Status(status)),
                _ => Err(unknown()),
            },
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn duration(text: &str) -> Result<Duration, FlagError> {
    let wrong = || FlagError::Duration(text.to_owned());
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 0.001),
        (None, Some(number)) => (number, 1.0),
        (None, None) if text == "0" => (text, 1.0),
        (None, None) => return Err(wrong()),
    };
    let seconds = number.parse::<f64>().map_err(|_| wrong())? * unit;
    if (0.0..=60.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_for_one_service_or_for_all() {
        let all = Latency { service: None, delay: Duration::from_millis(50) };
        assert_eq!("50ms".parse(), Ok(all));
        let one = Latency { service: Some(Service::Orders), delay: Duration::from_millis(1500) };
        assert_eq!("orders=1.5s".parse(), Ok(one));
        for wrong in ["", "50", "ms", "-1ms", "61s", "NaNs", "inf s", "orders=", "order=1s"] {
            assert!(wrong.parse::<Latency>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_failure_names_its_service() {
        let fail = |text: &str| text.parse::<Fail>().map(|fail| fail.failure);
        assert_eq!(fail("orders=503"), Ok(Failure::Status(503)));
        assert_eq!(fail("users=50%"), Ok(Failure::Share(50)));
        assert_eq!(fail("products=hang"), Ok(Failure::Hang));
        assert_eq!(fail("500"), Err(FlagError::NoService("500".into())));
        for wrong in ["orders=200", "orders=101%", "orders=nap", "orders=", "shop=500"] {
            assert!(fail(wrong).is_err(), "{wrong}");
        }
    }
}
