//! A statement's text, as far as it has to be understood: what may be explained, where it is sent
//! to a copy, and which of its parameters are numbers of rows.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    AssignmentTarget, Expr, Ident, LimitClause, ObjectName, ObjectNamePart, Query, SetExpr, Statement, Value,
    visit_expressions, visit_relations_mut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::facts::Name;

/// A statement that was understood.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    statement: Statement,
    /// It changes rows.
    pub(super) is_write: bool,
    /// The highest of its parameters.
    pub(super) parameters: u32,
    /// Parameters that say how many rows are wanted, and how many are passed over.
    pub(super) limits: Vec<u32>,
    /// Columns that it sets.
    pub(super) set: Vec<String>,
}

/// Why a statement isn't looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is several, or none.
    NotOne,
    /// It reads and changes no rows, such as DDL.
    Other,
    /// Its text was shortened, or is of a kind that the parser doesn't know.
    Syntax,
}

impl Unread {
    /// In words.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::NotOne => "it is not one statement",
            Self::Other => "no index can serve it",
            Self::Syntax => "it can't be read; its text may have been shortened (track_activity_query_size)",
        }
    }
}

/// Reads one statement.
pub(super) fn read(sql: &str) -> Result<Parsed, Unread> {
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(|_| Unread::Syntax)?;
    let [statement] = statements.as_slice() else { return Err(Unread::NotOne) };
    let is_write = match statement {
        Statement::Query(query) => writes(query),
        Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) | Statement::Merge(_) => true,
        _ => return Err(Unread::Other),
    };
    let mut parameters = 0;
    let _whole = visit_expressions(statement, |expression| {
        parameters = parameters.max(parameter(expression).unwrap_or_default());
        ControlFlow::<()>::Continue(())
    });
    let limits = match statement {
        Statement::Query(query) => limits(query),
        _ => Vec::new(),
    };
    Ok(Parsed { statement: statement.clone(), is_write, parameters, limits, set: set(statement) })
}

/// A statement's text as the server can prepare it: `interval $1`, as a counted statement has it
/// where a literal stood, is no SQL, and `$1::interval` is.
pub(super) fn preparable(sql: &str) -> String {
    const TYPES: [&str; 6] = ["interval", "date", "timestamp", "timestamptz", "time", "timetz"];
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, sql).with_unescape(false).tokenize() else {
        return sql.to_owned();
    };
    let mut text = String::new();
    let mut rest = tokens.as_slice();
    while let Some((token, behind)) = rest.split_first() {
        let typed = match (token, behind) {
            (Token::Word(word), [Token::Whitespace(_), Token::Placeholder(name), ..])
                if word.quote_style.is_none() =>
            {
                TYPES.iter().find(|name| word.value.eq_ignore_ascii_case(name)).map(|of| (of, name))
            }
            _ => None,
        };
        match typed {
            Some((of, name)) => {
                text.push_str(&format!("{name}::{of}"));
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                text.push_str(&token.to_string());
                rest = behind;
            }
        }
    }
    text
}

/// Whether `name` stands in `sql` as a word.
pub(super) fn mentions(sql: &str, name: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    sql.match_indices(name).any(|(at, _)| {
        let (before, behind) = (&sql[..at], &sql[at + name.len()..]);
        !before.ends_with(is_part) && !behind.starts_with(is_part)
    })
}

fn set(statement: &Statement) -> Vec<String> {
    let Statement::Update(update) = statement else { return Vec::new() };
    let names = update.assignments.iter().flat_map(|assignment| match &assignment.target {
        AssignmentTarget::ColumnName(name) => vec![name.clone()],
        AssignmentTarget::Tuple(names) => names.clone(),
    });
    names.filter_map(|name| name.0.last()?.as_ident().map(|name| name.value.clone())).collect()
}

/// The statements of a file. `None`: it can't be read.
pub fn statements(file: &str) -> Option<Vec<String>> {
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, file).ok()?;
    let texts: Vec<_> = statements.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then_some(texts)
}

fn writes(query: &Query) -> bool {
    let in_with = query.with.iter().flat_map(|with| &with.cte_tables).any(|table| writes(&table.query));
    in_with || matches!(*query.body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_))
}

fn limits(query: &Query) -> Vec<u32> {
    let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause else { return Vec::new() };
    let offset = offset.as_ref().map(|offset| &offset.value);
    limit.iter().chain(offset).filter_map(parameter).collect()
}

