//! What a plan's condition asks of one relation's rows, as far as a B-tree can serve it.
//!
//! The server writes conditions as it has understood them: with casts, with each column under
//! its relation's name, and with `AND` between those that each row must meet. They are read from
//! there rather than from the statement, so views, joins and rewritten subqueries need no care.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value, visit_expressions, visit_expressions_mut};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::depth::is_shallow;

/// What an index may have as a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    /// A column, by its name.
    Column(String),
    /// An expression over columns, as an index definition has it.
    Expression(String),
}

impl Key {
    /// An expression over one table's columns, as the catalogue writes it.
    pub(super) fn of_expression(text: &str) -> Self {
        Self::Expression(normalized(text))
    }
}

/// An expression as conditions have it, so that the same is written the same.
pub(super) fn normalized(text: &str) -> String {
    let Some(mut expression) = parse(text) else { return text.to_owned() };
    while let Expr::Nested(inner) = expression {
        expression = *inner;
    }
    expression.to_string()
}

/// How a key is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Operator {
    /// With one value.
    Equal,
    /// With each of several values.
    In,
    /// With values that follow each other in the key's order: from one on.
    From,
    /// Up to one.
    UpTo,
    /// With what begins so: only in an index that compares byte by byte.
    Prefix,
    IsNull,
    IsNotNull,
    /// A boolean column by itself.
    IsTrue,
    IsFalse,
}

impl Operator {
    /// What it asks for follows each other in the key's order.
    pub(super) fn is_range(self) -> bool {
        matches!(self, Self::From | Self::UpTo)
    }

    /// The same with the sides exchanged.
    fn turned(self) -> Self {
        match self {
            Self::From => Self::UpTo,
            Self::UpTo => Self::From,
            other => other,
        }
    }
}

/// What it is compared with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum With {
    Nothing,
    /// A value that is written in the statement, as it is written.
    Constant(String),
    /// A parameter by itself, or a list of parameters.
    Parameter,
    /// What is so long ago as a parameter says: `now() - $1`.
    Ago,
    /// A column of another relation: (its name, the column).
    Other(String, String),
}

/// A condition that a B-tree can serve.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Condition {
    /// The name by which the plan knows the relation.
    pub(super) relation: String,
    pub(super) key: Key,
    pub(super) operator: Operator,
    pub(super) with: With,
    /// All parameters in what it is compared with.
    pub(super) parameters: Vec<u32>,
}

/// The conditions in `text` that a B-tree can serve; others are left out. A comparison of two
/// relations is given for both.
pub(super) fn read(text: &str) -> Vec<Condition> {
    let Some(expression) = parse(text) else { return Vec::new() };
    let mut conditions = Vec::new();
    split(&expression, &mut conditions);
    conditions
}

/// The key that `text` sorts or groups by, and its relation.
pub(super) fn read_key(text: &str) -> Option<(String, Key)> {
    key(&parse(text)?)
}

fn parse(text: &str) -> Option<Expr> {
    if !is_shallow(text) {
        return None;
    }
    Parser::new(&PostgreSqlDialect {}).try_with_sql(text).ok()?.parse_expr().ok()
}

fn split(expression: &Expr, conditions: &mut Vec<Condition>) {
    match expression {
        Expr::Nested(inner) => split(inner, conditions),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            split(left, conditions);
            split(right, conditions);
        }
        Expr::BinaryOp { left, op, right } => {
            let Some((operator, turned)) = comparison(op, right) else { return };
            conditions.extend(compared(left, operator, right));
            // `5 < a` is `a > 5`.
            if turned {
                conditions.extend(compared(right, operator.turned(), left));
            }
        }
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
            conditions.extend(compared(left, Operator::In, right));
        }
        Expr::IsNull(of) => conditions.extend(alone(of, Operator::IsNull)),
        Expr::IsNotNull(of) => conditions.extend(alone(of, Operator::IsNotNull)),
        Expr::IsTrue(of) => conditions.extend(alone(of, Operator::IsTrue)),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => conditions.extend(alone(expr, Operator::IsFalse)),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
            conditions.extend(alone(expression, Operator::IsTrue));
        }
        _ => {}
    }
}

/// What `op` comes to, and whether the sides can be exchanged.
fn comparison(op: &BinaryOperator, right: &Expr) -> Option<(Operator, bool)> {
    match op {
        BinaryOperator::Eq => Some((Operator::Equal, true)),
        BinaryOperator::Gt | BinaryOperator::GtEq => Some((Operator::From, true)),
        BinaryOperator::Lt | BinaryOperator::LtEq => Some((Operator::UpTo, true)),
        BinaryOperator::PGLikeMatch => prefix(right).then_some((Operator::Prefix, false)),
        _ => None,
    }
}

