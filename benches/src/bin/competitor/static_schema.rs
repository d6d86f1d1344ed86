//! A GraphQL server written by hand with async-graphql's derive macros and its DataLoader, as its book shows it.

use crate::{get, users_url, usual_client};
use anyhow::Result;
use async_graphql::{
    ComplexObject, Context, EmptyMutation, EmptySubscription, Object, Schema, SimpleObject,
    dataloader::{DataLoader, Loader},
};
use async_graphql_axum::{GraphQLRequest, GraphQLResponse};
use axum::{Router, extract::State, routing};
use portcullis_benches::{serve, upstream_url};
use serde::Deserialize;
use std::{collections::HashMap, sync::Arc};

type Posts = Schema<Query, EmptyMutation, EmptySubscription>;

#[derive(SimpleObject, Deserialize)]
#[graphql(complex)]
struct Post {
    id: i32,
    #[serde(rename = "userId")]
    user_id: i32,
    title: String,
    body: String,
}

#[derive(SimpleObject, Deserialize, Clone)]
struct User {
    id: i32,
    name: String,
    username: String,
    email: String,
}

struct Query;

#[Object]
impl Query {
    async fn posts(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Post>> {
        let client = context.data::<reqwest::Client>()?;
        let body = get(client, &(upstream_url() + "/posts")).await?;
        Ok(serde_json::from_slice(&body)?)
    }
}

#[ComplexObject]
impl Post {
    async fn user(&self, context: &Context<'_>) -> async_graphql::Result<Option<User>> {
        Ok(context.data::<DataLoader<Users>>()?.load_one(self.user_id).await?)
    }
}

struct Users(reqwest::Client);

impl Loader<i32> for Users {
    type Value = User;
    type Error = Arc<anyhow::Error>;

    async fn load(&self, ids: &[i32]) -> Result<HashMap<i32, User>, Self::Error> {
        let body = get(&self.0, &users_url(ids)).await.map_err(|e| Arc::new(e.into()))?;
        let users: Vec<User> = serde_json::from_slice(&body).map_err(|e| Arc::new(e.into()))?;
        Ok(users.into_iter().map(|user| (user.id, user)).collect())
    }
}

pub async fn serve() -> Result<()> {
    let client = usual_client()?;
    let schema =
        Schema::build(Query, EmptyMutation, EmptySubscription).data(client.clone()).finish();
    let app = Router::new().route("/graphql", routing::post(answer)).with_state((schema, client));
    serve::serve(app).await
}

/// A loader per request: what it holds belongs to one caller.
async fn answer(
    State((schema, client)): State<(Posts, reqwest::Client)>,
    request: GraphQLRequest,
) -> GraphQLResponse {
    let users = DataLoader::new(Users(client), tokio::spawn);
    schema.execute(request.into_inner().data(users)).await.into()
}
