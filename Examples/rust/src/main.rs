//! A language model continues a sentence and shows how many recursions each token took; a rater then scores what was
//! written.
//!
//!     cargo run --manifest-path Examples/rust/Cargo.toml -- Examples/models/rally-tiny.onnx Examples/models/rally-rater-tiny.onnx

use rally::{Decoder, FinishReason, Flow, Model, Request, Result, Rows, Runner};
use std::io::Write;

fn tell(path: &str, beginning: &str) -> Result<String> {
    let model = Model::open(path)?;
    let mut runner = Runner::new(&model)?;
    let mut decoder = Decoder::new(&model, Default::default())?;
    let request = Request {
        tokens: model.encode(beginning)?,
        max_tokens: 64,
        ..Default::default()
    };
    let mut text = beginning.to_string();

    print!("{beginning}");
    let stories = runner.generate(&[request], |event| {
        let Some(token) = event.token else {
            return Flow::Continue;
        };
        if event.finish_reason != FinishReason::Stop {
            let Ok(piece) = decoder.push(token) else {
                return Flow::EndAll;
            };
            print!("{piece}[{}]", event.depth);
            let _ = std::io::stdout().flush();
            text += &piece;
        }
        Flow::Continue
    })?;
    let depths = &stories[0].depths;
    let mean = depths.iter().sum::<i32>() as f64 / depths.len().max(1) as f64;
    println!("\n\n{mean:.2} recursions per token");
    Ok(text)
}

fn rate(path: &str, text: &str) -> Result<f32> {
    let rater = Model::open(path)?;
    let tokens = rater.encode(text)?;
    Ok(Runner::new(&rater)?.rate(&Rows::from(&tokens[..]))?[0])
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments
        .next()
        .unwrap_or_else(|| "Examples/models/rally-tiny.onnx".into());
    let rater = arguments
        .next()
        .unwrap_or_else(|| "Examples/models/rally-rater-tiny.onnx".into());
    let text = tell(&model, "Once upon a time")?;
    println!("the rater's score: {:.3}", rate(&rater, &text)?);
    Ok(())
}
