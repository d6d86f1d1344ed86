//! "Input Object Field Uniqueness" (GraphQL spec, section 5.6.3): an object literal names each field once, whatever its
//! type. A custom scalar takes any object, but not one that is ambiguous.

use apollo_compiler::Node;
use apollo_compiler::ast::Value;
use apollo_compiler::parser::SourceSpan;
use hashbrown::HashSet;

/// Reports duplicate fields of a literal, or of one inside it. The recursion is as deep as the parser allows literals
/// to be.
pub fn repeated_fields(literal: &Node<Value>, report: &mut dyn FnMut(Option<SourceSpan>, String)) {
    match &**literal {
        Value::List(items) => items.iter().for_each(|item| repeated_fields(item, report)),
        Value::Object(fields) => {
            let mut seen = HashSet::new();
            for (name, value) in fields {
                if !seen.insert(name) {
                    // Location of the value: a name has none in the tree of every literal.
                    let at = name.location().or_else(|| value.location());
                    report(at, format!("the field `{name}` is given more than once"));
                }
                repeated_fields(value, report);
            }
        }
        _ => {}
    }
}
