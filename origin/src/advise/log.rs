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
}
