use crate::error::{check, initialised, Code, Error, Result};
use crate::request::KvPolicy;
use crate::watch::{Progress, Watcher};
use crate::{Dtype, Model, Pool, Rows};
use rally_sys as sys;
use std::ptr;
use std::time::Duration;

/// Computes with a model: worker threads and workspaces. One call at a time; open one per thread that needs one.
#[derive(Debug)]
pub struct Runner {
    handle: *mut sys::rally_runner,
    vocab_size: usize,
    hidden_size: usize,
    pub(crate) label_count: usize,
    pub(crate) has_score: bool,
    pub(crate) context: usize,
    /// C keeps its address.
    watcher: Box<Watcher>,
}

// SAFETY: "one caller" at a time, on any thread; the methods that compute take `&mut self`.
unsafe impl Send for Runner {}

impl Drop for Runner {
    fn drop(&mut self) {
        unsafe { sys::rally_runner_close(self.handle) }
    }
}

/// How a runner is opened.
#[derive(Clone, Debug, Default)]
pub struct RunnerOptions {
    /// 0: as many as this process may use; at most 256.
    pub threads: u32,
    /// Tokens that are computed together; 0: the library's own number.
    pub max_batch_tokens: u32,
    /// Hears how many tokens have been run or rated.
    pub progress: Option<Progress>,
    /// What a language model's keys and values are kept as; `None`: f32, which raters have alone.
    pub cache_dtype: Option<Dtype>,
    /// Whose threads compute, with `threads` 0; `None`: threads of its own.
    pub pool: Option<Pool>,
    /// What its workspaces and caches may take; 0: no limit of its own.
    pub max_memory_bytes: u64,
}

/// How an expert-choice model selects the tokens that go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// By the router's own threshold: causal, what generation does.
    #[default]
    Threshold,
    /// The capacity's best of the whole row: what training did.
    TopK,
}

/// How rows are run.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions<'a> {
    /// Which tokens go on.
    pub selection: Selection,
    /// Recursions a token may run; 0: the model's own number.
    pub max_depth: u32,
    /// Give up after this long.
    pub timeout: Option<Duration>,
    /// Mean depth that the model is steered to; 0: none.
    pub target_depth: f64,
    /// Of a looped model's exits, at least 0; `None`: the model's own.
    pub exit_threshold: Option<f64>,
    /// Tokens of each row before this one run at full depth.
    pub exit_from: usize,
    /// The same with a number for each row; `None`: `exit_from` of all.
    pub exit_from_each: Option<&'a [usize]>,
    /// Recursions a token of a looped model runs at least; 0: 1.
    pub min_depth: u32,
    /// What later tokens see of the recursions that a token did not run.
    pub kv_policy: KvPolicy,
}

/// How rows are rated.
#[derive(Clone, Copy, Debug, Default)]
pub struct RateOptions {
    /// `true`: squashed as the model file says; `false`: the raw score, which ranks without ties.
    pub squash: bool,
    /// Give up after this long.
    pub timeout: Option<Duration>,
}

/// What [`Runner::run`] shall compute.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Logits of the wanted positions.
    pub logits: bool,
    /// Hidden states of the wanted positions, after the final norm.
    pub hidden: bool,
    /// Log-probabilities of each row's next tokens.
    pub logprobs: bool,
    /// Recursions each token ran.
    pub depths: bool,
    /// Tokens whose logits and hidden states are wanted; `None`: all.
    pub positions: Option<Vec<usize>>,
    /// Of every token the one whose log-probability is wanted after it, -1: none; `None`: the next one of its row.
    pub targets: Option<Vec<i32>>,
}

/// N tokens, P wanted positions, V vocabulary, D width; empty where not wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs {
    /// [P, V]
    pub logits: Vec<f32>,
    /// [P, D]
    pub hidden: Vec<f32>,
    /// `[N - rows]`: T - 1 per row, natural logarithm; of targets `[N]`, a NaN where there is none.
    pub logprobs: Vec<f32>,
    /// `[N]`
    pub depths: Vec<i32>,
}

/// Cancels the call in progress on a runner, from any thread.
#[derive(Clone, Copy, Debug)]
pub struct Canceller {
    handle: *mut sys::rally_runner,
}

// SAFETY: cancelling is for any thread, and a handle that was closed is recognised.
unsafe impl Send for Canceller {}
unsafe impl Sync for Canceller {}

