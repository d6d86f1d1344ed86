//! The storefront's graph, embedded, so that `portcullis demo` needs nothing but the binary.

/// The configuration, as `schema/portcullis.yaml` has it.
pub const CONFIG: &str = include_str!("../../schema/portcullis.yaml");

/// What the configuration refers to, by its path beside it: name and text.
pub const FILES: &[(&str, &str)] = &[
    ("users.graphql", include_str!("../../schema/users.graphql")),
    ("products.graphql", include_str!("../../schema/products.graphql")),
    ("orders.graphql", include_str!("../../schema/orders.graphql")),
    ("notifications.graphql", include_str!("../../schema/notifications.graphql")),
    ("products.proto", include_str!("../../schema/products.proto")),
];

/// The operation with which the playground opens.
pub const DASHBOARD: &str = include_str!("../../schema/queries/dashboard.graphql");
