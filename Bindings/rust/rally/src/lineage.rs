use crate::error::{check, initialised, Code, Error, Result};
use crate::model::{c_path, owned};
use crate::watch::{Progress, Watcher};
use rally_sys as sys;
use std::ffi::CString;
use std::path::Path;
use std::ptr;

/// How a lineage test is run.
#[derive(Clone, Debug, Default)]
pub struct LineageOptions {
    /// Random pairings that the true one is compared with; 0: 9999.
    pub permutations: u64,
    /// Of the pairings; the same seed gives the same report.
    pub seed: u64,
    /// 0: as many as this process may use. Without influence on the report.
    pub threads: u32,
    /// Hears how many sets of units were compared.
    pub progress: Option<Progress>,
}

/// A matrix [units, columns] f32, row-major, whose rows are hidden units.
#[derive(Clone, Copy, Debug)]
pub struct UnitMatrix<'a> {
    /// Those of one name are partners; `head` and `lm_head` are the output head.
    pub name: &'a str,
    /// Matrices of one set have the same units; `None`: its own.
    pub set: Option<&'a str>,
    /// A multiple of `columns` numbers.
    pub data: &'a [f32],
    /// Numbers of one unit.
    pub columns: usize,
}

/// What a lineage test says; calibrated on a toy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// p ≥ 0.001. No proof: a checkpoint whose units were permuted evades the test.
    NotSeen,
    /// p < 0.001, ρ < 0.75.
    Shared,
    /// p < 0.001, ρ from 0.75 on.
    PartialExposure,
    /// p < 0.001, ρ from 0.95 on.
    StrongExposure,
}

impl Verdict {
    fn raw(self) -> sys::rally_lineage_verdict {
        match self {
            Verdict::NotSeen => sys::RALLY_LINEAGE_NOT_SEEN,
            Verdict::Shared => sys::RALLY_LINEAGE_SHARED,
            Verdict::PartialExposure => sys::RALLY_LINEAGE_PARTIAL,
            Verdict::StrongExposure => sys::RALLY_LINEAGE_STRONG,
        }
    }

    fn new(raw: sys::rally_lineage_verdict) -> Self {
        match raw {
            sys::RALLY_LINEAGE_SHARED => Verdict::Shared,
            sys::RALLY_LINEAGE_PARTIAL => Verdict::PartialExposure,
            sys::RALLY_LINEAGE_STRONG => Verdict::StrongExposure,
            _ => Verdict::NotSeen,
        }
    }

    /// One line, with what it does not prove.
    pub fn text(self) -> &'static str {
        crate::static_text(unsafe { sys::rally_lineage_verdict_text(self.raw()) })
    }
}

/// How well hidden units match, pair by pair.
#[derive(Clone, Debug, PartialEq)]
pub struct LineageMatch {
    /// Of the matrix in A, or of the set.
    pub name: String,
    /// The set that the matrix belongs to.
    pub set: String,
    /// Units that were compared.
    pub units: usize,
    /// Units that there are.
    pub all_units: usize,
    /// Mean cosine of the pairs, less that of all units.
    pub rho: f64,
    /// The same in standard deviations of random pairings.
    pub z: f64,
    /// (1 + reached) / (1 + permutations).
    pub p: f64,
    /// Permutations that matched as well; 0: p < 1 / (1 + permutations) is all that is known.
    pub reached: u64,
}

/// What a lineage test found.
#[derive(Clone, Debug, PartialEq)]
pub struct LineageReport {
    /// From p and ρ.
    pub verdict: Verdict,
    /// Of all sets, by Fisher's method.
    pub p: f64,
    /// Of all sets, each counted by its units.
    pub rho: f64,
    /// Random pairings.
    pub permutations: u64,
    /// One per matrix; those of one set depend on each other.
    pub tensors: Vec<LineageMatch>,
    /// Matrices that share their units, as one.
    pub sets: Vec<LineageMatch>,
    /// The output head, apart.
    pub head: Option<LineageMatch>,
}

/// Tests whether two models come from one initialisation: model files, `.safetensors` files, or folders as Hugging Face's
/// libraries save them.
pub fn lineage(a: impl AsRef<Path>, b: impl AsRef<Path>, options: &LineageOptions) -> Result<LineageReport> {
    let (a, b) = (c_path(a.as_ref())?, c_path(b.as_ref())?);
    report(options, |options, report, error| unsafe {
        sys::rally_lineage(a.as_ptr(), b.as_ptr(), options, report, error)
    })
}

