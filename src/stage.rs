//! `tidewall stage`: what a server needs to run one of the article's four stages.
//!
//! A folder grows from stage to stage: what depends on the stage alone is written anew, and what its owner
//! has set, in `tidewall.env`, stays.

mod files;
mod layout;

use std::fs;
use std::path::Path;

use files::{ENVIRONMENT, File};
pub(crate) use layout::Layout;

use crate::cli::StageArgs;
use crate::data;
use crate::failure::{Failure, IoContext as _};
use crate::private;
use crate::progress::Progress;

/// Writes them, and says what to do next.
///
/// # Errors
/// The folder holds something else, or the disk refuses.
pub(crate) fn run(args: &StageArgs, progress: &Progress) -> Result<(), Failure> {
    let folder = &args.output;
    let environment = folder.join(ENVIRONMENT);
    let before = match fs::read_to_string(&environment) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            refuse_foreign(folder)?;
            String::new()
        }
        Err(error) => return Err(error).or_fail("read", &environment),
    };
    fs::create_dir_all(folder).or_fail("create", folder)?;
    let layout = Layout::of(args.stage);
    let grown = files::environment(layout, &before, data::random_hex)?;
    let place = folder.canonicalize().or_fail("find", folder)?;
    let files = files::of(args.stage, layout, &place.display().to_string(), &grown);
    // Of an earlier stage that had more: whoever goes back needs fewer.
    for name in files::ALL.iter().filter(|name| files.iter().all(|file| file.name != **name)) {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).or_fail("remove", &folder.join(name));
            }
            _ => {}
        }
    }
    for File { name, content } in &files {
        let path = folder.join(name);
        fs::write(&path, content).or_fail("write", &path)?;
    }
    private::write(&environment, grown)?;

    let stage = layout::stage(args.stage);
    progress.result(&format!("stage {}: {}", stage.number, stage.what));
    let mut rows: Vec<_> =
        vec![(folder.join(ENVIRONMENT).display().to_string(), "yours to fill in".to_owned())];
    rows.extend(files.iter().map(|file| (folder.join(file.name).display().to_string(), String::new())));
    progress.table(&rows);
    progress.result(&format!(
        "{} says what to do with them; `cargo run -- dev --stage {}` runs the same on this machine",
        folder.join(files::README).display(),
        stage.number
    ));
    Ok(())
}

/// Refuses a folder with things in it that no stage was written to.
fn refuse_foreign(folder: &Path) -> Result<(), Failure> {
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).or_fail("read", folder),
    };
    if is_empty {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} is not empty and has no {ENVIRONMENT} of tidewall; pass --output with a new or empty folder",
        folder.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, stage: u8) -> Result<(), Failure> {
        run(&StageArgs { stage, output: folder.to_owned() }, &Progress::start())
    }

    #[test]
    fn a_folder_grows_and_what_its_owner_set_stays() {
        let folder = std::env::temp_dir().join(format!("tidewall-stage-{}", std::process::id()));
        let _left = fs::remove_dir_all(&folder);
        write(&folder, 1).unwrap();
        let environment = folder.join(ENVIRONMENT);
        let first = fs::read_to_string(&environment).unwrap();
        let own = first.replace("DATABASE_URL=", "DATABASE_URL=postgres://mine@db/shop # ");
        fs::write(&environment, &own).unwrap();
        assert!(!folder.join("tidewall-edge.service").exists());
        for stage in 2..=4 {
            write(&folder, stage).unwrap();
            let now = fs::read_to_string(&environment).unwrap();
            assert!(now.starts_with(own.trim_end()), "{now}");
        }
        let grown = fs::read_to_string(&environment).unwrap();
        write(&folder, 4).unwrap();
        let again = fs::read_to_string(&environment).unwrap();
        let worker = folder.join("tidewall-worker.service");
        let had_worker = worker.exists();
        write(&folder, 2).unwrap();
        let has_worker = worker.exists();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(grown, again, "a second time changes nothing");
        assert_eq!((had_worker, has_worker), (true, false), "and back");
        assert!(["REPLICA_URLS", "PURGE_TOKEN", "TIDEWALL_SECRET"].iter().all(|name| grown.contains(name)));
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("tidewall-stage-foreign-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("thesis.tex"), "").unwrap();
        let refused = write(&folder, 1).unwrap_err().to_string();
        let there = fs::read_dir(&folder).unwrap().count();
        fs::remove_dir_all(&folder).unwrap();
        assert!(refused.contains("is not empty") && refused.contains("--output"), "{refused}");
        assert_eq!(there, 1);
    }
}