impl Canceller {
    /// The call in progress returns soon. No effect when there is none.
    pub fn cancel(&self) {
        unsafe { sys::rally_runner_cancel(self.handle) }
    }
}

impl Runner {
    /// Starts a runner with the default options.
    pub fn new(model: &Model) -> Result<Self> {
        Runner::with(model, RunnerOptions::default())
    }

    /// Starts a runner.
    pub fn with(model: &Model, options: RunnerOptions) -> Result<Self> {
        let info = model.info()?;
        let mut raw = initialised(sys::rally_runner_options_init);
        raw.threads = options.threads;
        raw.max_batch_tokens = options.max_batch_tokens;
        raw.cache_dtype = options.cache_dtype.map_or(sys::RALLY_DTYPE_AUTO, Dtype::raw);
        raw.pool = Pool::raw(options.pool.as_ref());
        raw.max_memory_bytes = options.max_memory_bytes;
        let watcher = Box::new(Watcher::new(options.progress, None));
        raw.progress = watcher.progress_callback();
        raw.progress_user = watcher.user();
        let mut handle = ptr::null_mut();
        check(|error| unsafe { sys::rally_runner_open(model.handle(), &raw, &mut handle, error) })?;
        Ok(Runner {
            handle,
            vocab_size: info.vocab_size,
            hidden_size: info.hidden_size,
            label_count: info.num_labels,
            // A language model is asked for a score, too, to say that it is none.
            has_score: info.has_score || info.num_labels <= 1,
            context: info.max_position_embeddings,
            watcher,
        })
    }

    /// Runs a language model over rows.
    pub fn run(&mut self, rows: &Rows, wanted: &Wanted, options: RunOptions) -> Result<Outputs> {
        let token_count = rows.tokens().len();
        let position_count = wanted.positions.as_ref().map_or(token_count, Vec::len);
        let mut result = Outputs::default();
        let mut raw = initialised(sys::rally_outputs_init);
        if let Some(positions) = &wanted.positions {
            raw.positions = positions.as_ptr();
            raw.position_count = positions.len();
        }
        if wanted.logits {
            raw.logits = room(&mut result.logits, position_count.saturating_mul(self.vocab_size));
        }
        if wanted.hidden {
            raw.hidden = room(&mut result.hidden, position_count.saturating_mul(self.hidden_size));
        }
        if let Some(targets) = &wanted.targets {
            expect_one_each("targets", targets.len(), "tokens", token_count)?;
            raw.targets = targets.as_ptr();
        }
        if wanted.logprobs {
            let without_next = if wanted.targets.is_some() { 0 } else { rows.len() };
            raw.logprobs = room(&mut result.logprobs, token_count.saturating_sub(without_next));
        }
        if wanted.depths {
            raw.depths = room(&mut result.depths, token_count);
        }

        let mut raw_options = initialised(sys::rally_run_options_init);
        raw_options.selection = match options.selection {
            Selection::Threshold => sys::RALLY_SELECT_THRESHOLD,
            Selection::TopK => sys::RALLY_SELECT_TOPK,
        };
        raw_options.max_depth = options.max_depth;
        raw_options.timeout_seconds = seconds(options.timeout);
        raw_options.target_depth = options.target_depth;
        raw_options.exit_threshold = options.exit_threshold.unwrap_or(-1.0);
        raw_options.min_depth = options.min_depth;
        raw_options.kv_policy = options.kv_policy.raw();
        let same = vec![options.exit_from; rows.len()];
        let starts = options.exit_from_each.unwrap_or(&same);
        expect_one_each("exit_from_each", starts.len(), "rows", rows.len())?;
        if starts.iter().any(|&start| start > 0) {
            raw_options.exit_from = starts.as_ptr();
        }
        let (tokens, offsets) = (rows.tokens().as_ptr(), rows.offsets().as_ptr());
        self.watched(|handle, error| unsafe {
            sys::rally_run(handle, tokens, offsets, rows.len(), &raw_options, &raw, error)
        })?;
        Ok(result)
    }

    /// The natural logarithms of the probabilities of each row's next tokens: T - 1 per row.
    pub fn logprobs(&mut self, rows: &Rows) -> Result<Vec<f32>> {
        let wanted = Wanted {
            logprobs: true,
            ..Wanted::default()
        };
        Ok(self.run(rows, &wanted, RunOptions::default())?.logprobs)
    }