/// A pattern that begins with something definite.
fn prefix(pattern: &Expr) -> bool {
    let Expr::Value(value) = bare(pattern) else { return false };
    match &value.value {
        Value::SingleQuotedString(text) => !text.is_empty() && !text.starts_with(['%', '_']),
        _ => false,
    }
}

fn alone(of: &Expr, operator: Operator) -> Option<Condition> {
    let (relation, key) = key(of)?;
    Some(Condition { relation, key, operator, with: With::Nothing, parameters: Vec::new() })
}

fn compared(left: &Expr, operator: Operator, right: &Expr) -> Option<Condition> {
    let (relation, key) = key(left)?;
    let with = match columns(right).as_slice() {
        [] => value(right),
        // Of the same relation: no index has an order for it.
        [(other, _), ..] if *other == relation => return None,
        [(other, column)] => With::Other(other.clone(), column.clone()),
        _ => return None,
    };
    Some(Condition { relation, key, operator, with, parameters: parameters(right) })
}

fn value(expression: &Expr) -> With {
    match bare(expression) {
        Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => With::Parameter,
        Expr::Array(array) if array.elem.iter().all(|one| value(one) == With::Parameter) => With::Parameter,
        Expr::BinaryOp { left, op: BinaryOperator::Minus, right }
            if is_now(bare(left)) && value(right) == With::Parameter =>
        {
            With::Ago
        }
        _ => With::Constant(expression.to_string()),
    }
}

fn is_now(expression: &Expr) -> bool {
    let Expr::Function(function) = expression else { return false };
    matches!(function.name.to_string().to_ascii_lowercase().as_str(), "now" | "current_timestamp")
}

/// Without parentheses and casts around it.
fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => bare(inner),
        other => other,
    }
}

