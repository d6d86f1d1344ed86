//! The specs: each file of `tests/specs/` is a test of its own, named after the file.
//!
//! `cargo nextest run -E 'test(specs::batch_aliases)'` runs `batch-aliases.md`; `cargo test specs::batch` runs all that begin
//! with `batch`. `tests/specs/README.md` describes the format.

mod document;
mod run;

macro_rules! specs {
    ($($name:ident)*) => {
        const LISTED: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { run::holds(stringify!($name)); })*
    };
}

// `BLESS=1 cargo test every_spec_is_listed` writes this list.
specs! {
    answer_field_order
    answer_fragments
    answer_interface
    answer_interface_object_definition
    answer_interface_unknown_type
    answer_introspection
    answer_introspection_off
    answer_typename
    answer_union
    answer_union_by_key
    argument_defaults
    argument_refused
    batch_across_places
    batch_aliases
    batch_argument_sets
    batch_by_key_entity_field
    batch_by_key_lookup
    batch_composite_key
    batch_composite_lookup
    batch_duplicate_key
    batch_failed_chunk
    batch_group_by
    batch_integer_and_string_keys
    batch_key_by_another_name
    batch_keys_in_json
    batch_map_entity_field
    batch_map_lookup
    batch_mapped_reply
    batch_max
    batch_max_group_by
    batch_missing_key
    batch_not_halved
    batch_number_spellings
    batch_of_nothing
    batch_positional_entity_field
    batch_positional_lookup
    batch_refused_is_halved
    batch_short_positional
    batch_unknown_key
    batch_wait
    body_absent
    body_methods
    body_text
    cache_max_age
    cache_mutation
    cache_private
    cache_revalidate
    cache_stale_if_error
    condition_field
    condition_fragment
    condition_join
    condition_merged
    condition_null
    const_cost
    const_guard
    const_mutations
    const_namespace
    const_not_computable
    const_values
    cost_enum_alias
    cost_limit
    development_missing_keys
    development_missing_keys_grpc
    enum_alias
    enum_alias_guard
    error_below_failure
    error_body_too_large
    error_connection
    error_deadline
    error_enum
    error_int_range
    error_lookup_fails
    error_not_found
    error_not_json
    error_status
    error_timeout
    error_too_large
    error_wrong_scalar
    error_wrong_shape
    fan_out_limit
    global_id
    global_id_node
    grpc_batch
    grpc_metadata
    grpc_methods
    grpc_status
    grpc_unary
    guard_authenticated
    guard_kept_reply
    guard_scopes
    guard_scopes_claim
    headers
    headers_in_templates
    headers_of_claims
    headers_returned
    join_alias_one_fetch
    join_back_to_where_it_was
    join_chain
    join_internal
    join_key_is_held
    join_nested_key
    join_on_mutation
    join_parallel
    join_prefers_batch
    join_provided_by_select
    join_provides
    join_require
    join_single_lookup
    join_this
    join_two_services
    join_two_steps
    join_without_reuse
    mapping_arguments
    mapping_bare_list
    mapping_coalesce
    mapping_escapes
    mapping_group
    mapping_join
    mapping_lists
    mapping_literals
    mapping_match
    mapping_methods_lists
    mapping_methods_values
    mapping_odd_keys
    mapping_rename
    mapping_unwrap
    mutation_in_order
    mutation_is_not_reused
    mutation_outcome
    needed_value_fails
    null_bubbles_to_data
    null_in_lists
    null_in_non_null
    null_whole_reply
    number_digits
    on_error
    reply_read_differently
    reply_redirect
    reply_text
    reply_text_mapped
    reply_without_body
    retry
    scalar_formats
    scalar_unchecked
    source_auth
    source_auth_grpc
    source_query
    success_batch
    success_body
    success_grpc
    success_is_not_kept
    success_retries
    success_source
    success_status
    template_list
    timeout
    url_base_path
    url_path
    url_query
    url_query_list
    url_refused_segment
}

#[test]
fn every_spec_is_listed() {
    let names = run::names();
    if names == LISTED {
        return;
    }
    let (path, marker) = (concat!(env!("CARGO_MANIFEST_DIR"), "/tests/specs.rs"), "\nspecs! {\n");
    let text = std::fs::read_to_string(path).expect("this file");
    let (head, rest) = text.split_once(marker).expect("the list");
    let (_, tail) = rest.split_once("}\n").expect("the end of the list");
    if std::env::var_os("BLESS").is_some() {
        let list: String = names.iter().map(|name| format!("    {name}\n")).collect();
        std::fs::write(path, format!("{head}{marker}{list}}}\n{tail}"))
            .expect("a file that can be written");
        return;
    }
    let absent = |of: &[String], from: &[String]| {
        of.iter().filter(|name| !from.contains(name)).cloned().collect::<Vec<_>>().join(", ")
    };
    let listed: Vec<String> = LISTED.iter().map(|name| (*name).to_owned()).collect();
    panic!(
        "the list in tests/specs.rs differs from the files in tests/specs/; to write it: BLESS=1 cargo test every_spec_is_listed\n\
         not listed: {}\nwithout a file: {}",
        absent(&names, &listed),
        absent(&listed, &names)
    );
}
