use crate::error::{initialised, Code, Error, Result};
use crate::runner::seconds;
use crate::OnLogits;
use rally_sys as sys;
use std::ffi::{c_char, c_void, CString};
use std::time::Duration;

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
    /// The same seed gives the same text, whatever else runs.
    pub seed: u64,
    /// End the text, and are its last token.
    pub stop_tokens: Vec<i32>,
    /// End the text; the token that completes one is the last. The one that is complete first counts, of several complete at
    /// once the longest.
    pub stop_strings: Vec<String>,
    /// The text keeps the stop string that ends it.
    pub include_stop: bool,
    /// Special tokens are left out of the text.
    pub skip_special: bool,
    /// The model's eos token ends the text too.
    pub stop_at_eos: bool,
    /// Recursions a token may run; 0: the model's own number.
    pub max_depth: u32,
    /// Mean depth that the model is steered to; 0: none.
    pub target_depth: f64,
    /// 1: none. Tokens of prompt and text: positive logits are divided by it, others multiplied.
    pub repetition_penalty: f32,
    /// Subtracted from the logits of tokens that were generated.
    pub presence_penalty: f32,
    /// The same, for each time that they were.
    pub frequency_penalty: f32,
    /// Added to the logits of single tokens, after the penalties; negative infinity forbids one.
    pub bias: Vec<(i32, f32)>,
    /// Most probable tokens reported with each token, at most 64.
    pub top_logprobs: u32,
    /// Engines: higher goes first, equal ones in the order of submission.
    pub priority: i32,
    /// Of a looped model's exits, at least 0; `None`: the model's own.
    pub exit_threshold: Option<f64>,
    /// Tokens of prompt and text before this one run at full depth; `None`: those of the prompt.
    pub exit_from: Option<usize>,
    /// Recursions a token of a looped model runs at least; 0: 1.
    pub min_depth: u32,
    /// What later tokens see of the recursions that a token did not run.
    pub kv_policy: KvPolicy,
    /// A number of yours, such as an index: given back in the request's events and logits.
    pub user: usize,
    /// After so long from the submission the text ends with [`FinishReason::Deadline`](crate::FinishReason::Deadline).
    pub timeout: Option<Duration>,
    /// One's own sampler or grammar; before penalties and biases.
    pub on_logits: Option<OnLogits>,
}

/// What later tokens see of the recursions of a looped model that a token did not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvPolicy {
    /// As the model file says.
    #[default]
    Model,
    /// Its own: all recursions are computed, and the rule chooses which one is read.
    Full,
    /// Those of the deepest recursion that it ran.
    LastExited,
    /// What the layers that it skipped make of the state that it left with.
    Propagated,
}

impl KvPolicy {
    pub(crate) fn raw(self) -> sys::rally_kv_policy {
        match self {
            KvPolicy::Model => sys::RALLY_KV_DEFAULT,
            KvPolicy::Full => sys::RALLY_KV_FULL,
            KvPolicy::LastExited => sys::RALLY_KV_LAST_EXITED,
            KvPolicy::Propagated => sys::RALLY_KV_PROPAGATED,
        }
    }

    pub(crate) fn from_raw(raw: sys::rally_kv_policy) -> Self {
        match raw {
            sys::RALLY_KV_FULL => KvPolicy::Full,
            sys::RALLY_KV_LAST_EXITED => KvPolicy::LastExited,
            sys::RALLY_KV_PROPAGATED => KvPolicy::Propagated,
            _ => KvPolicy::Model,
        }
    }
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
            stop_strings: Vec::new(),
            include_stop: false,
            skip_special: false,
            stop_at_eos: true,
            max_depth: 0,
            target_depth: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            bias: Vec::new(),
            top_logprobs: 0,
            priority: 0,
            exit_threshold: None,
            exit_from: None,
            min_depth: 0,
            kv_policy: KvPolicy::Model,
            user: 0,
            timeout: None,
            on_logits: None,
        }
    }
}

/// What a request lends to C besides its own arrays.
pub(crate) struct Lent {
    bias_tokens: Vec<i32>,
    bias_values: Vec<f32>,
    _texts: Vec<CString>,
    stop_strings: Vec<*const c_char>,
}

impl Request {
    pub(crate) fn lend(&self) -> Result<Lent> {
        let texts = self.stop_strings.iter().map(|text| {
            CString::new(text.as_str())
                .map_err(|_| Error::new(Code::InvalidArgument, "stop_strings: expected no NUL byte, found one"))
        });
        let texts = texts.collect::<Result<Vec<_>>>()?;
        Ok(Lent {
            bias_tokens: self.bias.iter().map(|&(token, _)| token).collect(),
            bias_values: self.bias.iter().map(|&(_, value)| value).collect(),
            stop_strings: texts.iter().map(|text| text.as_ptr()).collect(),
            _texts: texts,
        })
    }

    /// Valid while `self` and `lent` are.
    pub(crate) fn raw(&self, lent: &Lent) -> sys::rally_request {
        let mut raw = initialised(sys::rally_request_init);
        raw.tokens = self.tokens.as_ptr();
        raw.token_count = self.tokens.len();
        raw.max_tokens = self.max_tokens;
        raw.temperature = self.temperature;
        raw.top_k = self.top_k;
        raw.top_p = self.top_p;
        raw.min_p = self.min_p;
        raw.seed = self.seed;
        raw.stop_tokens = self.stop_tokens.as_ptr();
        raw.stop_token_count = self.stop_tokens.len();
        raw.stop_strings = lent.stop_strings.as_ptr();
        raw.stop_string_count = lent.stop_strings.len();
        raw.include_stop = i32::from(self.include_stop);
        raw.skip_special = i32::from(self.skip_special);
        raw.stop_at_eos = i32::from(self.stop_at_eos);
        raw.max_depth = self.max_depth;
        raw.target_depth = self.target_depth;
        raw.repetition_penalty = self.repetition_penalty;
        raw.presence_penalty = self.presence_penalty;
        raw.frequency_penalty = self.frequency_penalty;
        raw.bias_tokens = lent.bias_tokens.as_ptr();
        raw.bias_values = lent.bias_values.as_ptr();
        raw.bias_count = self.bias.len();
        raw.top_logprobs = self.top_logprobs;
        raw.priority = self.priority;
        raw.exit_threshold = self.exit_threshold.unwrap_or(-1.0);
        raw.exit_from = self
            .exit_from
            .map_or(-1, |start| i64::try_from(start).unwrap_or(i64::MAX));
        raw.min_depth = self.min_depth;
        raw.kv_policy = self.kv_policy.raw();
        raw.user = self.user as *mut c_void;
        raw.timeout_seconds = seconds(self.timeout);
        raw
    }
}
