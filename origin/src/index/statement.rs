//! A statement's text, as far as it has to be understood: what may be explained, where it is sent
//! to a copy, and which of its parameters are numbers of rows.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    AssignmentTarget, Expr, Ident, LimitClause, ObjectName, ObjectNamePart, Query, SetExpr, Statement,
    TableFactor, Value, Visit, Visitor, visit_expressions, visit_relations_mut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::depth::is_shallow;
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
    /// Functions that it calls.
    pub(super) functions: Vec<String>,
    /// It reads, or changes the rows of one table, and nothing else: it can be run on copies.
    pub(super) is_plain: bool,
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
    /// Its expressions are too deep.
    Deep,
}

impl Unread {
    /// In words.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::NotOne => "it is not one statement",
            Self::Other => "no index can serve it",
            Self::Syntax => "it can't be read; its text may have been shortened (track_activity_query_size)",
            Self::Deep => "it joins too much by operators to be read",
        }
    }
}

/// Reads one statement.
pub(super) fn read(sql: &str) -> Result<Parsed, Unread> {
    if !is_shallow(sql) {
        return Err(Unread::Deep);
    }
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
    let mut functions = BTreeSet::new();
    let _whole = visit_expressions(statement, |expression| {
        if let Expr::Function(function) = expression {
            functions.extend(function.name.0.last().and_then(ObjectNamePart::as_ident).map(folded));
        }
        ControlFlow::<()>::Continue(())
    });
    let is_plain = match statement {
        // A part of it that writes would do so each time.
        Statement::Query(_) => !is_write,
        Statement::Update(_) | Statement::Delete(_) => true,
        _ => false,
    };
    Ok(Parsed {
        statement: statement.clone(),
        is_write,
        parameters,
        limits,
        set: set(statement),
        functions: functions.into_iter().collect(),
        is_plain,
    })
}

/// A name as the server understands it: in small letters, unless it is quoted.
fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// What a statement's queries name besides tables.
#[derive(Default)]
struct Queries {
    /// Names of `WITH`, at any depth.
    names: BTreeSet<String>,
    /// A query in a form that isn't visited whole, such as `TABLE a`.
    is_odd: bool,
}