fn parameter(expression: &Expr) -> Option<u32> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => name.strip_prefix('$')?.parse().ok(),
            _ => None,
        },
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => parameter(inner),
        _ => None,
    }
}

impl Parsed {
    /// The same statement on the copies of tables, by their names. `None`: it names a table that
    /// has no copy.
    pub(super) fn on(&self, copies: &BTreeMap<Name, Name>) -> Option<String> {
        let mut statement = self.statement.clone();
        let names: Vec<String> = match &statement {
            Statement::Query(query) => {
                let with = query.with.iter().flat_map(|with| &with.cte_tables);
                with.map(|table| table.alias.name.value.clone()).collect()
            }
            _ => Vec::new(),
        };
        let missing = visit_relations_mut(&mut statement, |relation| {
            let parts: Vec<_> = relation.0.iter().filter_map(ObjectNamePart::as_ident).collect();
            let (schema, table) = match parts.as_slice() {
                [table] if names.contains(&table.value) => return ControlFlow::Continue(()),
                [table] => (None, table.value.clone()),
                [.., schema, table] => (Some(schema.value.clone()), table.value.clone()),
                [] => return ControlFlow::Break(()),
            };
            let copy = copies.iter().find(|((own_schema, own_table), _)| {
                *own_table == table && schema.as_ref().is_none_or(|schema| schema == own_schema)
            });
            let Some((_, (schema, table))) = copy else { return ControlFlow::Break(()) };
            let name = [schema, table].map(|part| ObjectNamePart::Identifier(Ident::with_quote('"', part)));
            *relation = ObjectName(name.to_vec());
            ControlFlow::Continue(())
        });
        missing.is_continue().then(|| statement.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_are_told_apart() {
        let check = |sql: &str| read(sql).map(|parsed| (parsed.is_write, parsed.parameters, parsed.limits));
        assert_eq!(
            check("SELECT * FROM orders WHERE user_id = $1 ORDER BY id LIMIT $2 OFFSET $3"),
            Ok((false, 3, vec![2, 3]))
        );
        assert_eq!(check("UPDATE orders SET status = $1 WHERE id = $2"), Ok((true, 2, vec![])));
        assert_eq!(
            check("WITH gone AS (DELETE FROM carts WHERE id = $1 RETURNING *) SELECT * FROM gone"),
            Ok((true, 1, vec![]))
        );
        assert_eq!(check("CREATE TABLE a ()"), Err(Unread::Other));
        assert_eq!(check("SELECT 1; SELECT 2"), Err(Unread::NotOne));
        assert_eq!(check("SELECT * FROM orders WHERE"), Err(Unread::Syntax));
    }

    #[test]
    fn a_table_is_mentioned_as_a_word() {
        assert!(mentions("SELECT * FROM \"orders\" o", "orders"));
        assert!(mentions("DELETE FROM public.orders", "orders"));
        assert!(!mentions("SELECT * FROM orders_old, my_orders", "orders"));
    }

    #[test]
    fn a_literal_of_a_type_that_was_counted_can_be_prepared() {
        assert_eq!(
            preparable(
                "SELECT 'date $1' FROM a WHERE at > now() - interval $1 AND day = DATE $2 AND date > $3"
            ),
            "SELECT 'date $1' FROM a WHERE at > now() - $1::interval AND day = $2::date AND date > $3"
        );
    }

    #[test]
    fn a_statement_is_sent_to_copies_of_all_its_tables_or_not_at_all() {
        let copy = |name: &str| {
            (("public".to_owned(), name.to_owned()), ("scratch".to_owned(), format!("{name}_copy")))
        };
        let copies = [copy("orders"), copy("users")].into();
        let on = |sql: &str| read(sql).unwrap().on(&copies);
        assert_eq!(
            on("SELECT o.id FROM public.orders AS o JOIN users AS u ON u.id = o.user_id").as_deref(),
            Some(
                "SELECT o.id FROM \"scratch\".\"orders_copy\" AS o JOIN \"scratch\".\"users_copy\" AS u ON u.id = o.user_id"
            )
        );
        assert_eq!(on("SELECT * FROM orders, elsewhere"), None);
        assert_eq!(
            on("WITH mine AS (SELECT * FROM orders) SELECT * FROM mine").as_deref(),
            Some("WITH mine AS (SELECT * FROM \"scratch\".\"orders_copy\") SELECT * FROM mine")
        );
    }
}
