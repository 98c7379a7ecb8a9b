//! What is deployed, as it is sent: the Worker's files, compressed.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tidewall_edge::workerd::FILES;

use crate::catalog::Setting;
use crate::error::Reason;
use crate::report::{Better, Measurement};
use crate::sample::Sample;

/// What it should keep within, in KB of 1,000 bytes.
const LIMIT_KB: f64 = 400.0;

pub(super) fn run(setting: &Setting) -> Result<Measurement, Reason> {
    let mut bytes = 0;
    for (name, _) in FILES {
        let path = setting.worker.join(name);
        let content = fs::read(&path)
            .map_err(|error| Reason::new(&format!("can't read {}: {error}", path.display())))?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&content)?;
        bytes += u32::try_from(encoder.finish()?.len())?;
    }
    let sample = Sample::new(vec![f64::from(bytes) / 1000.0]);
    let sample = sample.ok_or_else(|| Reason::new("the Worker has no size"))?;
    Ok(Measurement::new("edge/worker-size", "KB, gzip", Better::Lower, &sample).limit(LIMIT_KB))
}