impl Visitor for Queries {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.names.extend(tables.map(|table| folded(&table.alias.name)));
        self.is_odd |= matches!(*query.body, SetExpr::Table(_));
        ControlFlow::Continue(())
    }

    /// A function in place of a table is called each time.
    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        self.is_odd |= match table {
            TableFactor::Table { args, .. } => args.is_some(),
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => false,
            _ => true,
        };
        ControlFlow::Continue(())
    }
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
    if !is_shallow(file) {
        return None;
    }
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
    /// The same statement on the copies of tables, by their names. `None`: it names what has no copy,
    /// or names it so that it may be something else.
    pub(super) fn on(&self, copies: &BTreeMap<Name, Name>) -> Option<String> {
        let mut queries = Queries::default();
        let _whole = self.statement.visit(&mut queries);
        // `WITH users AS (… FROM users …)`: which of the two is meant depends on where it stands.
        if queries.is_odd || copies.keys().any(|(_, table)| queries.names.contains(table)) {
            return None;
        }
        let mut statement = self.statement.clone();
        let missing = visit_relations_mut(&mut statement, |relation| {
            let parts: Vec<_> = relation.0.iter().filter_map(ObjectNamePart::as_ident).map(folded).collect();
            let (schema, table) = match parts.as_slice() {
                [table] if queries.names.contains(table) => return ControlFlow::Continue(()),
                [table] => (None, table.clone()),
                [.., schema, table] => (Some(schema.clone()), table.clone()),
                [] => return ControlFlow::Break(()),
            };
            let mut found = copies.iter().filter(|((own_schema, own_table), _)| {
                *own_table == table && schema.as_ref().is_none_or(|schema| schema == own_schema)
            });
            // Of two that are called so it isn't known which one is meant.
            let (Some((_, (schema, table))), None) = (found.next(), found.next()) else {
                return ControlFlow::Break(());
            };
            let name = [schema, table].map(|part| ObjectNamePart::Identifier(Ident::with_quote('"', part)));
            *relation = ObjectName(name.to_vec());
            ControlFlow::Continue(())
        });
        missing.is_continue().then(|| statement.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Nearly a statement, or one.
    const NEAR: &str = "(SELECT |UPDATE |DELETE FROM |INSERT INTO |WITH |FROM |WHERE |SET |LIMIT |UNION |VALUES |\
                        AS |a|b|\\*|=|,|\\(|\\)|\\$[0-9]{1,11}|\\$|'x'|'|\"|interval |--|/\\*|;|\\.|[0-9]| |\n|é){0,16}";

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

    #[test]
    fn what_may_mean_something_else_than_its_copy_is_sent_nowhere() {
        let copy = |schema: &str, name: &str| {
            ((schema.to_owned(), name.to_owned()), ("scratch".to_owned(), name.to_owned()))
        };
        let copies = [copy("a", "users"), copy("b", "users"), copy("a", "carts")].into();
        for sql in [
            "WITH carts AS (DELETE FROM carts WHERE id = 1 RETURNING *) SELECT * FROM carts",
            "SELECT * FROM (WITH carts AS (SELECT * FROM carts) SELECT * FROM carts) AS c",
            "SELECT * FROM users",
            "SELECT * FROM carts, charge(5)",
        ] {
            assert_eq!(read(sql).unwrap().on(&copies), None, "{sql}");
        }
        assert_eq!(
            read("SELECT * FROM A.Users").unwrap().on(&copies).as_deref(),
            Some("SELECT * FROM \"scratch\".\"users\"")
        );
    }

    #[test]
    fn the_functions_that_a_statement_calls_are_known() {
        let of = |sql: &str| read(sql).map(|parsed| (parsed.functions, parsed.is_plain)).unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            of("SELECT Count(*), app.charge(id) FROM carts WHERE lower(name) = $1"),
            (names(&["charge", "count", "lower"]), true)
        );
        assert!(!of("WITH gone AS (DELETE FROM carts RETURNING *) SELECT * FROM gone").1);
        assert!(!of("INSERT INTO carts VALUES (nextval('a'))").1);
        assert!(of("UPDATE carts SET name = $1 WHERE id = $2").1);
    }

    #[test]
    fn long_statements_are_refused_or_read_to_their_end() {
        for part in [
            "a = $1 OR ",
            "(",
            "SELECT 1 UNION ",
            "'",
            "/*",
            "a, ",
            "1, ",
            ";",
            "interval $1 ",
            "$",
            "a.",
            "- ",
        ] {
            let long = part.repeat(100_000 / part.len());
            for sql in [format!("SELECT a FROM t WHERE {long}b"), format!("SELECT * FROM {long}t")] {
                let _ = read(&preparable(&sql)).map(|parsed| parsed.on(&BTreeMap::new()));
                assert!(!mentions(&sql, "orders"));
            }
        }
    }

    proptest! {
        #[test]
        fn no_statement_whatever_makes_reading_panic(sql in NEAR) {
            let name = |schema: &str, table: &str| (schema.to_owned(), table.to_owned());
            let copies = [(name("public", "a"), name("scratch", "a \"copy"))].into();
            if let Ok(parsed) = read(&sql) {
                // What is sent to the copy is a statement as well, about the copy alone.
                if let Some(sent) = parsed.on(&copies) {
                    let again = read(&sent);
                    prop_assert!(again.as_ref().is_ok_and(|again| again.is_write == parsed.is_write), "{sent}");
                }
            }
            let _ = (statements(&sql), preparable(&sql), mentions(&sql, "a"));
        }

        #[test]
        fn what_has_no_literal_of_a_type_is_prepared_as_it_is(sql in NEAR) {
            prop_assume!(!sql.contains('$'));
            let tokens = |sql: &str| {
                let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).with_unescape(false).tokenize().ok()?;
                Some(tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect::<Vec<_>>())
            };
            if let Some(read) = tokens(&sql) {
                prop_assert_eq!(tokens(&preparable(&sql)), Some(read));
            }
        }
    }
}