/// The same for matrices; those of one name are partners.
pub fn lineage_matrices(a: &[UnitMatrix], b: &[UnitMatrix], options: &LineageOptions) -> Result<LineageReport> {
    let (a, b) = (Lent::new(a)?, Lent::new(b)?);
    report(options, |options, report, error| unsafe {
        sys::rally_lineage_matrices(
            a.raw.as_ptr(),
            a.raw.len(),
            b.raw.as_ptr(),
            b.raw.len(),
            options,
            report,
            error,
        )
    })
}

/// Matrices as C has them, and the texts that they point to.
struct Lent {
    raw: Vec<sys::rally_matrix>,
    _texts: Vec<CString>,
}

impl Lent {
    fn new(matrices: &[UnitMatrix]) -> Result<Self> {
        let (mut raw, mut texts) = (Vec::new(), Vec::new());
        for matrix in matrices {
            if matrix.columns == 0 || matrix.data.len() % matrix.columns != 0 {
                return Err(Error::new(
                    Code::InvalidShape,
                    format!("{}: expected whole rows, found a rest", matrix.name),
                ));
            }
            let mut lend = |text: &str| {
                let text = CString::new(text)
                    .map_err(|_| Error::new(Code::InvalidArgument, "name: expected no NUL byte, found one"))?;
                let pointer = text.as_ptr();
                texts.push(text);
                Ok(pointer)
            };
            let mut value = initialised(sys::rally_matrix_init);
            value.name = lend(matrix.name)?;
            value.set = matrix.set.map_or(Ok(ptr::null()), lend)?;
            value.data = matrix.data.as_ptr();
            value.rows = matrix.data.len() / matrix.columns;
            value.columns = matrix.columns;
            raw.push(value);
        }
        Ok(Lent { raw, _texts: texts })
    }
}

fn report(
    options: &LineageOptions,
    compare: impl Fn(
        *const sys::rally_lineage_options,
        *mut *mut sys::rally_lineage_report,
        *mut sys::rally_error,
    ) -> sys::rally_status,
) -> Result<LineageReport> {
    let watcher = Watcher::new(options.progress.clone(), None);
    let mut raw = initialised(sys::rally_lineage_options_init);
    if options.permutations != 0 {
        raw.permutations = options.permutations;
    }
    raw.seed = options.seed;
    raw.threads = options.threads;
    raw.progress = watcher.progress_callback();
    raw.progress_user = watcher.user();
    let mut handle = Open(ptr::null_mut());
    let outcome = check(|error| compare(&raw, &mut handle.0, error));
    watcher.finish();
    outcome?;
    handle.read()
}

/// A report that is closed with its owner.
struct Open(*mut sys::rally_lineage_report);

impl Drop for Open {
    fn drop(&mut self) {
        unsafe { sys::rally_lineage_close(self.0) }
    }
}

impl Open {
    fn read(&self) -> Result<LineageReport> {
        let mut result = initialised(sys::rally_lineage_result_init);
        check(|error| unsafe { sys::rally_lineage_get_result(self.0, &mut result, error) })?;
        Ok(LineageReport {
            verdict: Verdict::new(result.verdict),
            p: result.p,
            rho: result.rho,
            permutations: result.permutations,
            tensors: self.matches(sys::RALLY_LINEAGE_TENSORS, result.tensor_count)?,
            sets: self.matches(sys::RALLY_LINEAGE_SETS, result.set_count)?,
            head: self.matches(sys::RALLY_LINEAGE_HEAD, result.head_count)?.pop(),
        })
    }

    fn matches(&self, kind: sys::rally_lineage_kind, count: usize) -> Result<Vec<LineageMatch>> {
        (0..count)
            .map(|index| {
                let mut entry = initialised(sys::rally_lineage_entry_init);
                check(|error| unsafe { sys::rally_lineage_entry_at(self.0, kind, index, &mut entry, error) })?;
                Ok(LineageMatch {
                    name: owned(entry.name),
                    set: owned(entry.set),
                    units: entry.units,
                    all_units: entry.all_units,
                    rho: entry.rho,
                    z: entry.z,
                    p: entry.p,
                    reached: entry.reached,
                })
            })
            .collect()
    }
}
