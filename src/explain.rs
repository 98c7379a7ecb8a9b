//! `tidewall explain`: what an edge's cache would do with a GET of a URL, and why.
//!
//! The edge explains itself at `/_tidewall/explain`; this asks it, and writes its account
//! down for a person.

mod report;
mod token;

use std::time::Duration;

use reqwest::{StatusCode, Url};
use tidewall_api::problem::Problem;
use tidewall_edge::explain::Explanation;
use tidewall_edge::explain::question;

use crate::cli::ExplainArgs;
use crate::explain::token::{Ready, Token};
use crate::failure::Failure;
use crate::loopback;
use crate::progress::Progress;

/// Where an edge explains.
const PATH: &str = "/_tidewall/explain";
/// Time that it has: an origin that hangs is waited for half of that.
const DEADLINE: Duration = Duration::from_secs(60);
/// Fields that this command's own request has, so that they can't be sent as the assumed
/// request's: they go into the question.
const OWN: [&str; 7] =
    ["authorization", "connection", "content-length", "host", "te", "transfer-encoding", "upgrade"];

/// Asks the edge, and prints what it says.
///
/// # Errors
/// The URL, a field or the token can't be used, or the edge doesn't answer.
pub(crate) async fn run(args: &ExplainArgs, progress: &Progress) -> Result<(), Failure> {
    let ready = args.ready_file.as_deref().map(Ready::read).transpose()?;
    let url = url(&args.url, ready.as_ref())?;
    let fields = args.headers.iter().map(|line| field(line)).collect::<Result<Vec<_>, _>>()?;
    let token = token::find(&url, args.token.as_deref(), ready)?;
    let explanation = ask(&url, &fields, &token, !args.no_origin).await?;
    if args.json {
        let json = serde_json::to_string_pretty(&explanation)
            .map_err(|error| Failure::new(format!("cannot write the explanation as JSON: {error}")))?;
        progress.result(&json);
    } else {
        progress.result(&report::of(&explanation));
    }
    Ok(())
}

/// The URL that was typed: whole, or a path of the edge that the ready file names.
fn url(typed: &str, ready: Option<&Ready>) -> Result<Url, Failure> {
    let edge = ready.and_then(|ready| ready.edge.as_deref());
    let whole = match edge.filter(|_| typed.starts_with('/')) {
        Some(edge) => format!("{edge}{typed}"),
        None => typed.to_owned(),
    };
    match Url::parse(&whole) {
        Ok(url) if url.scheme() == "http" && url.has_host() => Ok(url),
        Ok(url) if url.scheme() == "https" => Err(Failure::new(format!(
            "{typed} is of https, which this command doesn't speak; ask the edge itself: curl -H 'Authorization: Bearer <token>' --get --data-urlencode 'url={typed}' {}",
            endpoint(&url, &[], true)
        ))),
        _ => Err(Failure::new(format!(
            "{typed} is no URL of an edge; pass one such as http://127.0.0.1:8787/api/products, or a path with --ready-file"
        ))),
    }
}

fn field(line: &str) -> Result<(String, String), Failure> {
    question::field(line).ok_or_else(|| {
        Failure::new(format!("--header {line} is no field; pass one such as 'Accept-Language: de'"))
    })
}

/// Where the edge of a URL explains, with the fields that can't travel as themselves.
fn endpoint(url: &Url, in_query: &[&(String, String)], asks_origin: bool) -> Url {
    let mut endpoint = url.clone();
    endpoint.set_path(PATH);
    endpoint.set_fragment(None);
    endpoint.set_query(None);
    if !in_query.is_empty() || !asks_origin {
        let mut query = endpoint.query_pairs_mut();
        query.extend_pairs(in_query.iter().map(|(name, value)| ("header", format!("{name}:{value}"))));
        if !asks_origin {
            query.append_pair("origin", "0");
        }
    }
    endpoint
}

