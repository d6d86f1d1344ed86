//! The storefront's graph, embedded, so that `portcullis demo` needs only the binary.

/// The content of `schema/portcullis.yaml`.
pub const CONFIG: &str = include_str!("../../schema/portcullis.yaml");

/// Files that the configuration refers to, by relative path: name and text.
pub const FILES: &[(&str, &str)] = &[
    ("users.graphql", include_str!("../../schema/users.graphql")),
    ("products.graphql", include_str!("../../schema/products.graphql")),
    ("orders.graphql", include_str!("../../schema/orders.graphql")),
    ("notifications.graphql", include_str!("../../schema/notifications.graphql")),
    ("products.proto", include_str!("../../schema/products.proto")),
];

/// Operation that the playground shows first.
pub const DASHBOARD: &str = include_str!("../../schema/queries/dashboard.graphql");
