//! What is done with scores: removal of the worst, weights, and decisions on one point at a time.
//!
//! ```
//! use rally::select;
//! let drawn = select::draw_count(2, 0.5)?;
//! assert_eq!(drawn, 4);
//! assert_eq!(select::top(&[0.1, 3.0, -1.0, 3.0], 2)?, [1, 3]);
//! # Ok::<(), rally::Error>(())
//! ```

use crate::error::{check, Code, Error, Result};
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

/// Text as C has it.
pub(crate) fn text(name: &str, value: &str) -> Result<CString> {
    CString::new(value).map_err(|_| {
        Error::new(
            Code::InvalidArgument,
            format!("{name}: expected text without NUL, found {value:?}"),
        )
    })
}
