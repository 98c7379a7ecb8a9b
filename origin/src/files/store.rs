//! The directory that files lie in.
//!
//! A file gets its name when it is complete, so nobody reads half of one. Until
//! then it has the name with a dot before it, which no [`FileName`] has.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::{self, File};

use super::name::FileName;

/// A directory of files; cheap to clone.
#[derive(Clone, Debug)]
pub struct FileStore {
    directory: PathBuf,
}

/// A file that is being written; removed unless finished.
#[derive(Debug)]
pub struct Unfinished {
    part: PathBuf,
    directory: PathBuf,
    target: PathBuf,
    finished: bool,
}

impl FileStore {
    /// The store in `directory`, which is made if it isn't there.
    pub async fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory).await?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// A file to read; an error of kind `NotFound` if there is none of this name.
    pub async fn read(&self, name: &FileName) -> io::Result<File> {
        File::open(self.directory.join(name.as_str())).await
    }

    /// Removes what a lost process left of a file that it had begun.
    pub async fn remove_unfinished(&self, name: &FileName) -> io::Result<()> {
        match fs::remove_file(self.part(name)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Begins a file; one of the same name is replaced when this is finished.
    pub fn begin(&self, name: &FileName) -> Unfinished {
        Unfinished {
            part: self.part(name),
            directory: self.directory.clone(),
            target: self.directory.join(name.as_str()),
            finished: false,
        }
    }

    fn part(&self, name: &FileName) -> PathBuf {
        self.directory.join(format!(".{name}"))
    }
}

impl Unfinished {
    /// Where to write it.
    pub fn path(&self) -> &Path {
        &self.part
    }

    /// Gives it its name, to last: a job that says it is done is believed after a
    /// power cut too. Its content must have been flushed.
    pub async fn finish(mut self) -> io::Result<()> {
        File::open(&self.part).await?.sync_all().await?;
        fs::rename(&self.part, &self.target).await?;
        self.finished = true;
        // The new name is an entry of the directory, written like a file.
        File::open(&self.directory).await?.sync_all().await
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            // Not there if nothing was written; and what can't be removed is
            // overwritten or left, never served.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_has_its_name_only_once_it_is_finished() {
        let directory = std::env::temp_dir().join(format!("tidewall-files-{}", fastrand::u64(..)));
        let store = FileStore::open(&directory).await.unwrap();
        let name = FileName::new("a.csv").unwrap();

        let unfinished = store.begin(&name);
        fs::write(unfinished.path(), "half").await.unwrap();
        assert_eq!(store.read(&name).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        drop(unfinished);
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "an abandoned file is removed");

        let whole = store.begin(&name);
        fs::write(whole.path(), "whole").await.unwrap();
        whole.finish().await.unwrap();
        assert_eq!(fs::read(directory.join("a.csv")).await.unwrap(), b"whole");
        fs::remove_dir_all(&directory).await.unwrap();
    }
}
