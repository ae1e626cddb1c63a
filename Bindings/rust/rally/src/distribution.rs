use crate::error::{check, initialised, Result};
use crate::select::text;
use crate::tokenizer::fill;
use rally_sys as sys;
use std::ffi::CStr;
use std::ptr;

/// The distribution of any number of scores in little memory: exact while there are at most `capacity`, and within
/// [`rank_error`](Distribution::rank_error) of a rank beyond. Reads may run together.
#[derive(Debug)]
pub struct Distribution {
    handle: *mut sys::rally_distribution,
}

// SAFETY: the header says "any thread" for every function that takes a distribution.
unsafe impl Send for Distribution {}
unsafe impl Sync for Distribution {}

impl Drop for Distribution {
    fn drop(&mut self) {
        unsafe { sys::rally_distribution_close(self.handle) }
    }
}

impl Distribution {
    /// Opens an empty distribution of the default capacity.
    ///
    /// `label`: what the scores are of, such as rater, mode and windows.
    pub fn new(label: &str) -> Result<Self> {
        Distribution::with_capacity(label, 0)
    }

    /// As [`Distribution::new`]; keeps `capacity` scores of each doubling: even, 8 to 2^20, or 0 for 4096.
    pub fn with_capacity(label: &str, capacity: usize) -> Result<Self> {
        let label = text("label", label)?;
        let mut handle = ptr::null_mut();
        check(|error| unsafe { sys::rally_distribution_open(label.as_ptr(), capacity, &mut handle, error) })?;
        Ok(Distribution { handle })
    }

    /// Opens what [`Distribution::to_bytes`] gave.
    pub fn from_bytes(data: &[u8]) -> Result<Self> {
        let mut handle = ptr::null_mut();
        check(|error| unsafe { sys::rally_distribution_load(data.as_ptr().cast(), data.len(), &mut handle, error) })?;
        Ok(Distribution { handle })
    }

    /// All of it, with label and checksum: the same scores in the same order give the same bytes on every machine.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        fill(0u8, |data, capacity, size, error| unsafe {
            sys::rally_distribution_save(self.handle, data.cast(), capacity, size, error)
        })
    }

    /// Adds scores, infinities included; on an error none.
    pub fn add(&mut self, scores: &[f32]) -> Result<()> {
        check(|error| unsafe { sys::rally_distribution_add(self.handle, scores.as_ptr(), scores.len(), error) })
    }

    /// Adds all that another distribution of the same label and capacity has seen.
    pub fn merge(&mut self, other: &Distribution) -> Result<()> {
        check(|error| unsafe { sys::rally_distribution_merge(self.handle, other.handle, error) })
    }

    /// The mid-rank of each score: (scores below it + half of those equal to it) / all.
    pub fn cdf(&self, scores: &[f32]) -> Result<Vec<f64>> {
        let mut found = vec![0.0; scores.len()];
        check(|error| unsafe {
            sys::rally_distribution_cdf(self.handle, scores.as_ptr(), scores.len(), found.as_mut_ptr(), error)
        })?;
        Ok(found)
    }

    /// The lowest score that the share p of all does not exceed: the minimum at 0, the maximum at 1.
    pub fn quantile(&self, shares: &[f64]) -> Result<Vec<f32>> {
        let mut found = vec![0.0; shares.len()];
        check(|error| unsafe {
            sys::rally_distribution_quantile(self.handle, shares.as_ptr(), shares.len(), found.as_mut_ptr(), error)
        })?;
        Ok(found)
    }

    /// What the scores are of.
    pub fn label(&self) -> Result<String> {
        // SAFETY: terminated, and alive as long as the distribution is open.
        let label = unsafe { CStr::from_ptr(self.info()?.label) };
        Ok(label.to_string_lossy().into_owned())
    }

    /// Scores that were added.
    pub fn count(&self) -> Result<u64> {
        Ok(self.info()?.count)
    }

    /// The least and the greatest of all scores; `None` while there are none.
    pub fn range(&self) -> Result<Option<(f32, f32)>> {
        let info = self.info()?;
        Ok((info.count > 0).then_some((info.minimum, info.maximum)))
    }

    /// No quantile is wrong by more than this share of all scores; certain, not likely.
    pub fn rank_error(&self) -> Result<f64> {
        Ok(self.info()?.rank_error)
    }

    /// Scores that are kept of each doubling.
    pub fn capacity(&self) -> Result<usize> {
        Ok(self.info()?.capacity)
    }

    fn info(&self) -> Result<sys::rally_distribution_info> {
        let mut info = initialised(sys::rally_distribution_info_init);
        check(|error| unsafe { sys::rally_distribution_get_info(self.handle, &mut info, error) })?;
        Ok(info)
    }
}
