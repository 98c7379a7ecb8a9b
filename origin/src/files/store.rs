//! Files by name, in a directory or a bucket.
//!
//! A file gets its name when it is complete, so nobody reads half of one.
//!
//! In a directory it is written beside its place, under its name and `#1` (or another
//! number), which no [`FileName`] has; then file, renaming and directory are synced, in this
//! order. So a file that is finished is there, and whole, after a power cut; an unfinished
//! one is never given to anybody. What a killed process left of it
//! [`FileStore::remove_abandoned`] removes. In a bucket the same is the service's promise: an
//! object is there once its upload was completed. Parts of uploads that a killed process left
//! cost money until the bucket's lifecycle rule removes them (`AbortIncompleteMultipartUpload`).

use std::future::ready;
use std::io::ErrorKind;
use std::path::{Path as Directory, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{GetResultPayload, ObjectStore, ObjectStoreExt as _, RetryConfig};
use time::OffsetDateTime;
use tokio::fs;
use tokio_util::io::ReaderStream;

use super::error::FileError;
use super::location::Location;
use super::name::FileName;
use super::unfinished::Unfinished;

/// Bytes read from a directory's file at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// The folder of what anybody may see.
const MEDIA: &str = "media";

/// For how long a request to a bucket is tried again: a reader waits for it, and a job is
/// tried again by its own rule.
const RETRY: Duration = Duration::from_secs(10);
const RETRIES_MAX: usize = 3;

/// Files by name; cheap to clone.
#[derive(Clone, Debug)]
pub struct FileStore {
    store: Arc<dyn ObjectStore>,
    /// Where they lie, unless in a bucket.
    directory: Option<PathBuf>,
}

/// A file that is read.
pub struct StoredFile {
    /// Its bytes.
    pub length: u64,
    /// The same, as they come.
    pub content: BoxStream<'static, Result<Bytes, FileError>>,
}

impl FileStore {
    /// The store at `location`. A directory is made if it isn't there; a bucket is there
    /// already, and asked for nothing yet.
    pub async fn open(location: &Location) -> Result<Self, FileError> {
        match location {
            Location::Directory(path) => {
                fs::create_dir_all(path)
                    .await
                    .map_err(|source| FileError::Directory { path: path.clone(), source })?;
                let store = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
                Ok(Self { store: Arc::new(store), directory: Some(path.clone()) })
            }
            Location::Bucket { bucket, prefix } => {
                Self::in_bucket(AmazonS3Builder::from_env(), bucket, prefix)
            }
        }
    }

    fn in_bucket(reached: AmazonS3Builder, bucket: &str, prefix: &str) -> Result<Self, FileError> {
        let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY, ..RetryConfig::default() };
        let store = reached.with_bucket_name(bucket).with_retry(retry).build();
        let store = store.map_err(FileError::Bucket)?;
        Ok(Self { store: Arc::new(PrefixStore::new(store, prefix)), directory: None })
    }

    /// The files that anybody may see and that stay: a folder beside those of jobs, which go
    /// when they are old.
    pub fn media(&self) -> Self {
        Self {
            store: Arc::new(PrefixStore::new(Arc::clone(&self.store), MEDIA)),
            directory: self.directory.as_ref().map(|directory| directory.join(MEDIA)),
        }
    }

    /// Begins a file; one of the same name is replaced when this is finished.
    pub fn begin(&self, name: &FileName) -> Unfinished {
        Unfinished::new(Arc::clone(&self.store), path(name))
    }

    /// Stores a file that is small enough for memory.
    pub async fn put(&self, name: &FileName, content: Bytes) -> Result<(), FileError> {
        self.store.put(&path(name), content.into()).await?;
        Ok(())
    }

    /// A file to read; [`FileError::NotFound`] if there is none of this name.
    pub async fn read(&self, name: &FileName) -> Result<StoredFile, FileError> {
        let found = self.store.get(&path(name)).await?;
        let length = found.meta.size;
        let content = match found.payload {
            GetResultPayload::File(file, _) => {
                let file = fs::File::from_std(file);
                ReaderStream::with_capacity(file, CHUNK_BYTES).map_err(FileError::from).boxed()
            }
            GetResultPayload::Stream(stream) => stream.map_err(FileError::from).boxed(),
        };
        Ok(StoredFile { length, content })
    }

    /// A whole file of at most `bytes_max`; of a longer one so much and a little more.
    pub async fn read_whole(&self, name: &FileName, bytes_max: usize) -> Result<Vec<u8>, FileError> {
        let mut content = self.read(name).await?.content;
        let mut whole = Vec::new();
        while let Some(bytes) = content.try_next().await? {
            whole.extend_from_slice(&bytes);
            if whole.len() > bytes_max {
                break;
            }
        }
        Ok(whole)
    }

    /// Removes a file; it may be gone already.
    pub async fn remove(&self, name: &FileName) -> Result<(), FileError> {
        match self.store.delete(&path(name)).await.map_err(FileError::from) {
            Err(FileError::NotFound(_)) => Ok(()),
            removed => removed,
        }
    }

    /// The files that were finished before `time`, without those of [`FileStore::media`].
    pub fn older_than(
        &self,
        time: OffsetDateTime,
    ) -> impl Stream<Item = Result<FileName, FileError>> + use<> {
        self.store.list(None).map_err(FileError::from).try_filter_map(move |found| {
            let is_older = found.last_modified.timestamp() < time.unix_timestamp();
            ready(Ok(FileName::new(found.location.as_ref()).ok().filter(|_| is_older)))
        })
    }

    /// Removes what processes that were killed before `time` left of files that they had
    /// begun; how many. Nothing where files lie in a bucket, which has a rule for it.
    pub async fn remove_abandoned(&self, time: OffsetDateTime) -> Result<u64, FileError> {
        let Some(directory) = &self.directory else { return Ok(0) };
        match remove_abandoned(directory, time).await {
            // Made by the first file.
            Err(source) if source.kind() == ErrorKind::NotFound => Ok(0),
            removed => removed.map_err(|source| FileError::Directory { path: directory.clone(), source }),
        }
    }
}

