//! Unix sockets: exchanges over both versions, checks of instances, and sockets that cannot be connected to.

use super::*;
use crate::upstream::watch;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixSocket};

const URL: &str = "http://localhost/";

fn at(path: &Path, versions: Versions) -> Connections {
    let settings = Settings { connect_timeout: Duration::from_millis(700), ..Settings::default() };
    let address = Address::socket(path.to_path_buf()).expect("a short path");
    Connections::new(&settings, &URL.parse().unwrap(), Some(address), versions)
        .expect("an instance")
}

async fn call(path: &Path, versions: Versions) -> Result<String, Failure> {
    let request = Request::post(URL).body(Bytes::from_static(b"{}")).unwrap();
    text(at(path, versions).send(request, false).await).await
}

async fn check(path: &Path) -> bool {
    let address = Address::socket(path.to_path_buf()).expect("a short path");
    watch::connects(address, Duration::from_millis(700)).await
}

fn serve_at(listener: UnixListener) {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|asked: Request<Incoming>| async move {
                let host =
                    asked.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
                let host = host.or(asked.uri().host().map(str::to_owned)).unwrap_or_default();
                let body = format!("{:?} {host}", asked.version());
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
            });
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                drop(builder.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
}

#[tokio::test]
async fn both_versions_are_spoken_over_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    serve_at(UnixListener::bind(&path).unwrap());
    assert_eq!(call(&path, Versions::Negotiated).await.unwrap(), "HTTP/1.1 localhost");
    assert_eq!(call(&path, Versions::Http2).await.unwrap(), "HTTP/2.0 localhost");
    assert!(check(&path).await);
}

#[tokio::test]
async fn a_socket_that_cannot_be_connected_to_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let missing = folder.path().join("missing.sock");
    let mut cases = vec![
        (missing, "there is no socket"),
        (file.join("below.sock"), "there is no socket"),
        (stale, "nothing listens on the socket"),
        (file, "nothing listens on the socket"),
    ];
    let closed = folder.path().join("closed.sock");
    let _listener = UnixListener::bind(&closed).unwrap();
    forbid(&closed);
    // Root may connect to everything.
    if std::os::unix::net::UnixStream::connect(&closed).is_err() {
        cases.push((closed, "may not connect to the socket"));
    }
    for (path, expected) in cases {
        match call(&path, Versions::Negotiated).await {
            Err(Failure::Unreached(said)) => {
                assert!(said.contains(expected), "{said}");
                assert!(said.contains(&format!("`{}`", path.display())), "{said}");
            }
            other => panic!("{}: {other:?}", path.display()),
        }
        assert!(!check(&path).await);
    }
}

fn forbid(path: &PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
}

#[tokio::test]
async fn a_socket_with_a_full_queue_is_waited_for_within_the_time_of_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.sock");
    let socket = UnixSocket::new_stream().unwrap();
    socket.bind(&path).unwrap();
    let listener = socket.listen(1).unwrap();
    // A queue of length one takes two.
    let _waiting = [(); 2].map(|()| std::os::unix::net::UnixStream::connect(&path).unwrap());
    let failure = call(&path, Versions::Negotiated).await.unwrap_err();
    assert!(failure.to_string().contains("no connection within 700 ms"), "{failure}");
    assert!(!check(&path).await);
    serve_at(listener);
    assert_eq!(call(&path, Versions::Negotiated).await.unwrap(), "HTTP/1.1 localhost");
}
