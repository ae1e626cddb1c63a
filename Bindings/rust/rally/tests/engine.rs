//! The engine: what it generates is what a runner generates alone, whatever happens alongside it.

mod support;

use rally::*;
use std::collections::BTreeMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use support::*;

/// Requests of different lengths; every other one is sampled.
fn requests(model: &Model) -> Vec<Request> {
    let vocab_size = model.info().unwrap().vocab_size as i32;
    (0..6)
        .map(|index| Request {
            tokens: (0..1 + 7 * index)
                .map(|place| (index * 31 + place * 17) % vocab_size)
                .collect(),
            temperature: if index % 2 == 0 { 0.0 } else { 0.8 },
            seed: index as u64,
            ..request(10 + index as usize)
        })
        .collect()
}

#[derive(Debug, Default, PartialEq)]
struct Text {
    tokens: Vec<i32>,
    depths: Vec<i32>,
    logprobs: Vec<u32>,
    reason: Option<FinishReason>,
}

/// Texts by request; events must come in order, and none after the end.
#[derive(Default)]
struct Texts(BTreeMap<usize, Text>);

impl Texts {
    fn take(&mut self, event: &Event) {
        let text = self.0.entry(event.request).or_default();
        assert_eq!((event.index, text.reason), (text.tokens.len(), None));
        if let Some(token) = event.token {
            text.tokens.push(token);
            text.depths.push(event.depth);
            text.logprobs.push(event.logprob.to_bits());
        }
        if event.finish_reason != FinishReason::NotFinished {
            text.reason = Some(event.finish_reason);
        }
    }
}

/// The text that a runner tells without company.
fn alone(model: &Model, request: &Request) -> Text {
    let text = Runner::new(model).unwrap().generate_one(request).unwrap();
    Text {
        tokens: text.tokens,
        depths: text.depths,
        logprobs: text.logprobs.iter().map(|logprob| logprob.to_bits()).collect(),
        reason: Some(text.finish_reason),
    }
}

#[test]
fn texts_are_the_same_bits_as_alone() {
    let model = language_model();
    let options = EngineOptions {
        threads: 2,
        max_step_tokens: 16,
        max_sequences: 3,
        ..Default::default()
    };
    assert!(Engine::memory(&model, &options).unwrap() > 0);
    let mut engine = Engine::with(&model, &options).unwrap();
    let requests = requests(&model);
    for (index, request) in requests.iter().enumerate() {
        assert_eq!(engine.submit(request).unwrap(), index);
    }
    let mut texts = Texts::default();
    for event in engine.events() {
        texts.take(&event.unwrap());
    }
    for (index, request) in requests.iter().enumerate() {
        assert_eq!(texts.0[&index], alone(&model, request), "request {index}");
    }
    assert!(engine.events().next().is_none());
}

#[test]
fn an_engine_is_for_any_thread() {
    let model = language_model();
    let mut engine = Engine::new(&model).unwrap();
    assert_send(&engine);
    assert_sync(&engine);
    let handle = engine.handle();
    assert_send(&handle);
    assert_sync(&handle);
    let ids: Vec<usize> = std::thread::scope(|scope| {
        let submitters: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| handle.submit(&request(5)).unwrap()))
            .collect();
        submitters.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut texts = Texts::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while engine
                .step(|event| {
                    texts.take(&event);
                    Flow::Continue
                })
                .unwrap()
            {}
        });
    });
    drop(model); // the engine keeps it
    assert_eq!(texts.0.len(), 4);
    for id in ids {
        assert_eq!(texts.0[&id].tokens.len(), 5);
    }
    drop(engine);
    assert_eq!(handle.submit(&request(5)).unwrap_err().code(), Code::Closed);
    handle.cancel(0);
    handle.cancel_all();
}

#[test]
fn events_submit_and_cancel() {
    let model = language_model();
    let mut engine = Engine::new(&model).unwrap();
    let handle = engine.handle();
    let first = engine.submit(&request(100)).unwrap();
    let mut second = None;
    let mut texts = Texts::default();
    engine
        .run(|event| {
            texts.take(&event);
            if (event.request, event.index) == (first, 3) {
                second = Some(handle.submit(&request(2)).unwrap());
                handle.cancel(first);
            }
            Flow::Continue
        })
        .unwrap();
    assert_eq!(texts.0[&first].reason, Some(FinishReason::Cancelled));
    assert!(texts.0[&first].tokens.len() < 100);
    assert_eq!(texts.0[&second.unwrap()], alone(&model, &request(2)));
    let counters = engine.counters().unwrap();
    assert_eq!(counters["requests_submitted_total"], 2.0);
    assert_eq!(counters["requests_cancelled_total"], 1.0);
    assert_eq!(counters["requests_finished_total"], 2.0);
}

