use crate::error::{check, initialised, Result};
use crate::Runner;
use rally_sys as sys;
use std::any::Any;
use std::ffi::c_void;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

/// One sequence to be continued.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The prompt, at least one token.
    pub tokens: Vec<i32>,
    /// Tokens to generate; 0: until the context is full.
    pub max_tokens: usize,
    /// 0: the most probable token.
    pub temperature: f32,
    /// 0: all.
    pub top_k: i32,
    /// 1: all.
    pub top_p: f32,
    /// 0: all; relative to the most probable token.
    pub min_p: f32,
    /// The same seed gives the same text, whatever runs beside it.
    pub seed: u64,
    /// End the text, and are its last token.
    pub stop_tokens: Vec<i32>,
    /// The model's eos token ends the text too.
    pub stop_at_eos: bool,
    /// Recursions a token may run; 0: the model's own number.
    pub max_depth: u32,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            tokens: Vec::new(),
            max_tokens: 0,
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            seed: 0,
            stop_tokens: Vec::new(),
            stop_at_eos: true,
            max_depth: 0,
        }
    }
}

impl Request {
    /// No more tokens than the context has room for, so that the buffers have a bound.
    fn raw(&self, context: usize) -> sys::rally_request {
        let mut raw = initialised(sys::rally_request_init);
        raw.tokens = self.tokens.as_ptr();
        raw.token_count = self.tokens.len();
        raw.max_tokens = if self.max_tokens == 0 {
            context
        } else {
            self.max_tokens.min(context)
        };
        raw.temperature = self.temperature;
        raw.top_k = self.top_k;
        raw.top_p = self.top_p;
        raw.min_p = self.min_p;
        raw.seed = self.seed;
        raw.stop_tokens = self.stop_tokens.as_ptr();
        raw.stop_token_count = self.stop_tokens.len();
        raw.stop_at_eos = i32::from(self.stop_at_eos);
        raw.max_depth = self.max_depth;
        raw
    }
}

/// Why a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// It goes on.
    NotFinished,
    /// A stop token, or eos.
    Stop,
    /// `max_tokens`.
    Limit,
    /// The model's context is full.
    ContextFull,
    /// By a callback, a canceller or the timeout.
    Cancelled,
}

impl FinishReason {
    fn from_raw(raw: sys::rally_finish_reason) -> Self {
        match raw {
            sys::RALLY_FINISH_STOP => FinishReason::Stop,
            sys::RALLY_FINISH_LIMIT => FinishReason::Limit,
            sys::RALLY_FINISH_CONTEXT_FULL => FinishReason::ContextFull,
            sys::RALLY_FINISH_CANCELLED => FinishReason::Cancelled,
            _ => FinishReason::NotFinished,
        }
    }
}

/// One generated token, or the end of a sequence that was cancelled between two tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// Index of the request.
    pub request: usize,
    /// Of the token among those generated for the request.
    pub index: usize,
    /// `None`: the sequence was cancelled between two tokens.
    pub token: Option<i32>,
    /// Recursions that the token this one was predicted from ran through.
    pub depth: i32,
    /// Under the model, before temperature and cuts; natural logarithm.
    pub logprob: f32,
    /// [`FinishReason::NotFinished`] while the sequence goes on.
    pub finish_reason: FinishReason,
}

/// What a callback wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next token.
    Continue = 0,
    /// The end of this sequence.
    EndSequence = 1,
    /// The end of all sequences.
    EndAll = 2,
}

/// What was generated for one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// The new tokens.
    pub tokens: Vec<i32>,
    /// Recursions, as in [`Event`].
    pub depths: Vec<i32>,
    /// As in [`Event`].
    pub logprobs: Vec<f32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
}

/// Carries a closure through C, and its panic back.
struct Listener<'a> {
    on_token: &'a mut dyn FnMut(&Event) -> Flow,
    panic: Option<Box<dyn Any + Send>>,
}

unsafe extern "C" fn hear(user: *mut c_void, event: *const sys::rally_event) -> i32 {
    // SAFETY: `user` is the listener of the call in progress, and the event is valid during the callback.
    let (listener, raw) = unsafe { (&mut *user.cast::<Listener>(), &*event) };
    if listener.panic.is_some() {
        return Flow::EndAll as i32;
    }
    let event = Event {
        request: raw.request,
        index: raw.index,
        token: (raw.token >= 0).then_some(raw.token),
        depth: raw.depth,
        logprob: raw.logprob,
        finish_reason: FinishReason::from_raw(raw.finish_reason),
    };
    match catch_unwind(AssertUnwindSafe(|| (listener.on_token)(&event))) {
        Ok(flow) => flow as i32,
        Err(panic) => {
            listener.panic = Some(panic);
            Flow::EndAll as i32
        }
    }
}

impl Runner {
    /// Continues all requests together until each has finished.
    ///
    /// `on_token` is called for every token on this thread. If it panics, generation ends and the panic goes on from here.
    pub fn generate(
        &mut self,
        requests: &[Request],
        mut on_token: impl FnMut(&Event) -> Flow,
    ) -> Result<Vec<Continuation>> {
        let raw: Vec<_> = requests.iter().map(|request| request.raw(self.context)).collect();
        let stride = raw.iter().map(|request| request.max_tokens).max().unwrap_or(1);
        let mut tokens = vec![0; requests.len().saturating_mul(stride)];
        let mut depths = vec![0; tokens.len()];
        let mut logprobs = vec![0.0; tokens.len()];
        let mut counts = vec![0; requests.len()];
        let mut reasons = vec![0; requests.len()];
        let mut generation = initialised(sys::rally_generation_init);
        generation.stride = stride;
        generation.tokens = tokens.as_mut_ptr();
        generation.depths = depths.as_mut_ptr();
        generation.logprobs = logprobs.as_mut_ptr();
        generation.token_counts = counts.as_mut_ptr();
        generation.finish_reasons = reasons.as_mut_ptr();

        let mut listener = Listener {
            on_token: &mut on_token,
            panic: None,
        };
        let user = (&mut listener as *mut Listener).cast();
        let handle = self.handle();
        let outcome = check(|error| unsafe {
            sys::rally_generate(
                handle,
                raw.as_ptr(),
                raw.len(),
                Some(hear),
                user,
                &mut generation,
                error,
            )
        });
        if let Some(panic) = listener.panic {
            resume_unwind(panic);
        }
        outcome?;

        let of_request = |index: usize| {
            let range = index * stride..index * stride + counts[index];
            Continuation {
                tokens: tokens[range.clone()].to_vec(),
                depths: depths[range.clone()].to_vec(),
                logprobs: logprobs[range].to_vec(),
                finish_reason: FinishReason::from_raw(reasons[index]),
            }
        };
        Ok((0..requests.len()).map(of_request).collect())
    }

    /// Continues one request.
    pub fn generate_one(&mut self, request: &Request) -> Result<Continuation> {
        let mut all = self.generate(std::slice::from_ref(request), |_| Flow::Continue)?;
        Ok(all.remove(0))
    }
}