    /// One score per row: higher is better, to be compared within one rater only.
    pub fn rate(&mut self, rows: &Rows) -> Result<Vec<f32>> {
        self.rate_with(rows, RateOptions::default())
    }

    /// As [`Runner::rate`], with options.
    pub fn rate_with(&mut self, rows: &Rows, options: RateOptions) -> Result<Vec<f32>> {
        let mut raw = initialised(sys::rally_rate_options_init);
        raw.squash = i32::from(options.squash);
        raw.timeout_seconds = seconds(options.timeout);
        let mut scores = vec![0.0; rows.len()];
        let (tokens, offsets) = (rows.tokens().as_ptr(), rows.offsets().as_ptr());
        self.watched(|handle, error| unsafe {
            sys::rally_rate(handle, tokens, offsets, rows.len(), &raw, scores.as_mut_ptr(), error)
        })?;
        Ok(scores)
    }

    /// All outputs of each row, row after row, in the order of [`Model::labels`]. `probabilities`: as the score rule makes them.
    pub fn rate_outputs(&mut self, rows: &Rows, probabilities: bool) -> Result<Vec<f32>> {
        let mut options = initialised(sys::rally_rate_options_init);
        options.probabilities = i32::from(probabilities);
        self.vectors(rows, self.label_count, &options, sys::rally_rate_outputs)
    }

    /// What a rater's head sees of each row, row after row: an embedding. `normalize`: each divided by its length.
    pub fn pooled(&mut self, rows: &Rows, normalize: bool) -> Result<Vec<f32>> {
        let mut options = initialised(sys::rally_rate_options_init);
        options.normalize = i32::from(normalize);
        self.vectors(rows, self.hidden_size, &options, sys::rally_pooled)
    }

    fn vectors(
        &mut self,
        rows: &Rows,
        width: usize,
        options: &sys::rally_rate_options,
        call: RateFunction,
    ) -> Result<Vec<f32>> {
        let mut values = vec![0.0; (rows.len() * width).max(1)];
        let (tokens, offsets) = (rows.tokens().as_ptr(), rows.offsets().as_ptr());
        self.watched(|handle, error| unsafe {
            call(handle, tokens, offsets, rows.len(), options, values.as_mut_ptr(), error)
        })?;
        Ok(values)
    }

    /// Makes a call that may report progress; a panic of the closure that hears it goes on from here.
    pub(crate) fn watched(
        &mut self,
        call: impl FnOnce(*mut sys::rally_runner, *mut sys::rally_error) -> sys::rally_status,
    ) -> Result<()> {
        let outcome = check(|error| call(self.handle, error));
        self.watcher.finish();
        outcome
    }

    /// Greatest number of bytes that workspaces and caches take for these rows.
    pub fn memory(&self, rows: &Rows, new_tokens: usize) -> Result<u64> {
        let mut bytes = 0;
        check(|error| unsafe {
            sys::rally_runner_memory(
                self.handle,
                rows.offsets().as_ptr(),
                rows.len(),
                new_tokens,
                &mut bytes,
                error,
            )
        })?;
        Ok(bytes)
    }

    /// To cancel a call on this runner from another thread.
    pub fn canceller(&self) -> Canceller {
        Canceller { handle: self.handle }
    }

    pub(crate) fn handle(&mut self) -> *mut sys::rally_runner {
        self.handle
    }
}

fn expect_one_each(name: &str, found: usize, what: &str, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let message = format!("{name}: expected one for each of {expected} {what}, found {found}");
    Err(Error::new(Code::InvalidArgument, message))
}

/// `rally_rate_outputs` and `rally_pooled`.
type RateFunction = unsafe extern "C" fn(
    *mut sys::rally_runner,
    *const i32,
    *const usize,
    usize,
    *const sys::rally_rate_options,
    *mut f32,
    *mut sys::rally_error,
) -> sys::rally_status;

/// Room for the library to write to; never NULL, which would mean not wanted.
pub(crate) fn room<T: Clone + Default>(values: &mut Vec<T>, count: usize) -> *mut T {
    values.resize(count, T::default());
    values.as_mut_ptr()
}

/// As C has it, where 0 is no timeout.
pub(crate) fn seconds(timeout: Option<Duration>) -> f64 {
    timeout.map_or(0.0, |timeout| timeout.as_secs_f64().max(1e-9))
}
