//! The program that somebody would write by hand for `posts { id userId title user { id name email } }` and nothing else:
//! two upstream calls, replies read in place, no GraphQL.

use crate::{PlainClient, users_url};
use anyhow::Result;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing,
};
use bytes::Bytes;
use portcullis_benches::{serve, upstream_url};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

#[derive(Deserialize)]
struct Post<'a> {
    id: i32,
    #[serde(rename = "userId")]
    user_id: i32,
    #[serde(borrow)]
    title: Cow<'a, str>,
}

#[derive(Deserialize, Serialize)]
struct User<'a> {
    id: i32,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    email: Cow<'a, str>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: i32,
    #[serde(rename = "userId")]
    user_id: i32,
    title: &'a str,
    user: Option<&'a User<'a>>,
}

#[derive(Serialize)]
struct Rows<'a> {
    posts: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Answer<'a> {
    data: Rows<'a>,
}

pub async fn serve() -> Result<()> {
    let app = Router::new().route("/graphql", routing::post(answer)).with_state(PlainClient::new());
    serve::serve(app).await
}

async fn answer(
    State(client): State<PlainClient>,
    _question: Bytes,
) -> Result<impl IntoResponse, StatusCode> {
    let body = join(&client).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body))
}

async fn join(client: &PlainClient) -> Result<Vec<u8>> {
    let posts = client.get(&(upstream_url() + "/posts")).await?;
    let posts: Vec<Post<'_>> = serde_json::from_slice(&posts)?;
    let mut ids: Vec<i32> = posts.iter().map(|post| post.user_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let users = client.get(&users_url(&ids)).await?;
    let users: Vec<User<'_>> = serde_json::from_slice(&users)?;
    let rows = posts.iter().map(|post| Row {
        id: post.id,
        user_id: post.user_id,
        title: &post.title,
        user: users.iter().find(|user| user.id == post.user_id),
    });
    let answer = Answer { data: Rows { posts: rows.collect() } };
    Ok(serde_json::to_vec(&answer)?)
}
