//! The run path of this crate's own tests and examples, and the folder of the library for programs that depend on it: theirs is
//! one line of their build.rs, `println!("cargo:rustc-link-arg=-Wl,-rpath,{}", std::env::var("DEP_RALLY_API_LIB_DIR").unwrap());`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Ok(folder) = std::env::var("DEP_RALLY_LIB_DIR") {
        println!("cargo:lib_dir={folder}");
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
