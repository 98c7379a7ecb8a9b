//! The article's example: a file of 500 KB over 2 Mbit/s, from far and from near.

use std::net::SocketAddr;
use std::time::Instant;

use super::super::http::{self, Stream};
use super::places::Places;
use super::sample;
use super::site::FILE_BYTES;
use crate::error::Reason;
use crate::report::{Better, Measurement};

/// The article: without a CDN, and with one.
const ARTICLE_S: [f64; 2] = [2.2, 2.005];

/// Seconds of each round.
#[derive(Default)]
pub(super) struct Files {
    origin: Vec<f64>,
    edge: Vec<f64>,
}

impl Files {
    /// Loads the file at `path` from both.
    pub(super) async fn round(&mut self, places: &Places, path: &str) -> Result<(), Reason> {
        self.edge.push(load(places.edge.address, path).await?);
        self.origin.push(load(places.origin.address, path).await?);
        Ok(())
    }

    pub(super) fn results(self) -> Result<Vec<Measurement>, Reason> {
        let [without, with] = ARTICLE_S;
        let measured = |name, unit, rounds: &[f64]| {
            Ok::<_, Reason>(Measurement::new(name, unit, Better::Lower, &sample(rounds)?))
        };
        let from_edge = measured("cdn/file-from-edge", "s, 500 KB over 5 ms and 2 Mbit/s", &self.edge)?;
        let from_origin =
            measured("cdn/file-from-origin", "s, 500 KB over 200 ms and 2 Mbit/s", &self.origin)?;
        Ok(vec![from_edge.article(with), from_origin.article(without)])
    }
}

async fn load(address: SocketAddr, path: &str) -> Result<f64, Reason> {
    let mut stream = Stream::connect(address).await?;
    let begun = Instant::now();
    let answer = stream.ask(&http::get(path)).await?;
    let seconds = begun.elapsed().as_secs_f64();
    match answer.word(1) == "200" && answer.body.len() == FILE_BYTES {
        true => Ok(seconds),
        false => Err(Reason::new(&format!("{path}: {}, {} bytes", answer.start(), answer.body.len()))),
    }
}
