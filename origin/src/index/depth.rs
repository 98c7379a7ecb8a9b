//! How deep a text's expressions become.
//!
//! The parser keeps to a bound in what stands in parentheses, but makes a chain such as
//! `a OR b OR c` as deep as it is long, and whoever goes through an expression, copies it or drops it goes
//! down as many steps of the stack. Programs make statements with thousands of them.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer};

/// Most links of a chain, with those of the chains that it stands in: more than people write. Four times
/// as many have no room on a stack of 2 MiB, as threads have it, where little is optimised.
const LINKS_MAX: usize = 200;
/// So many links of operators take as much of the stack as one of `UNION`.
const UNION_LINKS: usize = 5;

/// The chains that end where what is in a parenthesis, or in a `CASE`, ends.
#[derive(Default)]
struct Chains {
    /// Of operators, since the last comma.
    links: usize,
    /// Of queries, which a comma doesn't end: `SELECT a, b UNION SELECT …`.
    unions: usize,
}

/// What a token is to the chain that it stands in.
enum Part {
    Opens,
    Closes,
    /// The next statement begins.
    Statement,
    /// The next expression begins.
    Expression,
    Union,
    Link,
    Operand,
}

/// Whether all expressions of a text are shallow enough to be read. What can't be taken apart can't
/// be read either, so of that it says nothing.
pub(super) fn is_shallow(sql: &str) -> bool {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize() else { return true };
    let (mut around, mut here, mut depth) = (Vec::new(), Chains::default(), 0);
    let mut before = &Token::EOF;
    for token in tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))) {
        match part(token, before) {
            Part::Opens => around.push(std::mem::take(&mut here)),
            Part::Closes => {
                depth -= here.links + here.unions;
                here = around.pop().unwrap_or_default();
            }
            Part::Statement => (around, here, depth) = (Vec::new(), Chains::default(), 0),
            Part::Expression => depth -= std::mem::take(&mut here.links),
            Part::Union => (here.unions, depth) = (here.unions + UNION_LINKS, depth + UNION_LINKS),
            Part::Link => (here.links, depth) = (here.links + 1, depth + 1),
            Part::Operand => {}
        }
        if depth > LINKS_MAX {
            return false;
        }
        before = token;
    }
    true
}

fn part(token: &Token, before: &Token) -> Part {
    match token {
        Token::LParen | Token::LBracket | Token::LBrace => Part::Opens,
        Token::RParen | Token::RBracket | Token::RBrace => Part::Closes,
        Token::SemiColon => Part::Statement,
        Token::Comma => Part::Expression,
        // Behind a point any word is a name.
        Token::Word(_) if *before == Token::Period => Part::Operand,
        Token::Word(word) => match word.keyword {
            Keyword::NoKeyword => Part::Operand,
            Keyword::CASE => Part::Opens,
            Keyword::END => Part::Closes,
            Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::MINUS => Part::Union,
            // Not `FROM`, nor `GROUP`: `IS DISTINCT FROM` and `WITHIN GROUP` are parts of expressions.
            Keyword::JOIN
            | Keyword::ON
            | Keyword::WHERE
            | Keyword::HAVING
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE => Part::Expression,
            _ => Part::Link,
        },
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::DollarQuotedString(_)
        | Token::Placeholder(_)
        | Token::Period => Part::Operand,
        _ => Part::Link,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{condition, statement};

    #[track_caller]
    fn check(sql: &str, expected: bool) {
        assert_eq!(is_shallow(sql), expected, "{}", sql.chars().take(80).collect::<String>());
    }

    #[test]
    fn statements_that_people_write_are_shallow() {
        let columns: Vec<_> = (0..2_000).map(|number| format!("t.c{number} AS \"d{number}\"")).collect();
        let parameters: Vec<_> = (1..2_000).map(|number| format!("${number}")).collect();
        check(&format!("SELECT {} FROM t WHERE id IN ({})", columns.join(", "), parameters.join(", ")), true);
        check(&format!("INSERT INTO t VALUES {}", ["(now() - $1, 'a' || $2)"; 1_000].join(", ")), true);
        check(&format!("SELECT a FROM t WHERE {}", ["t.type = $1"; 90].join(" OR ")), true);
        let join = " LEFT JOIN u ON u.id = t.u AND u.gone IS NULL AND u.status = 'open'";
        check(&format!("SELECT a FROM t{} WHERE b = 1", join.repeat(60)), true);
        let case = "CASE WHEN a = 1 THEN b + 1 ELSE c + 1 END";
        check(&format!("SELECT {}", [case; 90].join(" + ")), true);
        check(&"SELECT 1; ".repeat(1_000), true);
        check("", true);
        check("SELECT 'never closed", true);
    }

    #[test]
    fn chains_of_thousands_are_not_wherever_they_stand() {
        let long = |link: &str| [link; 3_000].concat();
        for sql in [
            format!("SELECT a FROM t WHERE b = 1{}", long(" OR a = $1")),
            format!("SELECT a FROM t WHERE f(1, ((b = 1{})))", long(" AND a = 'x'")),
            format!("SELECT 1{}, 2", long(" + 1")),
            format!("SELECT a{}", long("::int")),
            format!("SELECT a, b{}", long(" UNION ALL SELECT a, b")),
            format!("SELECT a{} FROM t", long(" IS NULL")),
            format!("SELECT a FROM t WHERE b{}", long(" AND a IS DISTINCT FROM t.on")),
            format!("SELECT a{}", long(" + CASE WHEN a = 1 THEN b ELSE c END")),
        ] {
            check(&sql, false);
        }
        check(&format!("SELECT {}a{}", "(1 + ".repeat(300), ")".repeat(300)), false);
    }

    /// Runs on a thread of the usual size, as tests do.
    #[test]
    fn what_is_shallow_has_room_on_a_threads_stack() {
        let chain = |first: &str, link: &str, links: usize| {
            let mut text = first.to_owned();
            for _ in 0..links {
                text.push_str(link);
            }
            text
        };
        for sql in [
            chain("SELECT a FROM t WHERE b = 1", " OR a = $1", 98),
            chain("SELECT 1", " + 1", 198),
            chain("SELECT a", "::int", 99),
            chain("SELECT 1", " UNION SELECT 1", 33),
            format!("{}{}{}", "SELECT (".repeat(15), chain("1", " + 1", 180), ")".repeat(15)),
        ] {
            let parsed = statement::read(&sql).unwrap();
            assert!(parsed.on(&[].into()).is_none_or(|sent| !sent.is_empty()));
        }
        assert_eq!(condition::read(&chain("(o.a = 1", " AND o.a = $1", 98)).len(), 0, "it is not closed");
        assert_eq!(condition::read(&chain("o.a = 1", " AND o.a = $1", 98)).len(), 99);
    }
}