/// The columns that an output names, with their relations; where there is but one relation, the server
/// doesn't name it.
pub(super) fn columns_of(text: &str) -> Vec<(Option<String>, String)> {
    // What the workers of a parallel plan put together.
    let text = text.strip_prefix("PARTIAL ").unwrap_or(text);
    let Some(expression) = parse(text) else { return Vec::new() };
    let mut found: Vec<_> =
        columns(&expression).into_iter().map(|(relation, column)| (Some(relation), column)).collect();
    let _whole = visit_expressions(&expression, |part| {
        if let Expr::Identifier(name) = part {
            found.push((None, name.value.clone()));
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// The columns in an expression, with their relations.
fn columns(expression: &Expr) -> Vec<(String, String)> {
    let mut columns = Vec::new();
    let _whole = visit_expressions(expression, |part| {
        if let Expr::CompoundIdentifier(names) = part
            && let [.., relation, column] = names.as_slice()
        {
            columns.push((relation.value.clone(), column.value.clone()));
        }
        ControlFlow::<()>::Continue(())
    });
    columns
}

/// The one relation whose columns an expression is made of, and the expression as a key.
fn key(expression: &Expr) -> Option<(String, Key)> {
    let columns = columns(expression);
    let (relation, column) = columns.first()?;
    if columns.iter().any(|(other, _)| other != relation) {
        return None;
    }
    // The server adds casts between types that are stored alike, such as varchar and text.
    if let Expr::CompoundIdentifier(_) = bare(expression) {
        return Some((relation.clone(), Key::Column(column.clone())));
    }
    let mut stripped = expression.clone();
    while let Expr::Nested(inner) = stripped {
        stripped = *inner;
    }
    if !parameters(&stripped).is_empty() || is_arithmetic_with_now(&stripped) {
        return None;
    }
    let _whole = visit_expressions_mut(&mut stripped, |part| {
        if let Expr::CompoundIdentifier(names) = part
            && let Some(column) = names.pop()
        {
            *part = Expr::Identifier(column);
        }
        ControlFlow::<()>::Continue(())
    });
    Some((relation.clone(), Key::Expression(stripped.to_string())))
}

/// The parameters in an expression.
fn parameters(expression: &Expr) -> Vec<u32> {
    let mut found = Vec::new();
    let _whole = visit_expressions(expression, |part| {
        if let Expr::Value(value) = part
            && let Value::Placeholder(name) = &value.value
        {
            found.extend(name.trim_start_matches('$').parse::<u32>());
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// What changes by itself can't be a key.
fn is_arithmetic_with_now(expression: &Expr) -> bool {
    const VOLATILE: [&str; 6] = ["now", "clock_timestamp", "statement_timestamp", "random", "nextval", "age"];
    let mut found = false;
    let _whole = visit_expressions(expression, |part| {
        if let Expr::Function(function) = part {
            let name = function.name.to_string().to_ascii_lowercase();
            found |= VOLATILE.contains(&name.as_str());
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let read: Vec<_> = read(text)
            .iter()
            .map(|Condition { relation, key, operator, with, parameters }| {
                let key = match key {
                    Key::Column(name) => name.clone(),
                    Key::Expression(text) => format!("({text})"),
                };
                let with = match with {
                    With::Nothing => String::new(),
                    With::Constant(text) => format!(" {text}"),
                    With::Parameter => format!(" ${}", parameters[0]),
                    With::Ago => format!(" ${} ago", parameters[0]),
                    With::Other(relation, column) => format!(" {relation}.{column}"),
                };
                format!("{relation}.{key} {operator:?}{with}")
            })
            .collect();
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn conditions_that_each_row_must_meet_are_told_apart() {
        check(
            "((o.user_id = $1) AND (o.status = 'open'::text) AND (o.total > 5))",
            &["o.user_id Equal $1", "o.status Equal 'open'::TEXT", "o.total From 5"],
        );
        check("((o.a = $1) OR (o.b = $2))", &[]);
        check("(o.id = ANY ($1))", &["o.id In $1"]);
        check("(o.id = ANY (ARRAY[$1, $2]))", &["o.id In $1"]);
        check("(o.at > (now() - $1))", &["o.at From $1 ago"]);
        assert_eq!(read("(o.id = ANY (ARRAY[$1, ($2)::integer]))")[0].parameters, [1, 2]);
        check("((o.name)::text = ANY ('{a,b}'::text[]))", &["o.name In '{a,b}'::TEXT[]"]);
        check("(o.deleted_at IS NULL)", &["o.deleted_at IsNull"]);
        check("(o.deleted_at IS NOT NULL)", &["o.deleted_at IsNotNull"]);
        check("o.active", &["o.active IsTrue"]);
        check("(NOT o.active)", &["o.active IsFalse"]);
    }

    #[test]
    fn a_value_may_stand_on_either_side() {
        check("(5 < o.total)", &["o.total From 5"]);
        check("($1 = o.id)", &["o.id Equal $1"]);
    }

    #[test]
    fn a_join_is_a_condition_on_both_sides() {
        check("(o.user_id = u.id)", &["o.user_id Equal u.id", "u.id Equal o.user_id"]);
        check("(o.a = o.b)", &[]);
    }

    #[test]
    fn an_expression_over_columns_is_a_key_unless_it_changes_by_itself() {
        check("(lower(u.email) = $1)", &["u.(lower(email)) Equal $1"]);
        check("(lower((u.email)::text) = $1)", &["u.(lower((email)::TEXT)) Equal $1"]);
        check(
            "((o.created_at + '1 day'::interval) > now())",
            &["o.(created_at + '1 day'::INTERVAL) From now()"],
        );
        check("((now() - o.created_at) < $1)", &[]);
        check("((o.total * $1) > 5)", &[]);
    }

    #[test]
    fn only_a_pattern_with_a_definite_beginning_is_a_range() {
        check("(p.name ~~ 'abc%'::text)", &["p.name Prefix 'abc%'::TEXT"]);
        check("(p.name ~~ '%abc%'::text)", &[]);
        check("(p.name ~~ $1)", &[]);
        check("(p.name ~~* 'abc%'::text)", &[]);
    }

    #[test]
    fn what_can_not_be_read_is_left_out() {
        check("((((", &[]);
        check("(hashed SubPlan 1)", &[]);
        check("(o.total <> 5)", &[]);
    }

    #[test]
    fn sort_keys_have_their_relation() {
        assert_eq!(read_key("o.created_at"), Some(("o".to_owned(), Key::Column("created_at".to_owned()))));
        assert_eq!(read_key("(o.a + u.b)"), None);
        assert_eq!(read_key("(count(*))"), None);
    }

    #[test]
    fn long_conditions_are_left_out_or_read_to_their_end() {
        for part in
            ["o.a = $1 OR ", "o.a = $1 AND ", "(", "o.a::text", "::text", " + 1", "NOT ", "-", "a.", "'"]
        {
            let long = part.repeat(100_000 / part.len());
            for text in [format!("o.b = 1{long}"), format!("({long}o.b = 1)")] {
                let _ = (read(&text), normalized(&text));
            }
        }
    }

    proptest! {
        #[test]
        fn no_condition_whatever_makes_reading_panic(
            text in "(o\\.a|u\\.b|[0-9]|\\$[0-9]{1,11}|\\$|'a%'|'|\"|::text| = | < | ~~ | AND | OR |NOT |ANY |ARRAY|\
                     IS NULL|now\\(\\)|lower|CASE|\\(|\\)|\\[|\\]|,| |é){0,16}",
        ) {
            for condition in read(&text) {
                // A key is written as it would be read.
                if let Key::Expression(key) = &condition.key {
                    prop_assert_eq!(&normalized(key), key);
                }
            }
            let _ = (read_key(&text), columns_of(&text));
        }
    }
}
