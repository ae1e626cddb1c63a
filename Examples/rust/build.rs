//! The programs find the library where it was found when they were built.

fn main() {
    if let Ok(folder) = std::env::var("DEP_RALLY_API_LIB_DIR") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
