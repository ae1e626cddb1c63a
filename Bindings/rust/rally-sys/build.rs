//! Finds `librally.so.0`: in `RALLY_LIBRARY_DIR`, or where `make build` leaves it.

use std::path::{Path, PathBuf};
use std::{env, fs};

const LIBRARY: &str = "librally.so.0";

fn main() {
    println!("cargo:rerun-if-env-changed=RALLY_LIBRARY_DIR");
    let crate_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let dir = match env::var_os("RALLY_LIBRARY_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => crate_dir.join("../../../.build/release"),
    };
    let library = dir.join(LIBRARY);
    println!("cargo:rerun-if-changed={}", library.display());
    assert!(
        library.exists(),
        "{} is not there: run `make build`, or set RALLY_LIBRARY_DIR to the folder of {LIBRARY}",
        library.display()
    );

    // A link in OUT_DIR, because `cargo run` and `cargo test` search only beneath the target folder.
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    link(&library.canonicalize().expect("it exists"), &out.join(LIBRARY));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=dylib:+verbatim={LIBRARY}");
}

fn link(from: &Path, to: &Path) {
    let _ = fs::remove_file(to);
    std::os::unix::fs::symlink(from, to).expect("OUT_DIR can be written");
}
