//! The floor: the upstream's bytes, handed through.

use crate::{PlainClient, get, usual_client};
use anyhow::Result;
use axum::{
    Router,
    http::{StatusCode, header},
    routing,
};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use portcullis_benches::{serve, upstream_url};

pub async fn axum_and_reqwest() -> Result<()> {
    let client = usual_client()?;
    let url = upstream_url() + "/posts";
    let pass = move || async move {
        let body = get(&client, &url).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        Ok::<_, StatusCode>(([(header::CONTENT_TYPE, "application/json")], body))
    };
    serve::serve(Router::new().route("/posts", routing::get(pass))).await
}

pub async fn bare_hyper() -> Result<()> {
    let client = PlainClient::new();
    let url = upstream_url() + "/posts";
    let listener = serve::listen().await?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (client, url) = (client.clone(), url.clone());
        tokio::spawn(async move {
            let pass = service_fn(|_request| async {
                let body: Bytes = client.get(&url).await?;
                let reply = Response::builder().header(header::CONTENT_TYPE, "application/json");
                anyhow::Ok(reply.body(Full::new(body))?)
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), pass).await;
        });
    }
}
