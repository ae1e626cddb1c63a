//! The structs as declared here against the structs as the library was compiled.

use rally_sys::*;
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::mem::{size_of, MaybeUninit};

/// `struct SIZE` and `struct.field OFFSET SIZE`, in the words of `rally_abi_layout`.
macro_rules! layout {
    ($($name:ident { $($field:ident),* $(,)? })*) => {{
        let mut lines = BTreeMap::new();
        $(
            lines.insert(stringify!($name).to_string(), vec![size_of::<$name>()]);
            let value = MaybeUninit::<$name>::uninit();
            let base = value.as_ptr();
            $(
                // SAFETY: only addresses are taken; nothing is read.
                let field = unsafe { std::ptr::addr_of!((*base).$field) };
                let offset = field as usize - base as usize;
                lines.insert(concat!(stringify!($name), ".", stringify!($field)).to_string(), vec![offset, size_of_pointee(field)]);
            )*
        )*
        lines
    }};
}

fn size_of_pointee<T>(_: *const T) -> usize {
    size_of::<T>()
}

#[test]
fn declarations_match_the_library() {
    let declared = include!("layout/declared.rs");
    // SAFETY: a terminated string in static storage.
    let text = unsafe { CStr::from_ptr(rally_abi_layout()) }.to_str().expect("ASCII");
    let compiled: BTreeMap<String, Vec<usize>> = text
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let name = words.next().unwrap_or_default().to_string();
            (name, words.map(|number| number.parse().expect("a number")).collect())
        })
        .collect();
    assert_eq!(declared, compiled);
}
