use crate::rule::Rules;
use rally_sys as sys;
use std::any::Any;
use std::ffi::c_void;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

/// Why a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// It goes on.
    NotFinished,
    /// A stop token, a stop string, or eos.
    Stop,
    /// `max_tokens`.
    Limit,
    /// The model's context is full, or all that an engine's `cache_bytes` hold.
    ContextFull,
    /// By a callback, a cancel function, or the timeout.
    Cancelled,
    /// The request's own time was up.
    Deadline,
}

impl FinishReason {
    pub(crate) fn from_raw(raw: sys::rally_finish_reason) -> Self {
        match raw {
            sys::RALLY_FINISH_STOP => FinishReason::Stop,
            sys::RALLY_FINISH_LIMIT => FinishReason::Limit,
            sys::RALLY_FINISH_CONTEXT_FULL => FinishReason::ContextFull,
            sys::RALLY_FINISH_CANCELLED => FinishReason::Cancelled,
            sys::RALLY_FINISH_DEADLINE => FinishReason::Deadline,
            _ => FinishReason::NotFinished,
        }
    }
}

/// One generated token, or the end of a sequence between two tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Index of the request, or an engine's number for it.
    pub request: usize,
    /// Of the token among those generated for the request.
    pub index: usize,
    /// `None`: the sequence ended between two tokens: cancelled, at its deadline, or with all tokens forbidden.
    pub token: Option<i32>,
    /// Recursions that the token this one was predicted from ran through.
    pub depth: i32,
    /// Under the model, before penalties, temperature and cuts; natural logarithm.
    pub logprob: f32,
    /// [`FinishReason::NotFinished`] while the sequence goes on.
    pub finish_reason: FinishReason,
    /// Index of the stop string that was completed.
    pub stop_string: Option<usize>,
    /// As many tokens and log-probabilities as `top_logprobs` asked for and are not forbidden, most probable first.
    pub top: Vec<(i32, f32)>,
    /// What is certain by now: no part of a character, and nothing that may still become a stop string. Bytes that are no
    /// character are U+FFFD. The texts of a request's events, one after the other, are its text.
    pub text: String,
    /// Bytes of the decoded tokens, from their end, that the text leaves out: the stop string, and what follows it in its token.
    pub cut_length: usize,
    /// The request's own.
    pub user: usize,
}

impl Event {
    fn from_raw(raw: &sys::rally_event) -> Self {
        // SAFETY: the header promises top_count of both, NULL where there are none.
        let top = |index: usize| unsafe { (*raw.top_tokens.add(index), *raw.top_logprobs.add(index)) };
        // SAFETY: the header promises text_length bytes, during the callback.
        let text = match raw.text_length {
            0 => String::new(),
            length => {
                String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(raw.text.cast(), length) }).into_owned()
            }
        };
        Event {
            request: raw.request,
            index: raw.index,
            token: (raw.token >= 0).then_some(raw.token),
            depth: raw.depth,
            logprob: raw.logprob,
            finish_reason: FinishReason::from_raw(raw.finish_reason),
            stop_string: usize::try_from(raw.stop_string).ok(),
            top: (0..raw.top_count).map(top).collect(),
            text,
            cut_length: raw.cut_length,
            user: raw.user as usize,
        }
    }
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

/// Carries a closure through C, and its panic back; forgets the rules of requests that end.
pub(crate) struct Listener<'a> {
    on_event: &'a mut dyn FnMut(Event) -> Flow,
    rules: &'a Rules,
    panic: Option<Box<dyn Any + Send>>,
}

impl<'a> Listener<'a> {
    pub(crate) fn new(on_event: &'a mut dyn FnMut(Event) -> Flow, rules: &'a Rules) -> Self {
        Listener {
            on_event,
            rules,
            panic: None,
        }
    }

    pub(crate) fn user(&mut self) -> *mut c_void {
        (self as *mut Self).cast()
    }

    /// Goes on with the panic of the closure, or of a rule.
    pub(crate) fn finish(self) {
        if let Some(panic) = self.panic.or(self.rules.take_panic()) {
            resume_unwind(panic);
        }
    }
}

/// The callback whose `user` is that of a [`Listener`].
pub(crate) unsafe extern "C" fn hear(user: *mut c_void, event: *const sys::rally_event) -> i32 {
    // SAFETY: `user` is the listener of the call in progress, and the event is valid during the callback.
    let (listener, raw) = unsafe { (&mut *user.cast::<Listener>(), &*event) };
    if raw.finish_reason != sys::RALLY_NOT_FINISHED {
        listener.rules.release(raw.request);
    }
    if listener.panic.is_some() {
        return Flow::EndAll as i32;
    }
    match catch_unwind(AssertUnwindSafe(|| (listener.on_event)(Event::from_raw(raw)))) {
        Ok(flow) => flow as i32,
        Err(panic) => {
            listener.panic = Some(panic);
            Flow::EndAll as i32
        }
    }
}