#[test]
fn iterators_leave_nothing_behind() {
    let model = language_model();
    let mut engine = Engine::new(&model).unwrap();
    for _ in 0..3 {
        engine.submit(&request(4)).unwrap();
    }
    let mut texts = Texts::default();
    for event in engine.events().take(1) {
        texts.take(&event.unwrap());
    }
    engine
        .run(|event| {
            texts.take(&event);
            Flow::Continue
        })
        .unwrap();
    assert!(texts.0.values().all(|text| text.tokens.len() == 4) && texts.0.len() == 3);
}

#[test]
fn a_saved_sequence_goes_on_elsewhere() {
    let model = language_model();
    let wanted = Request {
        tokens: (1..50).collect(),
        temperature: 0.7,
        seed: 3,
        ..request(24)
    };
    let mut engine = Engine::new(&model).unwrap();
    let id = engine.submit(&wanted).unwrap();
    assert_eq!(engine.save(id + 1).unwrap_err().code(), Code::InvalidArgument);
    let mut texts = Texts::default();
    while texts.0.get(&id).map_or(0, |text| text.tokens.len()) < 9 {
        engine
            .step(|event| {
                texts.take(&event);
                Flow::Continue
            })
            .unwrap();
    }
    let state = engine.save(id).unwrap();
    drop(engine);

    let mut other = Engine::new(&model).unwrap();
    let rest = Request {
        tokens: Vec::new(),
        ..wanted.clone()
    };
    let moved = other.restore(&state, &rest).unwrap();
    assert_eq!(moved, id);
    for event in other.events() {
        texts.take(&event.unwrap());
    }
    assert_eq!(texts.0[&id], alone(&model, &wanted));

    let mut changed = state.clone();
    changed[100] ^= 1;
    assert_eq!(other.restore(&changed, &rest).unwrap_err().code(), Code::CorruptFile);
    assert_eq!(other.restore(&[], &rest).unwrap_err().code(), Code::CorruptFile);
    let deeper = Request { max_depth: 1, ..rest };
    assert_eq!(other.restore(&state, &deeper).unwrap_err().code(), Code::WrongModel);
}

#[test]
fn a_panic_in_an_event_goes_on_after_the_step() {
    let model = language_model();
    let mut engine = Engine::new(&model).unwrap();
    engine.submit(&request(6)).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| engine.run(|_| panic!("from the closure"))));
    assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"from the closure"));
    let id = engine.submit(&request(3)).unwrap();
    let mut texts = Texts::default();
    engine
        .run(|event| {
            texts.take(&event);
            Flow::Continue
        })
        .unwrap();
    assert_eq!(texts.0[&id].tokens.len(), 3);
}

#[test]
fn failures_have_codes() {
    let model = language_model();
    assert_eq!(Engine::new(&rater()).unwrap_err().code(), Code::WrongKind);
    let tiny = EngineOptions {
        cache_bytes: 1,
        ..Default::default()
    };
    assert_eq!(Engine::with(&model, &tiny).unwrap_err().code(), Code::LimitExceeded);
    let engine = Engine::new(&model).unwrap();
    let empty = Request::default();
    assert_eq!(engine.submit(&empty).unwrap_err().code(), Code::EmptyInput);
}

#[test]
fn caches_have_types() {
    let model = language_model();
    let memory = |cache_dtype| {
        let options = EngineOptions {
            max_sequences: 4,
            cache_dtype,
            ..Default::default()
        };
        let mut engine = Engine::with(&model, &options).unwrap();
        engine.submit(&requests(&model)[0]).unwrap();
        let mut count = 0;
        engine
            .run(|_| {
                count += 1;
                Flow::Continue
            })
            .unwrap();
        assert!(count > 0);
        engine.counters().unwrap()["cache_bytes"]
    };
    let f32 = memory(None);
    assert_eq!(memory(Some(Dtype::F32)), f32);
    assert_eq!(memory(Some(Dtype::Bf16)), f32 / 2.0);
    assert!(memory(Some(Dtype::Int8)) < 0.35 * f32);
    let options = RunnerOptions {
        cache_dtype: Some(Dtype::Int8),
        ..Default::default()
    };
    assert!(Runner::with(&model, options.clone()).is_ok());
    assert_eq!(Runner::with(&rater(), options).unwrap_err().code(), Code::Unsupported);
}

#[test]
fn sequence_wise_batching_tells_the_same_texts() {
    let model = language_model();
    let options = EngineOptions {
        batching: Batching::Sequence,
        share_prefixes: Some(false),
        ..Default::default()
    };
    let mut engine = Engine::with(&model, &options).unwrap();
    let requests = requests(&model);
    for request in &requests {
        engine.submit(request).unwrap();
    }
    let mut texts = Texts::default();
    engine
        .run(|event| {
            texts.take(&event);
            Flow::Continue
        })
        .unwrap();
    for (index, request) in requests.iter().enumerate() {
        assert_eq!(texts.0[&index], alone(&model, request));
    }
}
