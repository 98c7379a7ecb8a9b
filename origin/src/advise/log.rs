//! Reads an access log, line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use tidewall_api::advice::Traffic;
use tokio::sync::oneshot;

use super::AdviseError;
use super::gather::Reader;
use super::log_line;

/// What a file comes to; `-` is standard input.
pub(super) async fn read(path: &Path) -> Result<Traffic, AdviseError> {
    let file = path.to_owned();
    let (sender, receiver) = oneshot::channel();
    // A thread that nobody waits for: the end of a pipe may never come.
    let thread = std::thread::Builder::new().spawn(move || {
        // Whoever gave up needs nothing of it.
        let _told = sender.send(read_file(file));
    });
    let read = match thread {
        Ok(_) => receiver.await.map_err(io::Error::other).flatten(),
        Err(error) => Err(error),
    };
    let traffic = read.map_err(|source| AdviseError::Log { file: path.to_owned(), source })?;
    if traffic.routes.is_empty() && traffic.unread > 0 {
        return Err(AdviseError::NoLog { file: path.to_owned() });
    }
    Ok(traffic)
}

fn read_file(path: PathBuf) -> io::Result<Traffic> {
    if path == Path::new("-") {
        gather(io::stdin().lock())
    } else {
        gather(BufReader::new(File::open(path)?))
    }
}

fn gather(mut file: impl BufRead) -> io::Result<Traffic> {
    let mut reader = Reader::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        // Of a line without an end no more than a line may have is kept.
        let mut is_read = false;
        loop {
            let part = file.fill_buf()?;
            if part.is_empty() {
                break;
            }
            is_read = true;
            let end = part.iter().position(|byte| *byte == b'\n');
            let length = end.unwrap_or(part.len());
            let room = (log_line::LINE_MAX + 1).saturating_sub(line.len());
            line.extend_from_slice(&part[..length.min(room)]);
            file.consume(end.map_or(length, |end| end + 1));
            if end.is_some() {
                break;
            }
        }
        if !is_read {
            return Ok(reader.finish());
        }
        match log_line::read(&String::from_utf8_lossy(&line)) {
            Some(entry) => reader.add(&entry),
            None if line.iter().all(u8::is_ascii_whitespace) => {}
            None => reader.unread(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_read_however_long_they_are_and_whatever_is_in_them() {
        let mut log = Vec::new();
        log.extend_from_slice(br#"a - - [10/Oct/2000:20:55:36 +0000] "GET /a HTTP/1.1" 200 5"#);
        log.extend_from_slice(b"\n\n\xff\xfe not one\n");
        log.extend(std::iter::repeat_n(b'x', 3 * log_line::LINE_MAX));
        log.extend_from_slice(b"\r\n");
        log.extend_from_slice(br#"b - - [10/Oct/2000:20:55:46 +0000] "GET /a HTTP/1.1" 200 5"#);
        let traffic = gather(log.as_slice()).unwrap();
        assert_eq!((traffic.unread, traffic.seconds, traffic.clients), (2, Some(10.0), Some(2.0)));
        assert!((traffic.requests() - 2.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn no_log_whatever_makes_figures_that_are_none(
            lines in prop::collection::vec(
                (
                    "/[a-z/0-9%?é.]{0,12}",
                    "([1-5][0-9]{2}|[0-9]{1,4})",
                    "(-|[0-9]{1,30}|NaN|inf|-5|1e[0-9]{1,3}) ([0-9]{0,4}\\.[0-9]|1e308|inf|[0-9]{1,30}|)",
                    "([0-9]{1,22}|1e[0-9]{1,3}|-1|null|\"NaN\"|\"inf\"|\"2000-10-10T20:55:36Z\")",
                ),
                0..12,
            ),
            noise: Vec<u8>,
        ) {
            let mut log = noise;
            for (path, status, numbers, at) in lines {
                let (bytes, ms) = numbers.split_once(' ').unwrap();
                let date = "10/Oct/2000:20:55:36 +0000";
                log.extend(format!("\na - - [{date}] \"GET {path} HTTP/1.1\" {status} {numbers}\n").bytes());
                let request = format!(r#""method":"GET","path":"{path}","status":{status}"#);
                let line = format!(r#"{{"time":{at},{request},"bytes":"{bytes}","duration_ms":"{ms}"}}"#);
                log.extend(line.bytes());
            }
            let traffic = gather(log.as_slice()).unwrap();
            prop_assert!(traffic.seconds.is_none_or(|seconds| seconds.is_finite() && seconds > 0.0));
            for route in traffic.routes {
                let all = [route.bytes, route.p50_ms, route.p95_ms, route.p99_ms, route.total_ms, route.same_share];
                prop_assert!(all.iter().flatten().all(|it| it.is_finite() && *it >= 0.0), "{route:?}");
                prop_assert!(route.failed <= route.requests && route.repeated_share <= 1.0);
            }
        }
    }
}
