use crate::error::{check, initialised, Result};
use crate::event::{hear, Event, FinishReason, Flow, Listener};
use crate::rule::Rules;
use crate::runner::seconds;
use crate::{Request, Runner};
use rally_sys as sys;
use std::sync::Arc;
use std::time::Duration;

/// How [`Runner::generate_with`] runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct GenerateOptions {
    /// What is unfinished after this long counts as cancelled.
    pub timeout: Option<Duration>,
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
    /// Recursions each token of the prompt ran; 0 where the sequence was cancelled before.
    pub prompt_depths: Vec<i32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Their text, without the stop string that ended it; empty where the model has no tokenizer.
    pub text: String,
    /// Index of the stop string that ended the text.
    pub stop_string: Option<usize>,
    /// Bytes of the decoded tokens, from their end, that the text leaves out.
    pub cut_length: usize,
}

/// Arrays for the library to write to, `stride` places per request.
struct Collected {
    stride: usize,
    tokens: Vec<i32>,
    depths: Vec<i32>,
    logprobs: Vec<f32>,
    counts: Vec<usize>,
    reasons: Vec<sys::rally_finish_reason>,
    prompt_depths: Vec<i32>,
    stop_strings: Vec<i32>,
    cut_lengths: Vec<usize>,
}

impl Collected {
    fn new(requests: &[Request], stride: usize) -> Self {
        let places = requests.len().saturating_mul(stride);
        Collected {
            stride,
            tokens: vec![0; places],
            depths: vec![0; places],
            logprobs: vec![0.0; places],
            counts: vec![0; requests.len()],
            reasons: vec![0; requests.len()],
            stop_strings: vec![-1; requests.len()],
            cut_lengths: vec![0; requests.len()],
            prompt_depths: vec![0; requests.iter().map(|request| request.tokens.len()).sum()],
        }
    }

    fn raw(&mut self, options: GenerateOptions) -> sys::rally_generation {
        let mut raw = initialised(sys::rally_generation_init);
        raw.stride = self.stride;
        raw.tokens = self.tokens.as_mut_ptr();
        raw.depths = self.depths.as_mut_ptr();
        raw.logprobs = self.logprobs.as_mut_ptr();
        raw.token_counts = self.counts.as_mut_ptr();
        raw.finish_reasons = self.reasons.as_mut_ptr();
        raw.prompt_depths = self.prompt_depths.as_mut_ptr();
        raw.stop_strings = self.stop_strings.as_mut_ptr();
        raw.cut_lengths = self.cut_lengths.as_mut_ptr();
        raw.timeout_seconds = seconds(options.timeout);
        raw
    }

    fn continuations(&self, requests: &[Request], mut texts: Vec<String>) -> Vec<Continuation> {
        let mut prompt_depths = &self.prompt_depths[..];
        let of_request = |(index, request): (usize, &Request)| {
            let range = index * self.stride..index * self.stride + self.counts[index];
            let (own, rest) = prompt_depths.split_at(request.tokens.len());
            prompt_depths = rest;
            Continuation {
                tokens: self.tokens[range.clone()].to_vec(),
                depths: self.depths[range.clone()].to_vec(),
                logprobs: self.logprobs[range].to_vec(),
                prompt_depths: own.to_vec(),
                finish_reason: FinishReason::from_raw(self.reasons[index]),
                text: std::mem::take(&mut texts[index]),
                stop_string: usize::try_from(self.stop_strings[index]).ok(),
                cut_length: self.cut_lengths[index],
            }
        };
        requests.iter().enumerate().map(of_request).collect()
    }
}

impl Runner {
    /// Continues all requests together until each has finished.
    ///
    /// `on_token` is called for every token on this thread. If it panics, generation ends and the panic goes on from here.
    pub fn generate(&mut self, requests: &[Request], on_token: impl FnMut(Event) -> Flow) -> Result<Vec<Continuation>> {
        self.generate_with(requests, GenerateOptions::default(), on_token)
    }

    /// As [`Runner::generate`], with options.
    pub fn generate_with(
        &mut self,
        requests: &[Request],
        options: GenerateOptions,
        mut on_token: impl FnMut(Event) -> Flow,
    ) -> Result<Vec<Continuation>> {
        let lent = requests.iter().map(Request::lend).collect::<Result<Vec<_>>>()?;
        let mut raw: Vec<_> = requests
            .iter()
            .zip(&lent)
            .map(|(request, lent)| request.raw(lent))
            .collect();
        let rules = Arc::new(Rules::default());
        for (request, raw) in requests.iter().zip(&mut raw) {
            rules.keep(request, raw);
            // No more than the context has room for, so that the arrays have a bound.
            if raw.max_tokens == 0 || raw.max_tokens > self.context {
                raw.max_tokens = self.context;
            }
        }
        let stride = raw.iter().map(|request| request.max_tokens).max().unwrap_or(1);
        let mut collected = Collected::new(requests, stride);
        let mut generation = collected.raw(options);
        let mut texts = vec![String::new(); requests.len()];
        let mut on_token = |event: Event| {
            texts[event.request].push_str(&event.text);
            on_token(event)
        };
        let mut listener = Listener::new(&mut on_token, &rules);
        let (handle, user) = (self.handle(), listener.user());
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
        listener.finish();
        outcome?;
        Ok(collected.continuations(requests, texts))
    }

    /// Continues one request.
    pub fn generate_one(&mut self, request: &Request) -> Result<Continuation> {
        let mut all = self.generate(std::slice::from_ref(request), |_| Flow::Continue)?;
        Ok(all.remove(0))
    }
}