async fn remove_abandoned(directory: &Directory, time: OffsetDateTime) -> Result<u64, std::io::Error> {
    let mut removed = 0;
    let mut entries = fs::read_dir(directory).await?;
    while let Some(entry) = entries.next_entry().await? {
        // Nobody else's files: a part is called like a file that can be asked for.
        let name = entry.file_name();
        let is_part = name
            .to_str()
            .and_then(|name| name.rsplit_once('#'))
            .is_some_and(|(name, number)| FileName::new(name).is_ok() && number.parse::<u32>().is_ok());
        if !is_part {
            continue;
        }
        // It may have been finished meanwhile.
        let Ok(metadata) = entry.metadata().await else { continue };
        if OffsetDateTime::from(metadata.modified()?) < time && fs::remove_file(entry.path()).await.is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

fn path(name: &FileName) -> Path {
    Path::from(name.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::stub_bucket::StubBucket;
    use super::super::unfinished::PART_BYTES;
    use super::*;

    /// A directory that goes when the test is over.
    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    impl Folder {
        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    async fn directory() -> (FileStore, Folder) {
        let folder = Folder(std::env::temp_dir().join(format!("tidewall-files-{}", fastrand::u64(..))));
        let store = FileStore::open(&Location::Directory(folder.0.clone())).await.unwrap();
        (store, folder)
    }

    async fn bucket() -> (FileStore, StubBucket) {
        let (bucket, reached) = StubBucket::start().await;
        (FileStore::in_bucket(reached, "files", "a/b").unwrap(), bucket)
    }

    fn name(name: &str) -> FileName {
        FileName::new(name).unwrap()
    }

    /// A file of more than two parts, in pieces that don't fit to them.
    fn large() -> Vec<u8> {
        (0..2 * PART_BYTES + 12_345).map(|index| (index % 251) as u8).collect()
    }

    async fn read(store: &FileStore, name: &FileName) -> Option<Vec<u8>> {
        match store.read(name).await {
            Ok(file) => {
                let content: Vec<Bytes> = file.content.try_collect().await.unwrap();
                let content = content.concat();
                assert_eq!(file.length, content.len() as u64);
                Some(content)
            }
            Err(FileError::NotFound(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until it is so.
    async fn soon(is_so: impl Fn() -> bool) {
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while !is_so() {
            assert!(std::time::Instant::now() < deadline, "what was abandoned is still there");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// What every store keeps to.
    async fn check(store: &FileStore) {
        for content in [Vec::new(), b"whole".to_vec(), large()] {
            let name = name(&format!("{}-1.csv", content.len()));
            let mut unfinished = store.begin(&name);
            for piece in content.chunks(777_777) {
                unfinished.write(piece).await.unwrap();
                assert_eq!(read(store, &name).await, None, "it has its name only once it is finished");
            }
            unfinished.finish().await.unwrap();
            assert!(read(store, &name).await.as_ref() == Some(&content), "what is read is what was written");

            let mut abandoned = store.begin(&name);
            abandoned.write(b"half").await.unwrap();
            abandoned.write(&large()).await.unwrap();
            drop(abandoned);
            assert!(
                read(store, &name).await.as_ref() == Some(&content),
                "what is abandoned replaces nothing"
            );

            store.put(&name, Bytes::from_static(b"another")).await.unwrap();
            assert_eq!(read(store, &name).await.as_deref(), Some(&b"another"[..]));
            assert_eq!(store.read_whole(&name, 100).await.unwrap(), b"another");

            let now = OffsetDateTime::now_utc();
            let older = async |time| -> Vec<FileName> { store.older_than(time).try_collect().await.unwrap() };
            assert_eq!(older(now - Duration::from_secs(5)).await, []);
            assert_eq!(older(now + Duration::from_secs(5)).await.as_slice(), std::slice::from_ref(&name));

            store.remove(&name).await.unwrap();
            assert_eq!(read(store, &name).await, None);
            store.remove(&name).await.unwrap();
        }
    }

    #[tokio::test]
    async fn files_of_a_directory_are_whole_or_not_there() {
        let (store, folder) = directory().await;
        check(&store).await;
        // What was abandoned goes soon after.
        soon(|| folder.names().is_empty()).await;
    }

    #[tokio::test]
    async fn files_of_a_bucket_are_whole_or_not_there() {
        let (store, bucket) = bucket().await;
        check(&store).await;
        assert!(bucket.contents().objects.is_empty());
        // It is told of what was abandoned, soon after.
        soon(|| bucket.contents().uploads.is_empty()).await;
    }

    #[tokio::test]
    async fn in_a_bucket_files_lie_below_the_prefix() {
        let (store, bucket) = bucket().await;
        store.put(&name("1-1.csv"), Bytes::from_static(b"a")).await.unwrap();
        store.media().put(&name("2.png"), Bytes::from_static(b"b")).await.unwrap();
        let keys: Vec<_> = bucket.contents().objects.keys().cloned().collect();
        assert_eq!(keys, ["a/b/1-1.csv", "a/b/media/2.png"]);
    }

    #[tokio::test]
    async fn two_that_write_the_same_file_do_not_spoil_each_others() {
        let (store, folder) = directory().await;
        let name = name("a.csv");
        let (mut first, mut second) = (store.begin(&name), store.begin(&name));
        first.write(&large()).await.unwrap();
        second.write(&vec![b'x'; 2 * PART_BYTES]).await.unwrap();
        first.finish().await.unwrap();
        assert!(read(&store, &name).await == Some(large()));
        second.finish().await.unwrap();
        assert!(read(&store, &name).await == Some(vec![b'x'; 2 * PART_BYTES]));
        assert_eq!(folder.names(), ["a.csv"]);
    }

    #[tokio::test]
    async fn media_lie_apart_from_what_gets_old() {
        let (directory, _folder) = directory().await;
        let (bucket, _stub) = bucket().await;
        for store in [directory, bucket] {
            let (name, later) = (name("a.png"), OffsetDateTime::now_utc() + Duration::from_secs(60));
            assert_eq!(store.media().remove_abandoned(later).await.unwrap(), 0);
            store.media().put(&name, Bytes::from_static(b"a")).await.unwrap();
            assert_eq!(read(&store, &name).await, None);
            let old: Vec<_> = store.older_than(later).try_collect().await.unwrap();
            assert_eq!(old, []);
            store.media().remove(&name).await.unwrap();
            check(&store.media()).await;
        }
    }

    #[tokio::test]
    async fn what_a_killed_process_left_is_removed_once_it_is_old() {
        let (store, folder) = directory().await;
        for left in ["1-1.csv#1", "1-1.csv#23"] {
            std::fs::write(folder.0.join(left), "half").unwrap();
        }
        for other in ["1-2.csv", "notes#1a", ".a b#1", "#1"] {
            std::fs::write(folder.0.join(other), "kept").unwrap();
        }
        let now = OffsetDateTime::now_utc();
        assert_eq!(store.remove_abandoned(now - Duration::from_secs(60)).await.unwrap(), 0);
        assert_eq!(store.remove_abandoned(now + Duration::from_secs(60)).await.unwrap(), 2);
        assert_eq!(folder.names(), ["#1", ".a b#1", "1-2.csv", "notes#1a"]);
        assert_eq!(read(&store, &name("1-2.csv")).await.as_deref(), Some(&b"kept"[..]));
    }

    #[tokio::test]
    async fn a_directory_that_can_not_be_made_is_named() {
        let (_, folder) = directory().await;
        std::fs::write(folder.0.join("file"), "").unwrap();
        let below = folder.0.join("file/below");
        let error = FileStore::open(&Location::Directory(below.clone())).await.unwrap_err();
        assert!(matches!(error, FileError::Directory { path, .. } if path == below));
    }
}
