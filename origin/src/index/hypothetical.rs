//! HypoPG: indexes that only the planner of one session believes in. With it a candidate can be judged
//! on the tables themselves without being built, by the planner's opinion alone.

use super::IndexError;
use super::candidate::{Candidate, quoted};
use super::session::{Refused, Session};

/// The extension, where it is installed.
pub(super) struct Hypothetical<'a> {
    session: &'a Session,
    /// Where its functions are.
    schema: String,
}

/// An index that isn't there.
pub(super) struct Made {
    /// As plans call it.
    pub(super) name: String,
    /// Bytes that it would have, as the extension reckons.
    pub(super) bytes: f64,
}

impl<'a> Hypothetical<'a> {
    /// `None`: the database hasn't the extension, or this role may not use it.
    pub(super) async fn find(session: &'a Session) -> Result<Option<Self>, IndexError> {
        let found = "SELECT nspname::text FROM pg_extension
            JOIN pg_namespace ON pg_namespace.oid = extnamespace
            WHERE extname = 'hypopg' AND has_schema_privilege(pg_namespace.oid, 'USAGE')";
        let rows = session.rows(found, &[]).await?;
        Ok(rows.first().map(|row| Self { session, schema: quoted(row.get(0)) }))
    }

    /// The session whose planner believes in what is made.
    pub(super) fn session(&self) -> &'a Session {
        self.session
    }

    /// Makes a candidate believed in until [`Self::forget`].
    pub(super) async fn make(&self, candidate: &Candidate) -> Result<Made, Refused> {
        let schema = &self.schema;
        let make = format!(
            "SELECT indexname::text, {schema}.hypopg_relation_size(indexrelid)::double precision
             FROM {schema}.hypopg_create_index($1)"
        );
        let definition = candidate.ddl_on(&candidate.table, &candidate.name());
        let made = self.session.row(&make, &[&definition]).await;
        let made = made.map_err(|error| Refused::of_error(&error))?;
        Ok(Made { name: made.get(0), bytes: made.get(1) })
    }

    /// Nothing of it is left.
    pub(super) async fn forget(&self) -> Result<(), IndexError> {
        self.session.rows(&format!("SELECT {}.hypopg_reset()", self.schema), &[]).await.map(drop)
    }
}
