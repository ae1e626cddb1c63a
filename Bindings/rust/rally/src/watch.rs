use rally_sys as sys;
use std::any::Any;
use std::cell::Cell;
use std::ffi::{c_char, c_void, CStr};
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::Arc;

type Watch = dyn Fn(u64, u64) -> ControlFlow<()> + Send + Sync;
type Note = dyn Fn(LogLevel, &str) + Send + Sync;

/// Hears how far a long call has come, on the thread that made it, and may end it.
#[derive(Clone)]
pub struct Progress(Arc<Watch>);

impl Progress {
    /// `watch` is given the work that is done and all of it: bytes while a model opens, tokens while rows run.
    pub fn new(watch: impl Fn(u64, u64) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Progress(Arc::new(watch))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// How important a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For whoever works on the library.
    Debug,
    /// What happened.
    Info,
    /// What may surprise.
    Warning,
}

/// Hears what the library has to say, a line at a time.
#[derive(Clone)]
pub struct Log(Arc<Note>);

impl Log {
    /// `log` is given every line, without a newline.
    pub fn new(log: impl Fn(LogLevel, &str) + Send + Sync + 'static) -> Self {
        Log(Arc::new(log))
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

/// Carries the closures through C, and a panic of theirs back; stays where it is while C knows of it.
#[derive(Default)]
pub(crate) struct Watcher {
    pub(crate) progress: Option<Progress>,
    pub(crate) log: Option<Log>,
    panic: Cell<Option<Box<dyn Any + Send>>>,
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watcher")
    }
}

impl Watcher {
    pub(crate) fn new(progress: Option<Progress>, log: Option<Log>) -> Self {
        Watcher {
            progress,
            log,
            panic: Cell::new(None),
        }
    }

    pub(crate) fn user(&self) -> *mut c_void {
        (self as *const Self).cast_mut().cast()
    }

    pub(crate) fn progress_callback(&self) -> sys::rally_progress_callback {
        self.progress.as_ref().map(|_| watch as _)
    }

    pub(crate) fn log_callback(&self) -> sys::rally_log_callback {
        self.log.as_ref().map(|_| note as _)
    }

    /// Goes on with the panic of a closure.
    pub(crate) fn finish(&self) {
        if let Some(panic) = self.panic.take() {
            resume_unwind(panic);
        }
    }

    fn guard<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        catch_unwind(AssertUnwindSafe(call))
            .map_err(|panic| self.panic.set(Some(panic)))
            .ok()
    }
}

unsafe extern "C" fn watch(user: *mut c_void, done: u64, total: u64) -> i32 {
    // SAFETY: `user` is the watcher of the call in progress.
    let watcher = unsafe { &*user.cast::<Watcher>() };
    let Some(Progress(progress)) = &watcher.progress else {
        return 0;
    };
    let goes_on = watcher
        .guard(|| progress(done, total))
        .is_some_and(|flow| flow.is_continue());
    i32::from(!goes_on)
}

unsafe extern "C" fn note(user: *mut c_void, level: sys::rally_log_level, message: *const c_char) {
    // SAFETY: `user` is the watcher of the call in progress, and the message a terminated string during the callback.
    let (watcher, message) = unsafe { (&*user.cast::<Watcher>(), CStr::from_ptr(message)) };
    let Some(Log(log)) = &watcher.log else { return };
    let level = match level {
        sys::RALLY_LOG_DEBUG => LogLevel::Debug,
        sys::RALLY_LOG_INFO => LogLevel::Info,
        _ => LogLevel::Warning,
    };
    watcher.guard(|| log(level, &message.to_string_lossy()));
}
