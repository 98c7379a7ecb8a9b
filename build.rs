//! The build step of the root package and of `app`: hashes `public/` into
//! versioned names (`OUT_DIR/assets.rs`, read by `include!`).

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let package = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = if package.join("public").is_dir() {
        package.as_path()
    } else {
        package.parent().unwrap_or(&package)
    };
    let public = root.join("public");
    // Cargo looks below a folder for changes by itself.
    println!("cargo::rerun-if-changed={}", public.display());
    let built = tidewall_assets::build(tidewall_assets::read_directory(&public)?)
        // An editor opens the place.
        .map_err(|error| format!("{}/{error}", public.display()))?;
    let source = tidewall_assets::rust_source(built.assets.values());
    fs::write(Path::new(&env::var("OUT_DIR")?).join("assets.rs"), source)?;
    Ok(())
}
