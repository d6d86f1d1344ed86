//! Shapes: a fetch's reads, turned round to the reply's point of view.
//!
//! A mapping that only picks, renames, groups and unwraps disappears here: it becomes the keys of the shape. The
//! smallest object whose mapping does more is evaluated as a tree first, and its result is read by name.

use super::draft::{Draft, Node, Read};
use super::yields::{From, key_path};
use super::{Asking, FetchId};
use crate::engine::response::{
    Constant, General, Group, KeyTargets, NodeId, ObjectShape, OneOfWhole, Shape, Slot, Target,
};
use crate::graph::{BatchReply, Graph};
use crate::graphql::Name;
use crate::mapping::{Expr, ExprKind, Field, Reads};

pub(super) struct Shapes<'a, 'b> {
    pub graph: &'a Graph,
    pub nodes: &'b [Node<'a>],
    pub fetch: FetchId,
}

/// What a node's objects are called in the reply.
#[derive(Clone, Copy, PartialEq)]
enum Names {
    /// As the mapping says.
    Mapped,
    /// As the fields: the mapping has been evaluated.
    Fields,
}

impl Shapes<'_, '_> {
    /// The shape of a whole reply.
    pub fn of(&self, draft: &Draft<'_>) -> Shape {
        let element = match draft.result {
            Some(node) => self.object(node, Names::Mapped),
            None => Shape::Leaf,
        };
        let map = match &draft.asking {
            Asking::Batch { rule, .. } | Asking::Given { rule, .. } => {
                rule.reply == BatchReply::Map
            }
            Asking::PerObject | Asking::PerKey { .. } | Asking::Unanswered { .. } => false,
        };
        let then = if map { Shape::Entries(Box::new(element)) } else { element };
        match draft.select {
            None => self.one_of_whole(draft, then),
            Some(expr) => reach(expr, then),
        }
    }

    /// Of a field that is one object, whose mapping makes it of `$` itself: `$` may be a list or a scalar.
    fn one_of_whole(&self, draft: &Draft<'_>, then: Shape) -> Shape {
        let binding = self.graph.binding(draft.binding);
        let (Some(node), Some(mapping)) = (draft.result, binding.call.select()) else {
            return then;
        };
        let is_alone = !matches!(draft.asking, Asking::Batch { .. } | Asking::Given { .. });
        let expr = mapping.expr();
        // What it makes is one object, also where it takes nothing of the reply.
        let takes_whole = expr.takes_current_whole() || expr.reads() == Reads::default();
        let is_object = matches!(expr.kind, ExprKind::Object(_));
        if !(is_alone && binding.is_one && is_object && takes_whole) {
            return then;
        }
        let expr = Expr { kind: ExprKind::Object(self.mapping(node)), span: 0..0 };
        let whole = General::of_whole(expr, self.object(node, Names::Fields));
        Shape::OneOfWhole(Box::new(OneOfWhole { whole, then }))
    }

    /// The shape of one object of a reply whose mapping has been evaluated.
    pub fn evaluated(&self, draft: &Draft<'_>) -> Shape {
        draft.result.map_or(Shape::Leaf, |node| self.object(node, Names::Fields))
    }

