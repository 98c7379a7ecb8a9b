//! The shop's home page over both links: for the first time, again, and after its style sheet
//! was changed; and what a month of such visits costs.

use super::bill::{Visit, Visits};
use super::places::Places;
use super::prices::{
    ARTICLE, ARTICLE_BILLS, ARTICLE_EDGE_SHARE, ARTICLE_VISIT_BYTES, DAYS, NEW, OWN, RETURNING, USERS_A_DAY,
};
use super::relay::Relay;
use super::sample;
use super::site::Site;
use super::visitor::{View, Visitor};
use crate::error::Reason;
use crate::report::{Better, Measurement};

/// Who serves where there is no edge.
const ALONE: &str = "origin alone";
/// The same where nothing is compressed.
const UNCOMPRESSED: &str = "origin alone, uncompressed";
/// What a difference may take of what its file takes, in percent.
const DELTA_MAX_PERCENT: f64 = 5.0;

/// What the kinds of view are called: their times, and their bytes.
const NAMES: [[&str; 2]; 3] = [
    ["cdn/first-view", "cdn/first-view-bytes"],
    ["cdn/repeat-view", "cdn/repeat-view-bytes"],
    ["cdn/changed-view", "cdn/changed-view-bytes"],
];

/// What all rounds came to.
#[derive(Default)]
pub(super) struct Views {
    edge: Kinds,
    origin: Kinds,
    /// What differences took of what their files take, in percent.
    deltas: Vec<f64>,
    /// Of the site as it is, all that a first view loads, without any coding.
    uncompressed_bytes: f64,
}

/// By kind of view, as in [`NAMES`].
type Kinds = [Kind; 3];
/// Which way is gone to a site.
type Way = fn(&Places) -> &Relay;

/// What one kind of view took, round by round.
#[derive(Default)]
struct Kind {
    seconds: Vec<f64>,
    /// That came back, fields and all.
    bytes: Vec<f64>,
    requests: Vec<f64>,
}

impl Views {
    /// Looks from near and from far at the site before and after the change.
    pub(super) async fn round(&mut self, states: [(&Places, &Site); 2]) -> Result<(), Reason> {
        let [(before, site), (after, changed)] = states;
        let ways: [(&mut Kinds, Way); 2] =
            [(&mut self.edge, |places| &places.edge), (&mut self.origin, |places| &places.origin)];
        for (kinds, way) in ways {
            let mut visitor = Visitor::default();
            let [first, repeat, last] = kinds;
            let view = first.look(&mut visitor, way(before), site).await?;
            self.uncompressed_bytes = uncompressed_bytes(&view, site)?;
            repeat.look(&mut visitor, way(before), site).await?;
            let view = last.look(&mut visitor, way(after), changed).await?;
            self.deltas.push(delta_percent(&view, changed)?);
        }
        Ok(())
    }

    /// Where the edge has had so many bytes `from_origin` in all rounds.
    pub(super) fn results(self, from_origin: u64) -> Result<Vec<Measurement>, Reason> {
        let mut results = Vec::new();
        for ([time, bytes], (edge, origin)) in NAMES.into_iter().zip(self.edge.iter().zip(&self.origin)) {
            let unit = "s, home page over 5 ms and 2 Mbit/s, origin over 200 ms";
            let measured = Measurement::new(time, unit, Better::Lower, &sample(&edge.seconds)?);
            results.push(measured.peer(ALONE, sample(&origin.seconds)?.median()));
            let measured = Measurement::new(
                bytes,
                "bytes to the client, fields and all",
                Better::Lower,
                &sample(&edge.bytes)?,
            );
            results.push(measured.peer(ALONE, sample(&origin.bytes)?.median()));
        }
        let unit = "percent of its Brotli form, what a changed asset is sent as";
        let delta = Measurement::new("cdn/delta-share", unit, Better::Lower, &sample(&self.deltas)?);
        results.push(delta.limit(DELTA_MAX_PERCENT));
        results.extend(self.bills(from_origin)?);
        Ok(results)
    }

