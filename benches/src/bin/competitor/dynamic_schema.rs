//! The same graph through async-graphql's dynamic schema: what a gateway that only learns its graph at run time could be
//! built on.

use crate::{get, users_url, usual_client};
use anyhow::{Context as _, Result};
use async_graphql::{
    Value,
    dataloader::{DataLoader, Loader},
    dynamic::{Field, FieldFuture, FieldValue, Object, Schema, TypeRef},
};
use async_graphql_axum::{GraphQLRequest, GraphQLResponse};
use axum::{Router, extract::State, routing};
use portcullis_benches::{serve, upstream_url};
use std::{collections::HashMap, sync::Arc};

struct Users(reqwest::Client);

impl Loader<i32> for Users {
    type Value = Value;
    type Error = Arc<anyhow::Error>;

    async fn load(&self, ids: &[i32]) -> Result<HashMap<i32, Value>, Self::Error> {
        let body = get(&self.0, &users_url(ids)).await.map_err(|e| Arc::new(e.into()))?;
        let users: Vec<Value> = serde_json::from_slice(&body).map_err(|e| Arc::new(e.into()))?;
        Ok(users.into_iter().filter_map(|user| Some((integer(&user, "id")?, user))).collect())
    }
}

fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    match object {
        Value::Object(members) => members.get(name),
        _ => None,
    }
}

fn integer(object: &Value, name: &str) -> Option<i32> {
    match member(object, name)? {
        Value::Number(number) => i32::try_from(number.as_i64()?).ok(),
        _ => None,
    }
}

/// A field read from its parent's object by name.
fn plain(name: &'static str, of: &str) -> Field {
    Field::new(name, TypeRef::named_nn(of), move |parent| {
        let value = parent.parent_value.as_value().and_then(|object| member(object, name));
        FieldFuture::Value(value.cloned().map(FieldValue::value))
    })
}

fn user_of_post() -> Field {
    Field::new("user", TypeRef::named("User"), |parent| {
        FieldFuture::new(async move {
            let Some(id) = parent.parent_value.as_value().and_then(|post| integer(post, "userId"))
            else {
                return Ok(None);
            };
            let user = parent.data::<DataLoader<Users>>()?.load_one(id).await?;
            Ok(user.map(FieldValue::value))
        })
    })
}

fn posts() -> Field {
    Field::new("posts", TypeRef::named_nn_list_nn("Post"), |root| {
        FieldFuture::new(async move {
            let body = get(root.data::<reqwest::Client>()?, &(upstream_url() + "/posts")).await?;
            let posts: Vec<Value> = serde_json::from_slice(&body)?;
            Ok(Some(FieldValue::list(posts.into_iter().map(FieldValue::value))))
        })
    })
}

pub async fn serve() -> Result<()> {
    let client = usual_client()?;
    let user = ["name", "username", "email"].map(|name| plain(name, TypeRef::STRING));
    let user =
        user.into_iter().fold(Object::new("User").field(plain("id", TypeRef::INT)), Object::field);
    let post = ["id", "userId"].map(|name| plain(name, TypeRef::INT)).into_iter();
    let post = post.chain(["title", "body"].map(|name| plain(name, TypeRef::STRING)));
    let post = post.fold(Object::new("Post"), Object::field).field(user_of_post());
    let schema = Schema::build("Query", None, None)
        .register(Object::new("Query").field(posts()))
        .register(post)
        .register(user)
        .data(client.clone())
        .finish()
        .context("the dynamic schema")?;
    let app = Router::new().route("/graphql", routing::post(answer)).with_state((schema, client));
    serve::serve(app).await
}

async fn answer(
    State((schema, client)): State<(Schema, reqwest::Client)>,
    request: GraphQLRequest,
) -> GraphQLResponse {
    let users = DataLoader::new(Users(client), tokio::spawn);
    schema.execute(request.into_inner().data(users)).await.into()
}
