use crate::error::{check, initialised, Result};
use crate::event::{hear, Event, Flow, Listener};
use crate::rule::Rules;
use crate::{Code, Dtype, Model, Pool, Request};
use rally_sys as sys;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::CStr;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

/// Continues any number of sequences together, which come and go at every step.
///
/// ```no_run
/// let model = rally::Model::open("rally-tiny.onnx")?;
/// let mut engine = rally::Engine::new(&model)?;
/// for beginning in ["The sea", "Once upon a time"] {
///     engine.submit(&rally::Request { tokens: model.encode(beginning)?, max_tokens: 40, ..Default::default() })?;
/// }
/// for event in engine.events() {
///     let event = event?;
///     println!("{}: {:?} at depth {}", event.request, event.token, event.depth);
/// }
/// # Ok::<(), rally::Error>(())
/// ```
///
/// What a sequence generates is bit for bit the same whatever runs alongside it.
#[derive(Debug)]
pub struct Engine {
    handle: EngineHandle,
    /// What a step brought and was not taken yet.
    heard: VecDeque<Event>,
}

// SAFETY: "one caller" at a time, on any thread, for the methods that take `&mut self`; "any thread" for the others.
unsafe impl Send for Engine {}
unsafe impl Sync for Engine {}

impl Drop for Engine {
    fn drop(&mut self) {
        unsafe { sys::rally_engine_close(self.handle.raw) }
    }
}

/// How an engine puts tokens together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Batching {
    /// Tokens of all recursions run together.
    #[default]
    Depth,
    /// All sequences finish their token before the next ones start; for comparison.
    Sequence,
}

/// How an engine is opened.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// 0: as many as this process may use; at most 256.
    pub threads: u32,
    /// Tokens on their way together, prompts and generated ones; 0: the library's own number.
    pub max_step_tokens: u32,
    /// Sequences continued at the same time, others queue; 0: the library's own number.
    pub max_sequences: u32,
    /// Memory for keys and values; 0: what all sequences can fill, within a limit of the library.
    pub cache_bytes: u64,
    /// How tokens are put together.
    pub batching: Batching,
    /// Whether sequences with the same beginning share its keys and values; `None`: yes.
    pub share_prefixes: Option<bool>,
    /// Requests that may wait besides `max_sequences`; 0: any number.
    pub max_queue: u32,
    /// What keys and values are kept as; `None`: f32.
    pub cache_dtype: Option<Dtype>,
    /// Whose threads compute, with `threads` 0; `None`: threads of its own.
    pub pool: Option<Pool>,
    /// What it may take besides the model: workspaces, and a cache that takes no more than is left where `cache_bytes` is 0.
    /// 0: no limit of its own.
    pub max_memory_bytes: u64,
}

impl EngineOptions {
    fn raw(&self) -> sys::rally_engine_options {
        let mut raw = initialised(sys::rally_engine_options_init);
        raw.threads = self.threads;
        raw.max_step_tokens = self.max_step_tokens;
        raw.max_sequences = self.max_sequences;
        raw.cache_bytes = self.cache_bytes;
        raw.batching = match self.batching {
            Batching::Depth => sys::RALLY_BATCH_DEPTH,
            Batching::Sequence => sys::RALLY_BATCH_SEQUENCE,
        };
        raw.cache_dtype = self.cache_dtype.map_or(sys::RALLY_DTYPE_AUTO, Dtype::raw);
        raw.share_prefixes = self.share_prefixes.map_or(sys::RALLY_DEFAULT, i32::from);
        raw.max_queue = self.max_queue;
        raw.pool = Pool::raw(self.pool.as_ref());
        raw.max_memory_bytes = self.max_memory_bytes;
        raw
    }
}

/// Submits to an engine, cancels, waits and counts, from any thread, also while it steps; of no effect once the engine is gone.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    raw: *mut sys::rally_engine,
    rules: Arc<Rules>,
}

// SAFETY: what it calls is for any thread, and a handle that was closed is recognised.
unsafe impl Send for EngineHandle {}
unsafe impl Sync for EngineHandle {}

impl EngineHandle {
    /// Puts a request into the queue and returns its number in events: 0, 1, 2, …
    pub fn submit(&self, request: &Request) -> Result<usize> {
        let lent = request.lend()?;
        self.rules.during_submission(request, request.raw(&lent), |raw| {
            let mut id = 0;
            check(|error| unsafe { sys::rally_engine_submit(self.raw, raw, &mut id, error) })?;
            Ok(id)
        })
    }

    /// Waits until there is an unfinished request: at once where there is one, otherwise a submission ends the wait. Whether
    /// there is one; `false` when `timeout` went by, `None`: for ever. [`Code::Closed`] when the engine is dropped meanwhile.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        let seconds = timeout.map_or(f64::INFINITY, |timeout| timeout.as_secs_f64());
        match check(|error| unsafe { sys::rally_engine_wait(self.raw, seconds, error) }) {
            Ok(()) => Ok(true),
            Err(error) if error.code() == Code::DeadlineExceeded => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the engine did and holds, by names such as `passes_total`; those ending in `_total` only grow.
    pub fn counters(&self) -> Result<BTreeMap<String, f64>> {
        let count = unsafe { sys::rally_engine_counter_count(self.raw) };
        let mut values = vec![0.0; count];
        check(|error| unsafe { sys::rally_engine_counters(self.raw, values.as_mut_ptr(), count, error) })?;
        let name = |index| {
            // SAFETY: below the count it is a terminated string that lives as long as the engine.
            let name = unsafe { CStr::from_ptr(sys::rally_engine_counter_name(self.raw, index)) };
            name.to_string_lossy().into_owned()
        };
        Ok((0..count).map(|index| (name(index), values[index])).collect())
    }

    /// Ends a request at the next step, which says so in an event. Unknown or finished: nothing.
    pub fn cancel(&self, id: usize) {
        unsafe { sys::rally_engine_cancel(self.raw, id) }
    }

    /// Ends all requests at the next step.
    pub fn cancel_all(&self) {
        unsafe { sys::rally_engine_cancel_all(self.raw) }
    }
}

impl Engine {
    /// Starts an engine with the default options.
    pub fn new(model: &Model) -> Result<Self> {
        Engine::with(model, &EngineOptions::default())
    }

