//! A gateway in Consul: registered when it serves, and deregistered before it stops.

use super::*;
use crate::config::Config;
use crate::gateway::{Listeners, serve_all};
use crate::problem::SourceFile;
use crate::upstream::discovery::register::Registration;
use crate::upstream::discovery::tests::agent::{Agent, Mood};
use std::path::Path;

/// Registration as from `server.consul` of a file.
fn registration(agent: &Agent, listen: SocketAddr) -> Registration {
    let text = format!(
        "server: {{ listen: \"{listen}\", consul: {{ service: gateway, agent: \"{}\", tags: [a] }} }}\n\
         sources: {{ api: {{ rest: {{ url: http://127.0.0.1:1 }} }} }}\n",
        agent.uri()
    );
    let file = Arc::new(SourceFile { name: "portcullis.yaml".to_owned(), text });
    let config = Config::parse(&file, Path::new(""), &|_| None)
        .unwrap_or_else(|problems| panic!("{}", render(&problems, false)));
    Registration::new(&config.consul.unwrap().at(listen).unwrap()).unwrap()
}

#[tokio::test]
async fn it_is_in_consul_while_it_takes_requests() {
    let agent = Agent::start().await;
    let (engine, ..) = engine(engine::Settings::default());
    let identity = Identity::default();
    let edge = Edge::new(engine.clone(), identity.clone(), edge::Settings::default());
    let gateway = crate::gateway::Gateway { engine, edge, identity, upstreams: Vec::new() };
    let clients = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = clients.local_addr().unwrap();
    let mut listeners = Listeners::of(clients);
    listeners.registration = Some(registration(&agent, address));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = serve_all(gateway, listeners, async { drop(stopped.await) });
    let server = tokio::spawn(serving);
    let ready = async || {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = b"GET /ready HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
        socket.write_all(request).await.unwrap();
        read(&mut socket).await.status
    };
    agent.until_registered(|registered| !registered.is_empty()).await;
    let id = format!("gateway-127.0.0.1-{}", address.port());
    let check = &agent.registered()[&id]["Check"]["HTTP"];
    assert_eq!(check, &format!("http://{address}/ready"));
    assert_eq!(ready().await, 200);
    // The deregistration was sent, but is not answered yet.
    agent.turn(Mood::Hangs);
    drop(stop);
    let asked = agent.until_asked(2).await;
    assert!(asked.what.contains("/deregister/"), "{asked:?}");
    assert_eq!(ready().await, 200, "whoever has not heard of it yet is served");
    agent.turn(Mood::Well);
    server.await.unwrap();
    assert!(agent.registered().is_empty());
    assert!(TcpStream::connect(address).await.is_err());
}