async fn ask(
    url: &Url,
    fields: &[(String, String)],
    token: &Token,
    asks_origin: bool,
) -> Result<Explanation, Failure> {
    let (in_query, as_fields): (Vec<_>, Vec<_>) =
        fields.iter().partition(|(name, _)| OWN.contains(&name.as_str()));
    let mut endpoint = endpoint(url, &in_query, asks_origin);
    // Scheme and host are those by which the edge is reached, as it sees them.
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    endpoint.query_pairs_mut().append_pair("url", &format!("{}{query}", url.path()));
    let mut request = loopback::client()?.get(endpoint).timeout(DEADLINE).bearer_auth(&token.value);
    for (name, value) in as_fields {
        request = request.header(name, value);
    }
    let edge = url.origin().ascii_serialization();
    let answer = request.send().await.map_err(|error| unreachable(&edge, &error))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| unreachable(&edge, &error))?;
    if status == StatusCode::OK {
        return serde_json::from_slice(&body).map_err(|_| {
            Failure::new(format!(
                "{edge}{PATH} answers with no explanation; is it a Tidewall edge of this version?"
            ))
        });
    }
    Err(refused(&edge, status, serde_json::from_slice(&body).ok(), token))
}

fn unreachable(edge: &str, error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::new(format!(
            "{edge} gave no answer within {} s; pass --no-origin to explain without asking an origin",
            DEADLINE.as_secs()
        ));
    }
    Failure::new(format!(
        "no edge can be reached at {edge}; start one with `cargo run`, or pass the URL of another"
    ))
}

/// Why an edge that answers doesn't explain.
fn refused(edge: &str, status: StatusCode, problem: Option<Problem>, token: &Token) -> Failure {
    match status {
        StatusCode::UNAUTHORIZED => {
            Failure::new(format!("{edge} refuses the purge token of {}; {}", token.source, token::ADVICE))
        }
        StatusCode::NOT_FOUND => Failure::new(format!(
            "{edge} has no {PATH}: it is no Tidewall edge of this version, or its secret PURGE_TOKEN is not set"
        )),
        _ => {
            let Some(problem) = problem else {
                return Failure::new(format!(
                    "{edge}{PATH} answers with status {status}; the edge's log may say why"
                ));
            };
            let errors: Vec<String> =
                problem.errors.iter().map(|(name, why)| format!("{name} {why}")).collect();
            let errors = if errors.is_empty() { String::new() } else { format!(" ({})", errors.join("; ")) };
            Failure::new(format!("{edge} can't explain it: {}{errors}", problem.detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_of_the_edge_that_the_ready_file_names() {
        let ready = Ready { edge: Some("http://127.0.0.1:9".to_owned()), purge_token: "t".to_owned() };
        assert_eq!(url("/a?b", Some(&ready)).unwrap().as_str(), "http://127.0.0.1:9/a?b");
        assert_eq!(url("http://localhost:1/a", None).unwrap().as_str(), "http://localhost:1/a");
        for (typed, word) in [("/a", "--ready-file"), ("ftp://h/", "no URL"), ("https://h/a", "curl")] {
            let failure = url(typed, None).unwrap_err().to_string();
            assert!(failure.contains(word), "{failure}");
        }
    }

    #[test]
    fn fields_of_this_commands_own_request_go_into_the_question() {
        let authorization = ("authorization".to_owned(), "Bearer x".to_owned());
        let url = Url::parse("http://h:1/a?b#c").unwrap();
        assert_eq!(endpoint(&url, &[], true).as_str(), "http://h:1/_tidewall/explain");
        assert_eq!(
            endpoint(&url, &[&authorization], false).as_str(),
            "http://h:1/_tidewall/explain?header=authorization%3ABearer+x&origin=0"
        );
    }

    #[test]
    fn an_edge_that_refuses_is_told_with_what_to_do() {
        let token = Token { value: "t".to_owned(), source: "--token".to_owned() };
        let said = |status, problem| refused("http://h", status, problem, &token).to_string();
        assert!(said(StatusCode::UNAUTHORIZED, None).contains("refuses the purge token of --token"));
        assert!(said(StatusCode::NOT_FOUND, None).contains("PURGE_TOKEN is not set"));
        let problem = Problem {
            errors: [("url".to_owned(), "is no URL".to_owned())].into(),
            ..Problem::new(422, "invalid", "Invalid query", "The query is wrong.")
        };
        let said = said(StatusCode::UNPROCESSABLE_ENTITY, Some(problem));
        assert_eq!(said, "http://h can't explain it: The query is wrong. (url is no URL)");
    }
}
