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
    label_count: usize,
    has_score: bool,
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
pub struct RunOptions {
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

/// Which part of a document is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// What the model file says, or all windows.
    #[default]
    OfFile,
    /// All of it, window after window.
    Windows,
    /// One window, of its beginning.
    First,
    /// One window, of the beginning of what `characters` leaves around the middle.
    Middle,
    /// The first window and the one that ends with the document.
    Ends,
}

/// What the scores of several windows make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// What the model file says, or the mean.
    #[default]
    OfFile,
    /// Weighted by the windows' tokens.
    Mean,
    /// The highest.
    Max,
    /// The lowest.
    Min,
}

/// How documents are read, cut into windows and rated.
#[derive(Clone, Copy, Debug, Default)]
pub struct DocumentOptions {
    /// Which part is read; but for windows, `stride_tokens` and `max_windows` must be 0.
    pub reading: Reading,
    /// What the windows make.
    pub join: Join,
    /// [`Model::encode_document`]: Unicode scalars that are read of the beginning, to both sides of the middle, or of each
    /// end; 0: as the model file says, or all.
    pub characters: usize,
    /// [`Model::encode_document`]: `"[SEP]"` in a text becomes its one token; else it is these five characters.
    pub parse_special: bool,
    /// Tokens of a window; 0: as the model file says, or the rater's longest row.
    pub window_tokens: usize,
    /// Tokens from the beginning of a window to that of the next; 0: one window after the other.
    pub stride_tokens: usize,
    /// Windows of a document at most, spread evenly over it; 0: all.
    pub max_windows: usize,
    /// As in [`RateOptions`], window by window.
    pub squash: bool,
    /// Give up after this long.
    pub timeout: Option<Duration>,
}

impl DocumentOptions {
    pub(crate) fn raw(&self) -> sys::rally_document_options {
        let mut raw = initialised(sys::rally_document_options_init);
        raw.window_tokens = self.window_tokens;
        raw.stride_tokens = self.stride_tokens;
        raw.max_windows = self.max_windows;
        raw.squash = i32::from(self.squash);
        raw.timeout_seconds = seconds(self.timeout);
        raw.reading = match self.reading {
            Reading::OfFile => sys::RALLY_READING_DEFAULT,
            Reading::Windows => sys::RALLY_READING_WINDOWS,
            Reading::First => sys::RALLY_READING_FIRST,
            Reading::Middle => sys::RALLY_READING_MIDDLE,
            Reading::Ends => sys::RALLY_READING_ENDS,
        };
        raw.join = match self.join {
            Join::OfFile => sys::RALLY_JOIN_DEFAULT,
            Join::Mean => sys::RALLY_JOIN_MEAN,
            Join::Max => sys::RALLY_JOIN_MAX,
            Join::Min => sys::RALLY_JOIN_MIN,
        };
        raw.characters = self.characters;
        raw.parse_special = i32::from(self.parse_special);
        raw
    }
}

/// What a rater says about one document. Where its outputs make no score, `score`, `mean` and `minimum` are NaN and `windows` is
/// empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocumentScore {
    /// What the reading makes of the windows.
    pub score: f32,
    /// Mean of the windows, weighted by their tokens.
    pub mean: f32,
    /// The lowest window.
    pub minimum: f32,
    /// Share of the tokens that were in a window.
    pub coverage: f32,
    /// Every window, in the order of the text.
    pub windows: Vec<f32>,
    /// The score within the file's bounds, rounded; `None` for a file without bounds.
    pub int_score: Option<i32>,
    /// What the reading makes of each output, as probabilities where the score rule makes some; empty for a rater of one.
    pub outputs: Vec<f32>,
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
            if targets.len() != token_count {
                return Err(Error::new(
                    Code::InvalidArgument,
                    format!(
                        "targets: expected one for each of {token_count} tokens, found {}",
                        targets.len()
                    ),
                ));
            }
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
        let starts = vec![options.exit_from; rows.len()];
        if options.exit_from > 0 {
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

    /// Where the windows of each document begin among those of all, without computing anything: one more than documents.
    pub fn document_windows(model: &Model, rows: &Rows, options: DocumentOptions) -> Result<Vec<usize>> {
        let (raw, mut found) = (options.raw(), vec![0; rows.len() + 1]);
        let (tokens, offsets) = (rows.tokens().as_ptr(), rows.offsets().as_ptr());
        check(|error| unsafe {
            let found = found.as_mut_ptr();
            sys::rally_document_windows(model.handle(), tokens, offsets, rows.len(), &raw, found, error)
        })?;
        Ok(found)
    }

    /// Scores documents of any length, window by window.
    pub fn rate_documents(&mut self, rows: &Rows, options: DocumentOptions) -> Result<Vec<DocumentScore>> {
        let raw = options.raw();
        let (mut mean, mut minimum, mut coverage, mut joined) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut windows, mut ends, mut rounded) = (Vec::new(), Vec::new(), Vec::new());
        let mut scores = initialised(sys::rally_document_scores_init);
        let (labels, mut outputs) = (if self.label_count > 1 { self.label_count } else { 0 }, Vec::new());
        if labels > 0 {
            scores.outputs = room(&mut outputs, rows.len() * labels);
        }
        if self.has_score {
            scores.score = room(&mut joined, rows.len());
            scores.int_score = room(&mut rounded, rows.len());
            scores.mean = room(&mut mean, rows.len());
            scores.minimum = room(&mut minimum, rows.len());
            scores.window_capacity = rows.tokens().len(); // there are no more windows than tokens
            scores.window_scores = room(&mut windows, scores.window_capacity);
        }
        scores.coverage = room(&mut coverage, rows.len());
        scores.window_offsets = room(&mut ends, rows.len() + 1);
        let (tokens, offsets) = (rows.tokens().as_ptr(), rows.offsets().as_ptr());
        self.watched(|handle, error| unsafe {
            sys::rally_rate_documents(handle, tokens, offsets, rows.len(), &raw, &scores, error)
        })?;
        let of_document = |row: usize| DocumentScore {
            score: joined.get(row).copied().unwrap_or(f32::NAN),
            mean: mean.get(row).copied().unwrap_or(f32::NAN),
            minimum: minimum.get(row).copied().unwrap_or(f32::NAN),
            coverage: coverage[row],
            windows: windows.get(ends[row]..ends[row + 1]).unwrap_or_default().to_vec(),
            int_score: rounded.get(row).copied().filter(|&score| score != i32::MIN),
            outputs: outputs[row * labels..(row + 1) * labels].to_vec(),
        };
        Ok((0..rows.len()).map(of_document).collect())
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

/// Room for the library to write to; never NULL, which would mean not wanted.
type RateFunction = unsafe extern "C" fn(
    *mut sys::rally_runner,
    *const i32,
    *const usize,
    usize,
    *const sys::rally_rate_options,
    *mut f32,
    *mut sys::rally_error,
) -> sys::rally_status;

fn room<T: Clone + Default>(values: &mut Vec<T>, count: usize) -> *mut T {
    values.resize(count, T::default());
    values.as_mut_ptr()
}

/// As C has it, where 0 is no timeout.
pub(crate) fn seconds(timeout: Option<Duration>) -> f64 {
    timeout.map_or(0.0, |timeout| timeout.as_secs_f64().max(1e-9))
}
