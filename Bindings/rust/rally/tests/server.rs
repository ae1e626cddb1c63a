//! What a server needs of an engine: whose event it is, waiting for work, a bounded queue, deadlines, one's own sampler.

mod support;

use rally::*;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use support::*;

/// Lets one token through: the number that the request was given as its user.
fn only_the_users_token(seen: &Arc<AtomicUsize>) -> OnLogits {
    let seen = Arc::clone(seen);
    OnLogits::new(move |rows| {
        seen.fetch_max(rows.len(), Ordering::Relaxed);
        for row in rows {
            assert_eq!((&row.tokens[..row.prompt_count], row.depth > 0), (&[1, 2, 3][..], true));
            let user = row.user;
            assert!(row.tokens[row.prompt_count..]
                .iter()
                .all(|&token| token as usize == user));
            for (token, value) in row.values.iter_mut().enumerate() {
                if token != user {
                    *value = f32::NEG_INFINITY;
                }
            }
        }
        ControlFlow::Continue(())
    })
}

#[test]
fn events_carry_the_requests_own_number_and_rules_see_rows_together() {
    let model = language_model();
    let mut engine = Engine::new(&model).unwrap();
    let most = Arc::new(AtomicUsize::new(0));
    let rule = only_the_users_token(&most);
    for user in [100, 200] {
        let request = Request {
            user,
            on_logits: Some(rule.clone()),
            ..request(5)
        };
        engine.submit(&request).unwrap();
    }
    engine.submit(&request(5)).unwrap();
    drop(rule);
    let mut tokens = BTreeMap::<usize, Vec<i32>>::new();
    for event in engine.events() {
        let event = event.unwrap();
        assert_eq!(event.user, [100, 200, 0][event.request]);
        tokens.entry(event.request).or_default().extend(event.token);
    }
    assert_eq!((&tokens[&0], &tokens[&1]), (&vec![100; 5], &vec![200; 5]));
    assert_eq!(
        tokens[&2],
        Runner::new(&model).unwrap().generate_one(&request(5)).unwrap().tokens
    );
    assert_eq!(most.load(Ordering::Relaxed), 2);
    // The engine let the rule go with the last request.
    assert_eq!(Arc::strong_count(&most), 1);
}

#[test]
fn runners_apply_rules_too() {
    let rule = only_the_users_token(&Arc::default());
    let request = Request {
        user: 7,
        on_logits: Some(rule.clone()),
        ..request(4)
    };
    let text = Runner::new(&language_model()).unwrap().generate_one(&request).unwrap();
    assert_eq!((text.tokens, text.cut_length), (vec![7; 4], 0));
    assert_eq!(request.clone(), request);
    assert_ne!(
        Request {
            on_logits: Some(only_the_users_token(&Arc::default())),
            ..request.clone()
        },
        request
    );
}

#[test]
fn a_rule_that_breaks_cancels_and_one_that_panics_is_heard() {
    let model = language_model();
    let mut engine = Engine::new(&model).unwrap();
    let held = Arc::new(());
    let left: Weak<()> = Arc::downgrade(&held);
    let breaks = OnLogits::new(move |_| match Arc::strong_count(&held) {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    });
    engine
        .submit(&Request {
            on_logits: Some(breaks),
            ..request(5)
        })
        .unwrap();
    let events: Vec<Event> = engine.events().map(|event| event.unwrap()).collect();
    assert_eq!((events.len(), events[0].finish_reason), (1, FinishReason::Cancelled));
    assert!(left.upgrade().is_none());

    let panics = OnLogits::new(|_| panic!("from the rule"));
    engine
        .submit(&Request {
            on_logits: Some(panics),
            ..request(5)
        })
        .unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| engine.run(|_| Flow::Continue)));
    assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"from the rule"));
    engine.submit(&request(2)).unwrap();
    assert_eq!(engine.events().count(), 2);
}

#[test]
fn deadlines_have_a_reason_of_their_own() {
    let mut engine = Engine::new(&language_model()).unwrap();
    engine
        .submit(&Request {
            timeout: Some(Duration::from_nanos(1)),
            ..request(200)
        })
        .unwrap();
    engine
        .submit(&Request {
            timeout: Some(Duration::MAX),
            ..request(3)
        })
        .unwrap();
    let mut reasons = BTreeMap::new();
    engine
        .run(|event| {
            reasons.insert(event.request, event.finish_reason);
            Flow::Continue
        })
        .unwrap();
    assert_eq!(
        (reasons[&0], reasons[&1]),
        (FinishReason::Deadline, FinishReason::Limit)
    );
}

#[test]
fn the_queue_is_bounded_and_submissions_end_a_wait() {
    let options = EngineOptions {
        max_sequences: 1,
        max_queue: 1,
        ..Default::default()
    };
    let mut engine = Engine::with(&language_model(), &options).unwrap();
    assert!(!engine.wait(Some(Duration::ZERO)).unwrap());
    assert!(!engine.wait(Some(Duration::from_millis(1))).unwrap());
    let handle = engine.handle();
    let submitting = std::thread::spawn({
        let handle = handle.clone();
        move || (0..3).map(|_| handle.submit(&request(2))).collect::<Vec<_>>()
    });
    assert!(engine.wait(None).unwrap());
    let answers = submitting.join().unwrap();
    assert_eq!(answers[0].as_ref().ok(), Some(&0));
    assert_eq!(answers[2].as_ref().unwrap_err().code(), Code::QueueFull);
    engine.run(|_| Flow::Continue).unwrap();
    assert_eq!(handle.counters().unwrap()["requests_finished_total"], 2.0);
    let waiting = std::thread::spawn({
        let handle = handle.clone();
        move || handle.wait(None)
    });
    drop(engine);
    assert_eq!(waiting.join().unwrap().unwrap_err().code(), Code::Closed);
    assert_eq!(handle.submit(&request(1)).unwrap_err().code(), Code::Closed);
}

#[test]
fn the_vocabulary_is_what_decoding_gives() {
    let model = language_model();
    let vocabulary = model.vocabulary().unwrap();
    assert_eq!(vocabulary.len(), model.info().unwrap().vocab_size);
    let mut longest = 0;
    for token in 0..vocabulary.len() {
        assert_eq!(vocabulary.token(token), model.decode(&[token as i32]).unwrap());
        longest = longest.max(vocabulary.token(token).len());
    }
    assert_eq!(vocabulary.longest(), longest);
    let eos = model.info().unwrap().eos_token_id.unwrap() as usize;
    assert!(vocabulary.is_special(eos) && !vocabulary.is_special(300) && !vocabulary.is_special(usize::MAX));
}

#[test]
fn the_library_says_how_it_was_built() {
    assert!(build_info().starts_with(&format!("version {}\n", version())));
    assert_eq!(
        version_number() / 1_000_000,
        version().split('.').next().unwrap().parse().unwrap()
    );
}
