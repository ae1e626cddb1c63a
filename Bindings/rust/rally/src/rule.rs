use crate::Request;
use rally_sys as sys;
use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

type Rule = dyn Fn(&mut [LogitsRow<'_>]) -> ControlFlow<()> + Send + Sync;

/// One's own sampler or grammar: sees, and may change, the logits of requests before a token is drawn from them.
///
/// All requests that were given this object or a clone of it, and that draw a token now, are seen together. It runs on the
/// thread that steps. `ControlFlow::Break` ends these requests as cancelled; so does a panic, which then goes on from the step.
#[derive(Clone)]
pub struct OnLogits(Arc<Rule>);

impl OnLogits {
    /// `rule` is given a row for each request.
    pub fn new(rule: impl Fn(&mut [LogitsRow<'_>]) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        OnLogits(Arc::new(rule))
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).cast::<()>() as usize
    }
}

impl fmt::Debug for OnLogits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnLogits")
    }
}

/// Equal: the same object, or clones of one.
impl PartialEq for OnLogits {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

/// A row of logits before a token is drawn from it.
#[derive(Debug)]
pub struct LogitsRow<'a> {
    /// As in [`Event`](crate::Event).
    pub request: usize,
    /// The request's own.
    pub user: usize,
    /// Of each token; may be changed in place, and negative infinity forbids a token. Where all are forbidden, the text ends.
    pub values: &'a mut [f32],
    /// Prompt and text so far.
    pub tokens: &'a [i32],
    /// Tokens of them that are the prompt.
    pub prompt_count: usize,
    /// Recursions that the last of them ran through.
    pub depth: i32,
}

/// The rules of unfinished requests, at addresses that C keeps: clones of one share a place, so that their rows come together.
#[derive(Default)]
pub(crate) struct Rules(Mutex<State>);

#[derive(Default)]
struct State {
    places: BTreeMap<usize, Box<Place>>,
    users: BTreeMap<usize, usize>,
    panic: Option<Box<dyn Any + Send>>,
}

struct Place {
    rule: OnLogits,
    uses: usize,
    rules: Weak<Rules>,
}

impl State {
    fn attach(&mut self, rule: &OnLogits, rules: &Arc<Rules>, raw: &mut sys::rally_request) {
        let place = self.places.entry(rule.identity()).or_insert_with(|| {
            Box::new(Place {
                rule: rule.clone(),
                uses: 0,
                rules: Arc::downgrade(rules),
            })
        });
        place.uses += 1;
        raw.on_logits = Some(apply);
        raw.on_logits_user = (&**place as *const Place).cast_mut().cast();
    }

    fn let_go(&mut self, identity: usize) {
        if let Some(place) = self.places.get_mut(&identity) {
            place.uses -= 1;
            if place.uses == 0 {
                self.places.remove(&identity);
            }
        }
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rules")
    }
}

impl Rules {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `submit`, which gives a request's number, with its rule in place until [`Rules::release`] of that number.
    pub(crate) fn during_submission(
        self: &Arc<Self>,
        request: &Request,
        mut raw: sys::rally_request,
        submit: impl FnOnce(&sys::rally_request) -> crate::Result<usize>,
    ) -> crate::Result<usize> {
        let Some(rule) = &request.on_logits else {
            return submit(&raw);
        };
        // Held, so that no step on another thread releases a number that is not among the users yet.
        let mut state = self.state();
        state.attach(rule, self, &mut raw);
        let outcome = submit(&raw);
        match outcome {
            Ok(id) => drop(state.users.insert(id, rule.identity())),
            Err(_) => state.let_go(rule.identity()),
        }
        outcome
    }

    /// For as long as `self` lives.
    pub(crate) fn keep(self: &Arc<Self>, request: &Request, raw: &mut sys::rally_request) {
        if let Some(rule) = &request.on_logits {
            self.state().attach(rule, self, raw);
        }
    }

    pub(crate) fn release(&self, id: usize) {
        let mut state = self.state();
        if let Some(identity) = state.users.remove(&id) {
            state.let_go(identity);
        }
    }

    /// What a rule panicked with, once.
    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.state().panic.take()
    }
}

unsafe extern "C" fn apply(user: *mut c_void, rows: *const *const sys::rally_logits, count: usize) -> i32 {
    // SAFETY: `user` is a place that stays until its last request has ended, and rows are valid during the callback, each with
    // memory of its own that may be written.
    let (place, rows) = unsafe { (&*user.cast::<Place>(), slice::from_raw_parts(rows, count)) };
    let row = |&raw: &*const sys::rally_logits| unsafe {
        let raw = &*raw;
        LogitsRow {
            request: raw.request,
            user: raw.user as usize,
            values: slice::from_raw_parts_mut(raw.values, raw.count),
            tokens: slice::from_raw_parts(raw.tokens, raw.token_count),
            prompt_count: raw.prompt_count,
            depth: raw.depth,
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        (place.rule.0)(&mut rows.iter().map(row).collect::<Vec<_>>())
    }));
    match outcome {
        Ok(flow) => i32::from(flow.is_break()),
        Err(panic) => {
            if let Some(rules) = place.rules.upgrade() {
                rules.state().panic.get_or_insert(panic);
            }
            1
        }
    }
}
