use crate::error::{initialised, Code, Error, Result};
use crate::rows::Rows;
use crate::runner::Runner;
use rally_sys as sys;
use std::ptr;

/// What a teacher and a student's base predict along one row, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Exposure {
    /// Σ over the sampled tokens of (p_T − p_0) · (z_T − z_0): the first-order pull of distilling the teacher on the row.
    pub jeffreys: f64,
    /// Σ log p_T(y) − log p_0(y). Where the base wrote the rows, exp of the running sum ever reaches 1/α with probability
    /// α at most; `rally.h` says under which assumptions.
    pub log_ratio: f64,
    /// Tokens that were counted.
    pub tokens: usize,
}

impl Runner {
    /// Compares this runner's model, the teacher, with a student's base along rows.
    ///
    /// `given`: tokens at the beginning of each row that were not sampled, such as its prompt's; `None`: 1 each.
    pub fn exposure(&mut self, base: &mut Runner, rows: &Rows, given: Option<&[usize]>) -> Result<Vec<Exposure>> {
        if given.is_some_and(|given| given.len() != rows.len()) {
            return Err(Error::new(
                Code::InvalidArgument,
                format!("given: expected one count per row, {}", rows.len()),
            ));
        }
        let (mut jeffreys, mut log_ratio) = (vec![0.0; rows.len()], vec![0.0; rows.len()]);
        let mut counts = vec![0; rows.len()];
        let mut scores = initialised(sys::rally_exposure_scores_init);
        scores.jeffreys = jeffreys.as_mut_ptr();
        scores.log_ratio = log_ratio.as_mut_ptr();
        scores.token_counts = counts.as_mut_ptr();
        let (tokens, offsets) = (rows.tokens().as_ptr(), rows.offsets().as_ptr());
        let given = given.map_or(ptr::null(), |given| given.as_ptr());
        let other = base.handle();
        self.watched(|handle, error| unsafe {
            sys::rally_exposure(handle, other, tokens, offsets, rows.len(), given, &scores, error)
        })?;
        let of_row = |row: usize| Exposure {
            jeffreys: jeffreys[row],
            log_ratio: log_ratio[row],
            tokens: counts[row],
        };
        Ok((0..rows.len()).map(of_row).collect())
    }
}
