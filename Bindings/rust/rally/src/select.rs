//! What is done with scores: removal of the worst, weights, and decisions on one point at a time.
//!
//! ```
//! use rally::select;
//! let drawn = select::draw_count(2, 0.5)?;
//! assert_eq!(drawn, 4);
//! assert_eq!(select::top(&[0.1, 3.0, -1.0, 3.0], 2)?, [1, 3]);
//! # Ok::<(), rally::Error>(())
//! ```

use crate::error::{check, initialised, Code, Error, Result};
use rally_sys as sys;
use std::ffi::CString;

/// How many points to draw so that `keep` are left when the share `discard` of them is removed: ⌈keep / (1 − discard)⌉,
/// exact for the decimal number that was written.
pub fn draw_count(keep: usize, discard: f64) -> Result<usize> {
    let mut count = 0;
    check(|error| unsafe { sys::rally_draw_count(keep, discard, &mut count, error) })?;
    Ok(count)
}

/// The places of the `keep` highest scores, ascending; of equal scores the earlier ones stay.
pub fn top(scores: &[f32], keep: usize) -> Result<Vec<usize>> {
    let mut kept = vec![0; keep.min(scores.len())];
    check(|error| unsafe { sys::rally_select_top(scores.as_ptr(), scores.len(), keep, kept.as_mut_ptr(), error) })?;
    Ok(kept)
}

/// The softmax of the scores over the batch.
pub fn softmax_weights(scores: &[f32]) -> Result<Vec<f32>> {
    let mut weights = vec![0.0; scores.len()];
    check(|error| unsafe { sys::rally_softmax_weights(scores.as_ptr(), scores.len(), weights.as_mut_ptr(), error) })?;
    Ok(weights)
}

/// The probability that a point whose score has the quantile p is among the best `keep` of `batch`, the others drawn at
/// random: the regularised incomplete beta function I_p(batch − keep, keep).
pub fn acceptance(quantiles: &[f64], batch: usize, keep: usize) -> Result<Vec<f64>> {
    let mut found = vec![0.0; quantiles.len()];
    check(|error| unsafe {
        sys::rally_acceptance(
            quantiles.as_ptr(),
            quantiles.len(),
            batch,
            keep,
            found.as_mut_ptr(),
            error,
        )
    })?;
    Ok(found)
}

/// Whether each point stays: the same on every machine, in every language and order; `rally.h` has the layout of what is
/// hashed.
pub fn decide<Id: AsRef<[u8]>>(ids: &[Id], probabilities: &[f64], fingerprint: &str, seed: u64) -> Result<Vec<bool>> {
    if ids.len() != probabilities.len() {
        let message = format!(
            "probabilities: expected one for each of {} ids, found {}",
            ids.len(),
            probabilities.len()
        );
        return Err(Error::new(Code::InvalidArgument, message));
    }
    let fingerprint = text("fingerprint", fingerprint)?;
    let mut names = Vec::new();
    let mut offsets = vec![0];
    for id in ids {
        names.extend_from_slice(id.as_ref());
        offsets.push(names.len());
    }
    let mut keeps = vec![0u8; ids.len()];
    check(|error| unsafe {
        sys::rally_decide(
            names.as_ptr().cast(),
            offsets.as_ptr(),
            probabilities.as_ptr(),
            ids.len(),
            fingerprint.as_ptr(),
            seed,
            keeps.as_mut_ptr(),
            error,
        )
    })?;
    Ok(keeps.into_iter().map(|keep| keep != 0).collect())
}

/// What rating costs as a share of the training that it is for: P_r / (3 P_m (1 − ρ)).
pub fn rating_cost(rater_parameters: f64, model_parameters: f64, discard: f64) -> Result<f64> {
    let mut cost = 0.0;
    check(|error| unsafe { sys::rally_rating_cost(rater_parameters, model_parameters, discard, &mut cost, error) })?;
    Ok(cost)
}

/// Two raters for one cut: the cheap one decides what is clear, the expensive one reads the band around the cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cascade {
    /// Points that the cheap rater scores below are dropped; −∞: none.
    pub lower: f32,
    /// Points that it scores at least so stay; ∞: none. What lies between is the band.
    pub upper: f32,
    /// Of the decisions, at least, with the confidence that was asked for.
    pub agreement: f64,
    /// The same as the last quarter of the sample has it, which only checks.
    pub observed: f64,
    /// Share of that quarter in the band.
    pub band: f64,
    /// What it was chosen for, and with which confidence.
    pub discard: f64,
    /// See [`Cascade::discard`].
    pub confidence: f64,
    /// Points of the sample.
    pub sample_count: usize,
    raw: (f32, f32),
}

impl Cascade {
    /// Finds the band on a uniform random sample that both raters have read, in the order in which it was drawn; see
    /// `rally_cascade_choose`.
    pub fn choose(cheap: &[f32], expensive: &[f32], discard: f64, agreement: f64, confidence: f64) -> Result<Self> {
        same_count(cheap, expensive)?;
        let mut raw = initialised(sys::rally_cascade_init);
        check(|error| unsafe {
            sys::rally_cascade_choose(
                cheap.as_ptr(),
                expensive.as_ptr(),
                cheap.len(),
                discard,
                agreement,
                confidence,
                &mut raw,
                error,
            )
        })?;
        Ok(Self {
            lower: raw.lower,
            upper: raw.upper,
            agreement: raw.agreement,
            observed: raw.observed,
            band: raw.band,
            discard: raw.discard,
            confidence: raw.confidence,
            sample_count: raw.sample_count,
            raw: (raw.middle, raw.spread),
        })
    }

    /// Whether the expensive rater has to read a point.
    pub fn reads(&self, cheap: f32) -> bool {
        !(cheap < self.lower || cheap >= self.upper)
    }

    /// One score of both for [`top`]; of `expensive` only what [`Cascade::reads`] says is looked at.
    pub fn scores(&self, cheap: &[f32], expensive: &[f32]) -> Result<Vec<f32>> {
        same_count(cheap, expensive)?;
        let mut raw = initialised(sys::rally_cascade_init);
        (raw.lower, raw.upper) = (self.lower, self.upper);
        (raw.middle, raw.spread) = self.raw;
        let mut scores = vec![0.0; cheap.len()];
        check(|error| unsafe {
            let (cheap, count) = (cheap.as_ptr(), cheap.len());
            sys::rally_cascade_scores(&raw, cheap, expensive.as_ptr(), count, scores.as_mut_ptr(), error)
        })?;
        Ok(scores)
    }
}

fn same_count(cheap: &[f32], expensive: &[f32]) -> Result<()> {
    if cheap.len() == expensive.len() {
        return Ok(());
    }
    let message = format!("expensive: expected {} scores, found {}", cheap.len(), expensive.len());
    Err(Error::new(Code::InvalidArgument, message))
}

/// Text as C has it.
pub(crate) fn text(name: &str, value: &str) -> Result<CString> {
    CString::new(value).map_err(|_| {
        Error::new(
            Code::InvalidArgument,
            format!("{name}: expected text without NUL, found {value:?}"),
        )
    })
}
