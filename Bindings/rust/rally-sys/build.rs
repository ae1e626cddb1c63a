//! Finds `librally.so.0`, or `librally.a` with the feature `static`: in `RALLY_LIBRARY_DIR`; beneath `RALLY_DIR`, a prefix that it was installed into; by pkg-config; or
//! where `make build` leaves it in the checkout that this crate lies in. Tells those who depend on it where that is
//! (`DEP_RALLY_LIB_DIR`), for the run path of their programs.

use std::path::{Path, PathBuf};
use std::process::{exit, Command};
use std::{env, fs};

fn main() {
    for name in ["RALLY_LIBRARY_DIR", "RALLY_DIR", "PKG_CONFIG_PATH"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("DOCS_RS").is_some() {
        return;
    }
    let is_static = env::var_os("CARGO_FEATURE_STATIC").is_some();
    let name = if is_static { "librally.a" } else { "librally.so.0" };
    let library = find(name).unwrap_or_else(|places| {
        eprintln!(
            "{name}: expected in one of {places:?}, found in none; run `make install` of Rally, or set RALLY_DIR to the prefix that \
             it was installed into"
        );
        exit(1)
    });
    println!("cargo:rerun-if-changed={}", library.display());
    let folder = library.parent().expect("a file has a folder");
    println!("cargo:lib_dir={}", folder.display());
    if is_static {
        println!("cargo:rustc-link-search=native={}", folder.display());
        println!("cargo:rustc-link-lib=static:-bundle=rally");
        for name in ["stdc++", "m", "dl", "pthread"] {
            println!("cargo:rustc-link-lib=dylib={name}");
        }
        return;
    }

    // A link in OUT_DIR, because `cargo run` and `cargo test` search only beneath the target folder.
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    link(&library, &out.join(name));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=dylib:+verbatim={name}");
}

/// The library without links in its path, or the folders that it was looked for in. What is named by a variable is the only place.
fn find(name: &str) -> Result<PathBuf, Vec<PathBuf>> {
    let folders = if let Some(folder) = env::var_os("RALLY_LIBRARY_DIR") {
        vec![PathBuf::from(folder)]
    } else if let Some(prefix) = env::var_os("RALLY_DIR") {
        let triple = format!(
            "lib/{}-linux-gnu",
            env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default()
        );
        ["lib", "lib64", &triple]
            .iter()
            .map(|lib| Path::new(&prefix).join(lib))
            .collect()
    } else {
        // The checkout first: its crates go with its library.
        let mut folders = Vec::new();
        let crate_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
        if crate_dir.ends_with("Bindings/rust/rally-sys") {
            folders.push(crate_dir.join("../../../.build/release"));
        }
        folders.extend(pkg_config());
        folders
    };
    let found = folders.iter().find_map(|folder| folder.join(name).canonicalize().ok());
    // The name that programs ask for, alongside the file that it leads to.
    found
        .map(|file| file.with_file_name(name))
        .filter(|file| file.exists())
        .ok_or(folders)
}

fn pkg_config() -> Option<PathBuf> {
    let program = env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    let output = Command::new(program)
        .args(["--variable=libdir", "rally"])
        .output()
        .ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !folder.trim().is_empty()).then(|| PathBuf::from(folder.trim()))
}

fn link(from: &Path, to: &Path) {
    let _ = fs::remove_file(to);
    std::os::unix::fs::symlink(from, to).expect("OUT_DIR can be written");
}
