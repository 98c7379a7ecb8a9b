//! Source maps (ECMA-426): where a line of what is served was written.

use parcel_sourcemap::SourceMap;

use crate::error::{Flaw, Found};

/// Whether this is one.
pub(crate) fn check(text: &str) -> Result<(), Found> {
    SourceMap::from_json("/", text).map(drop).map_err(|error| syntax(&error))
}

/// A map from what is served to where `earlier` leads, `own` being one to what `earlier`
/// is of.
pub(crate) fn compose(own: &mut SourceMap, earlier: &str) -> Result<String, Found> {
    let mut earlier = SourceMap::from_json("/", earlier).map_err(|error| syntax(&error))?;
    own.extends(&mut earlier).and_then(|()| own.to_json(None)).map_err(|error| syntax(&error))
}

fn syntax(reason: &impl ToString) -> Found {
    Found::somewhere(Flaw::Syntax { language: "source map", reason: reason.to_string() })
}
