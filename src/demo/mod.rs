//! The storefront: four built-in backing services, so that a newcomer can see a graph at work without anything else.
//!
//! Users, orders and notifications speak REST, products speaks gRPC. Each is a real server on its own loopback port,
//! with data that is the same on every machine. They do not depend on GraphQL: names, IDs and shapes differ from the
//! graph's on purpose. They can be made slow or failing, and count their requests. They never listen on anything but
//! 127.0.0.1, and never write to a disk. Beside them, `chaos` has fault drills with services of their own.

mod calendar;
pub mod chaos;
mod codec;
mod desk;
mod failing;
mod files;
mod issuer;
mod messages;
mod notifications;
mod orders;
mod post;
mod products;
mod rest;
mod rows;
mod seed;
mod serve;
mod settings;
mod town;
mod users;

#[cfg(test)]
mod tests;

pub use desk::Requests;
pub use files::{CONFIG, DASHBOARD, FILES};
pub use issuer::{AUDIENCE, ISSUER, Issuer, PEOPLE, Person};
pub use settings::{Fail, Failure, FlagError, Latency, Ports, Service, Settings};

use axum::Router;
use bytes::Bytes;
use desk::Desk;
use serde::Serialize;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use town::Town;

/// The running services. Dropping it stops them.
pub struct Storefront {
    pub users: SocketAddr,
    pub products: SocketAddr,
    pub orders: SocketAddr,
    pub notifications: SocketAddr,
    desks: [Arc<Desk>; 4],
    servers: [Server; 4],
}

/// A service could not listen.
#[derive(Debug, thiserror::Error)]
#[error("the {service} service cannot listen on 127.0.0.1:{port}: {source}")]
pub struct StartError {
    pub service: Service,
    pub port: u16,
    pub source: io::Error,
}

/// A service's task, stopped when dropped.
struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts the four services on the current runtime; they listen when this returns.
///
/// # Errors
/// A port is in use.
pub async fn start(settings: Settings) -> Result<Storefront, StartError> {
    let Ports { users, products, orders, notifications } = settings.ports;
    let users = listen(Service::Users, users).await?;
    let products = listen(Service::Products, products).await?;
    let orders = listen(Service::Orders, orders).await?;
    let notifications = listen(Service::Notifications, notifications).await?;

    let town = Arc::new(Town::new());
    let desks = Service::ALL.map(|service| Desk::new(service.endpoints()));
    let router = |service: Service| {
        let (desk, town) = (Arc::clone(&desks[service as usize]), Arc::clone(&town));
        service.router(desk, town, &settings)
    };
    let storefront = Storefront {
        users: users.1,
        products: products.1,
        orders: orders.1,
        notifications: notifications.1,
        servers: [
            spawn(users.0, router(Service::Users)),
            spawn(products.0, router(Service::Products)),
            spawn(orders.0, router(Service::Orders)),
            spawn(notifications.0, router(Service::Notifications)),
        ],
        desks,
    };
    storefront.behave(&settings);
    Ok(storefront)
}

impl Storefront {
    /// Returns the address of a service.
    #[must_use]
    pub fn address(&self, service: Service) -> SocketAddr {
        match service {
            Service::Users => self.users,
            Service::Products => self.products,
            Service::Orders => self.orders,
            Service::Notifications => self.notifications,
        }
    }

    /// Returns the value of an environment variable that [`CONFIG`] names, such as `USERS_URL`; `None` for any other.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        let service = Service::ALL.into_iter().find(|service| service.variable() == name)?;
        Some(format!("http://{}", self.address(service)))
    }

    /// Returns the requests to each service, in the order of [`Service::ALL`].
    #[must_use]
    pub fn requests(&self) -> [(Service, Requests); 4] {
        Service::ALL.map(|service| (service, self.requests_of(service)))
    }

    /// Returns the requests to one service.
    #[must_use]
    pub fn requests_of(&self, service: Service) -> Requests {
        self.desk(service).requests()
    }

    /// Sets every counter back to zero.
    pub fn reset_requests(&self) {
        self.desks.iter().for_each(|desk| desk.reset());
    }

    /// Sets the time before each reply of a service, from the next request on.
    pub fn set_latency(&self, service: Service, latency: Duration) {
        self.desk(service).set_latency(latency);
    }

    /// Sets the failure of a service, from the next request on; `None`: no failure.
    pub fn set_failure(&self, service: Service, failure: Option<Failure>) {
        self.desk(service).set_failure(failure);
    }

    /// Stops the services and waits until their ports are free.
    pub async fn stop(mut self) {
        for server in &mut self.servers {
            server.0.abort();
            // It ends by being aborted.
            let _ = (&mut server.0).await;
        }
    }

    fn behave(&self, settings: &Settings) {
        for Latency { service, delay } in &settings.latency {
            match service {
                Some(service) => self.set_latency(*service, *delay),
                None => Service::ALL.iter().for_each(|each| self.set_latency(*each, *delay)),
            }
        }
        for Fail { service, failure } in &settings.fail {
            self.set_failure(*service, Some(*failure));
        }
    }

    fn desk(&self, service: Service) -> &Desk {
        &self.desks[service as usize]
    }
}

impl Service {
    fn endpoints(self) -> &'static [&'static str] {
        match self {
            Self::Users => users::ENDPOINTS,
            Self::Products => products::METHODS,
            Self::Orders => orders::ENDPOINTS,
            Self::Notifications => notifications::ENDPOINTS,
        }
    }

    fn router(self, desk: Arc<Desk>, town: Arc<Town>, settings: &Settings) -> Router {
        match self {
            Self::Users => users::router(desk, town),
            Self::Products => products::router(desk, town),
            Self::Orders => orders::router(desk, town),
            Self::Notifications => notifications::router(desk, town, settings.promote_after),
        }
    }
}

async fn listen(service: Service, port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError { service, port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn spawn(listener: TcpListener, router: Router) -> Server {
    Server(tokio::spawn(serve::serve(listener, router)))
}

/// Appends an entity's JSON.
fn render(entity: &impl Serialize, to: &mut Vec<u8>) {
    serde_json::to_writer(to, entity).expect("these structs have string keys and a Vec takes all");
}

fn rendered(entity: &impl Serialize) -> Bytes {
    let mut text = Vec::with_capacity(256);
    render(entity, &mut text);
    text.into()
}