    /// Starts the worker threads and takes the memory.
    pub fn with(model: &Model, options: &EngineOptions) -> Result<Self> {
        let mut raw = ptr::null_mut();
        check(|error| unsafe { sys::rally_engine_open(model.handle(), &options.raw(), &mut raw, error) })?;
        let rules = Arc::new(Rules::default());
        Ok(Engine {
            handle: EngineHandle { raw, rules },
            heard: VecDeque::new(),
        })
    }

    /// The bytes that such an engine takes besides the model.
    pub fn memory(model: &Model, options: &EngineOptions) -> Result<u64> {
        let mut bytes = 0;
        check(|error| unsafe { sys::rally_engine_memory(model.handle(), &options.raw(), &mut bytes, error) })?;
        Ok(bytes)
    }

    /// To submit and cancel from other threads and from within events.
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }

    /// As [`EngineHandle::submit`].
    pub fn submit(&self, request: &Request) -> Result<usize> {
        self.handle.submit(request)
    }

    /// As [`EngineHandle::cancel`].
    pub fn cancel(&self, id: usize) {
        self.handle.cancel(id);
    }

    /// As [`EngineHandle::cancel_all`].
    pub fn cancel_all(&self) {
        self.handle.cancel_all();
    }

    /// As [`EngineHandle::wait`].
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        self.handle.wait(timeout)
    }

    /// As [`EngineHandle::counters`].
    pub fn counters(&self) -> Result<BTreeMap<String, f64>> {
        self.handle.counters()
    }

    /// One step; whether any request is unfinished.
    ///
    /// `on_event` is called with each generated token and the end of each request, on this thread. If it panics, all requests
    /// end and the panic goes on from here.
    pub fn step(&mut self, mut on_event: impl FnMut(Event) -> Flow) -> Result<bool> {
        self.tell_heard(&mut on_event);
        let (mut busy, rules) = (0, Arc::clone(&self.handle.rules));
        let mut listener = Listener::new(&mut on_event, &rules);
        let user = listener.user();
        let outcome =
            check(|error| unsafe { sys::rally_engine_step(self.handle.raw, Some(hear), user, &mut busy, error) });
        listener.finish();
        outcome?;
        Ok(busy != 0)
    }

    /// Steps until no request is left. `on_event` as in [`Engine::step`].
    pub fn run(&mut self, mut on_event: impl FnMut(Event) -> Flow) -> Result<()> {
        self.tell_heard(&mut on_event);
        let rules = Arc::clone(&self.handle.rules);
        let mut listener = Listener::new(&mut on_event, &rules);
        let user = listener.user();
        let outcome = check(|error| unsafe { sys::rally_engine_run(self.handle.raw, Some(hear), user, error) });
        listener.finish();
        outcome
    }

    /// Steps as often as it takes to give the next event, until no request is left.
    pub fn events(&mut self) -> Events<'_> {
        Events { engine: self }
    }

    /// First what [`Engine::events`] left over.
    fn tell_heard(&mut self, on_event: &mut impl FnMut(Event) -> Flow) {
        while let Some(event) = self.heard.pop_front() {
            let request = event.request;
            match on_event(event) {
                Flow::Continue => {}
                Flow::EndSequence => self.cancel(request),
                Flow::EndAll => self.cancel_all(),
            }
        }
    }

    /// What an unfinished request has computed, to go on with [`Engine::restore`], here or elsewhere. It goes on here too.
    pub fn save(&mut self, id: usize) -> Result<Vec<u8>> {
        let mut size = 0;
        check(|error| unsafe { sys::rally_engine_save(self.handle.raw, id, ptr::null_mut(), 0, &mut size, error) })?;
        let mut state = vec![0u8; size];
        let data = state.as_mut_ptr().cast();
        check(|error| unsafe { sys::rally_engine_save(self.handle.raw, id, data, state.len(), &mut size, error) })?;
        Ok(state)
    }

    /// Continues a saved request as if it had never been interrupted, and returns its number.
    ///
    /// `request` says how to go on; its tokens must be empty, and `max_tokens` counts what was generated before.
    pub fn restore(&mut self, state: &[u8], request: &Request) -> Result<usize> {
        let (lent, handle) = (request.lend()?, self.handle.raw);
        self.handle.rules.during_submission(request, request.raw(&lent), |raw| {
            let (mut id, data) = (0, state.as_ptr().cast());
            check(|error| unsafe { sys::rally_engine_restore(handle, data, state.len(), raw, &mut id, error) })?;
            Ok(id)
        })
    }
}

/// The events of an engine, from [`Engine::events`]. Others may submit and cancel meanwhile; after an error it may go on.
#[derive(Debug)]
pub struct Events<'a> {
    engine: &'a mut Engine,
}

impl Iterator for Events<'_> {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.engine.heard.pop_front() {
                return Some(Ok(event));
            }
            let mut heard = VecDeque::new();
            let busy = self.engine.step(|event| {
                heard.push_back(event);
                Flow::Continue
            });
            self.engine.heard = heard;
            match busy {
                Ok(false) if self.engine.heard.is_empty() => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
