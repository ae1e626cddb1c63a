use crate::error::{check, Result};
use rally_sys as sys;
use std::ptr;
use std::sync::Arc;

/// Threads that models, runners and engines share: their passes take turns. A copy is the same pool; the threads end with the
/// last runner, engine and copy that has them.
#[derive(Clone, Debug)]
pub struct Pool {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle(*mut sys::rally_pool);

// SAFETY: the header says "any thread" for pools.
unsafe impl Send for Handle {}
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        unsafe { sys::rally_pool_close(self.0) }
    }
}

impl Pool {
    /// Starts `threads - 1` threads; the one that calls works as well. 0: as many as this process may use; at most 256.
    pub fn new(threads: u32) -> Result<Self> {
        let mut handle = ptr::null_mut();
        check(|error| unsafe { sys::rally_pool_open(threads, &mut handle, error) })?;
        Ok(Pool {
            handle: Arc::new(Handle(handle)),
        })
    }

    pub(crate) fn raw(pool: Option<&Pool>) -> *const sys::rally_pool {
        pool.map_or(ptr::null(), |pool| pool.handle.0)
    }
}