    fn node(&self, node: NodeId) -> &Node<'_> {
        &self.nodes[node.0 as usize]
    }

    fn reads(&self, node: NodeId) -> impl Iterator<Item = &Read<'_>> {
        self.node(node).reads.iter().filter(|read| read.fetch == self.fetch)
    }

    fn object(&self, node: NodeId, names: Names) -> Shape {
        if names == Names::Mapped && self.needs_evaluation(node) {
            let fields = self.mapping(node);
            let expr = Expr { kind: ExprKind::Object(fields), span: 0..0 };
            let then = self.object(node, Names::Fields);
            return Shape::General(Box::new(General::new(expr, then)));
        }
        let mut shape = ObjectShape {
            width: self.node(node).width,
            identity: self.identity(node),
            ..ObjectShape::default()
        };
        self.fill(&mut shape, node, 0, &[], names);
        Shape::Object(Box::new(shape))
    }

    /// Adds the reads of a node to an object's shape; `path` leads from that object to where they start.
    fn fill(
        &self,
        shape: &mut ObjectShape,
        node: NodeId,
        frame: usize,
        path: &[&str],
        names: Names,
    ) {
        for read in self.reads(node) {
            let from = match names {
                Names::Mapped => read.from,
                Names::Fields => From::Name(&read.name),
            };
            match from {
                From::Name(name) => {
                    self.add_path(shape, &[path, &[name]].concat(), (frame, node), read, names);
                }
                From::Expr(expr) => self.add(shape, path, expr, (frame, node), read),
                From::Joined(_, Some((of, expr))) => {
                    let below = key_path(of).unwrap_or_default();
                    self.add(shape, &[path, &below].concat(), expr, (frame, node), read);
                }
                // An object with such a read is evaluated first.
                From::Joined(_, None) => {}
            }
        }
    }

    fn add(
        &self,
        shape: &mut ObjectShape,
        path: &[&str],
        expr: &Expr,
        at: (usize, NodeId),
        read: &Read<'_>,
    ) {
        let (frame, _) = at;
        let (of, grouped) = match &expr.kind {
            ExprKind::Object(_) => (Some(Vec::new()), true),
            ExprKind::Select { of, .. } => {
                let of = key_path(of);
                let grouped = of.as_ref().is_some_and(Vec::is_empty);
                (of, grouped)
            }
            _ => (key_path(expr), false),
        };
        match (&expr.kind, of, read.child) {
            (ExprKind::Literal(value), _, _) => {
                let json = value.to_string().into();
                shape.constants.push(Constant { frame, slot: read.slot, json });
            }
            (_, Some(_), Some(child)) if grouped => {
                let (slot, identity) = (read.slot, self.identity(child));
                let width = self.node(child).width;
                shape.groups.push(Group { frame, slot, width, identity });
                let own = shape.groups.len();
                self.fill(shape, child, own, path, Names::Mapped);
            }
            (_, Some(of), _) => {
                self.add_path(shape, &[path, &of].concat(), at, read, Names::Mapped);
            }
            (_, None, _) => {}
        }
    }

    fn add_path(
        &self,
        shape: &mut ObjectShape,
        path: &[&str],
        (frame, node): (usize, NodeId),
        read: &Read<'_>,
        names: Names,
    ) {
        let [first, below @ ..] = path else { return };
        let mut inner = match read.child {
            Some(child) => self.object(child, names),
            None => Shape::Leaf,
        };
        for key in below.iter().rev() {
            inner = Shape::Key { key: (*key).into(), then: Box::new(inner) };
        }
        let field = Name::clone(&read.name);
        let target = Target { frame, slot: read.slot, node, field, shape: inner };
        if let Some(known) = shape.keys.iter_mut().find(|known| &*known.key == *first) {
            known.targets.push(target);
        } else {
            shape.keys.push(KeyTargets { key: (*first).into(), targets: vec![target] });
        }
    }

    /// The slots of the entity's keys, as far as this fetch reads them: where all are null, there is no entity.
    fn identity(&self, node: NodeId) -> Vec<Slot> {
        let Some(object) = self.graph.types.get(&self.node(node).ty) else { return Vec::new() };
        let of_key = |read: &&Read<'_>| {
            object.keys.iter().flatten().any(|selection| selection.name == read.name)
        };
        self.reads(node).filter(of_key).map(|read| read.slot).collect()
    }

    /// Some read of the node, or of a group in it, does more than pick.
    fn needs_evaluation(&self, node: NodeId) -> bool {
        self.reads(node).any(|read| match read.from {
            From::Name(_) => false,
            From::Expr(expr) => self.computes(expr, read.child),
            From::Joined(_, None) => true,
            From::Joined(_, Some((of, expr))) => {
                // What an object that is not there would add is not there either: only a value that is picked of it
                // is null by itself.
                let sure = key_path(of).is_some_and(|path| path.is_empty() || picks(expr));
                !sure || self.computes(expr, read.child)
            }
        })
    }

    fn computes(&self, expr: &Expr, child: Option<NodeId>) -> bool {
        match (&expr.kind, child) {
            (ExprKind::Object(_), Some(child)) => self.needs_evaluation(child),
            (ExprKind::Select { of, .. }, Some(child)) => match key_path(of) {
                None => true,
                Some(path) => path.is_empty() && self.needs_evaluation(child),
            },
            (ExprKind::Literal(value), None) => value.is_array() || value.is_object(),
            (_, _) => key_path(expr).is_none_or(|path| path.is_empty()),
        }
    }

    /// The fields of the mapping that this fetch reads at a node.
    fn mapping(&self, node: NodeId) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for read in self.reads(node) {
            let field = match read.from {
                From::Name(_) => continue,
                From::Expr(value) => Field {
                    name: Some((&*read.name).into()),
                    name_span: 0..0,
                    value: value.clone(),
                },
                From::Joined(field, _) => field.clone(),
            };
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
        fields
    }
}

/// The value stands under a key of the object.
fn picks(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Select { of, .. } => key_path(of).is_some_and(|path| !path.is_empty()),
        ExprKind::Literal(_) | ExprKind::Object(_) => false,
        _ => true,
    }
}

/// The shape of a reply whose wanted part stands at the end of a path, or is computed.
fn reach(expr: &Expr, then: Shape) -> Shape {
    match key_path(expr) {
        Some(path) => path
            .into_iter()
            .rev()
            .fold(then, |then, key| Shape::Key { key: key.into(), then: Box::new(then) }),
        None => Shape::General(Box::new(General::new(expr.clone(), then))),
    }
}