    fn bills(&self, from_origin: u64) -> Result<Vec<Measurement>, Reason> {
        let visits = f64::from(USERS_A_DAY) * f64::from(DAYS);
        let bill = |name, unit, dollars: f64| {
            Ok::<_, Reason>(Measurement::new(name, unit, Better::Lower, &sample(&[dollars])?))
        };
        let [without, with] = ARTICLE_BILLS;
        let alone = Visit { origin_bytes: ARTICLE_VISIT_BYTES, ..Visit::default() };
        let shared = Visit {
            origin_bytes: ARTICLE_VISIT_BYTES * (1.0 - ARTICLE_EDGE_SHARE),
            edge_bytes: ARTICLE_VISIT_BYTES * ARTICLE_EDGE_SHARE,
            ..Visit::default()
        };
        let unit = "$ a month, 3 million visits of 3.3 MB, 80 % from a CDN";
        let by_article = bill("cdn/bill-by-article", unit, ARTICLE.with_edge(visits, shared))?
            .peer(ALONE, ARTICLE.without_edge(visits, alone))
            .peer("article, without a CDN", without)
            .article(with);

        // What the edge has had from the origin is shared by all views of all rounds.
        let views: usize = self.edge.iter().map(|kind| kind.seconds.len()).sum();
        let views = f64::from(u32::try_from(views)?);
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 bytes")]
        let from_origin = from_origin as f64 / views.max(1.0);
        let edge = self.each_edge_visit(from_origin)?;
        let origin = self.each_origin_visit()?;
        let bytes = self.uncompressed_bytes;
        let own = |name, unit, visits_are: Visits| {
            let dollars = OWN.with_edge(visits, visits_are.average(edge));
            let alone = OWN.without_edge(visits, visits_are.average(origin));
            Ok::<_, Reason>(bill(name, unit, dollars)?.peer(ALONE, alone))
        };
        let unit = "$ a month, 3 million first views of the home page";
        let uncompressed = Visit { origin_bytes: bytes, ..Visit::default() };
        let first = own("cdn/bill", unit, NEW)?.peer(UNCOMPRESSED, OWN.without_edge(visits, uncompressed));
        let unit = "$ a month, 100,000 users who come every day, a change a week";
        let returning = own("cdn/bill-returning", unit, RETURNING)?;
        Ok(vec![by_article, first, returning])
    }

    fn each_edge_visit(&self, origin_bytes: f64) -> Result<[Visit; 3], Reason> {
        let visit = |kind: &Kind| {
            Ok::<_, Reason>(Visit {
                origin_bytes,
                edge_bytes: sample(&kind.bytes)?.median(),
                edge_requests: sample(&kind.requests)?.median(),
            })
        };
        let [first, repeat, changed] = &self.edge;
        Ok([visit(first)?, visit(repeat)?, visit(changed)?])
    }

    fn each_origin_visit(&self) -> Result<[Visit; 3], Reason> {
        let visit = |kind: &Kind| {
            Ok::<_, Reason>(Visit { origin_bytes: sample(&kind.bytes)?.median(), ..Visit::default() })
        };
        let [first, repeat, changed] = &self.origin;
        Ok([visit(first)?, visit(repeat)?, visit(changed)?])
    }
}

impl Kind {
    async fn look(&mut self, visitor: &mut Visitor, way: &Relay, site: &Site) -> Result<View, Reason> {
        let before = way.bytes();
        let view = visitor.look(way.address, site).await?;
        self.seconds.push(view.time.as_secs_f64());
        self.bytes.push(f64::from(u32::try_from(way.bytes() - before)?));
        self.requests.push(f64::from(u32::try_from(view.answers.len())?));
        Ok(view)
    }
}

/// What the assets of a view took of what their Brotli forms take, in percent.
fn delta_percent(view: &View, site: &Site) -> Result<f64, Reason> {
    let (mut sent, mut whole) = (0, 0);
    for answer in view.answers.iter().filter(|answer| site.is_asset(&answer.path)) {
        let brotli = site.known(&answer.path)?.brotli_bytes();
        sent += answer.bytes;
        whole += brotli.ok_or_else(|| Reason::new(&format!("{} has no Brotli form", answer.path)))?;
    }
    match whole {
        0 => Err(Reason::new("no asset has changed")),
        _ => Ok(100.0 * f64::from(u32::try_from(sent)?) / f64::from(u32::try_from(whole)?)),
    }
}

/// What a view would have loaded without any coding.
fn uncompressed_bytes(view: &View, site: &Site) -> Result<f64, Reason> {
    let mut bytes = 0;
    for answer in &view.answers {
        bytes += site.known(&answer.path)?.bytes();
    }
    Ok(f64::from(u32::try_from(bytes)?))
}
