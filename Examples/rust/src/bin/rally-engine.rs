//! Sentences that arrive while others are being written: an engine continues all of them together, each until its full stop.
//! One is given up by its reader.
//!
//!     cargo run --manifest-path Examples/rust/Cargo.toml --bin rally-engine -- Examples/models/rally-tiny.onnx

use rally::{Engine, Event, FinishReason, Flow, Model, Request, Result};

/// What arrives before which step, and the step before which its reader leaves.
struct Arrival {
    step: usize,
    leaves: Option<usize>,
    beginning: &'static str,
}

const fn arrival(step: usize, leaves: Option<usize>, beginning: &'static str) -> Arrival {
    Arrival {
        step,
        leaves,
        beginning,
    }
}

const ARRIVALS: [Arrival; 4] = [
    arrival(0, None, "Once upon a time"),
    arrival(8, None, "The sea"),
    arrival(8, Some(18), "A dog and a cat"),
    arrival(40, None, "One day, Tom"),
];

struct Sentence {
    beginning: &'static str,
    tokens: Vec<i32>,
    depths: i32,
}

impl Sentence {
    fn take(&mut self, event: &Event, model: &Model) -> Result<()> {
        self.tokens.extend(event.token);
        self.depths += event.depth;
        let reason = match event.finish_reason {
            FinishReason::NotFinished => return Ok(()),
            FinishReason::Stop => "full stop",
            FinishReason::Cancelled => "given up",
            _ => "long enough",
        };
        let text = String::from_utf8_lossy(&model.decode(&self.tokens)?).into_owned();
        let count = self.tokens.len();
        let mean = f64::from(self.depths) / count.max(1) as f64;
        println!(
            "{}  {}{text}  [{reason}, {count} tokens, {mean:.2} recursions each]",
            event.request, self.beginning
        );
        Ok(())
    }
}

fn main() -> Result<()> {
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "Examples/models/rally-tiny.onnx".into());
    let model = Model::open(path)?;
    let mut engine = Engine::new(&model)?;
    let mut arrivals = ARRIVALS.iter().peekable();
    let mut sentences: Vec<Sentence> = Vec::new();
    let mut busy = true;

    for step in 0.. {
        while let Some(arrival) = arrivals.next_if(|arrival| arrival.step <= step) {
            // Numbers are given out in order, so they are indices here.
            engine.submit(&Request {
                tokens: model.encode(arrival.beginning)?,
                max_tokens: 120,
                temperature: 0.7,
                frequency_penalty: 0.3,
                stop_strings: vec![".".into()],
                ..Default::default()
            })?;
            sentences.push(Sentence {
                beginning: arrival.beginning,
                tokens: Vec::new(),
                depths: 0,
            });
        }
        for (id, arrival) in ARRIVALS.iter().enumerate() {
            if arrival.leaves == Some(step) {
                engine.cancel(id);
            }
        }
        if !busy && arrivals.peek().is_none() {
            break;
        }
        let mut taken = Ok(());
        busy = engine.step(|event| {
            taken = sentences[event.request].take(&event, &model);
            if taken.is_ok() {
                Flow::Continue
            } else {
                Flow::EndAll
            }
        })?;
        taken?;
    }
    Ok(())
}
