use crate::error::{check, initialised, Result};
use crate::model::c_path;
use crate::watch::{Progress, Watcher};
use crate::Dtype;
use rally_sys as sys;
use std::ffi::c_char;
use std::path::Path;
use std::ptr;

/// Writes the model file at `from` to `to` with its matrices stored as `dtype`; the header says which and how.
///
/// On failure, what stood at `to` is untouched.
pub fn quantize(from: impl AsRef<Path>, to: impl AsRef<Path>, dtype: Dtype) -> Result<()> {
    quantize_with(from, to, dtype, &QuantizeOptions::default())
}

/// How [`quantize_with`] stores matrices.
#[derive(Clone, Debug, Default)]
pub struct QuantizeOptions {
    /// With [`Dtype::Int8`]: text like that which the model will read, to lose less.
    pub calibration_text: Option<String>,
    /// Hears the bytes of weights that were checked or stored, and those in all.
    pub progress: Option<Progress>,
}

/// As [`quantize`], with options.
pub fn quantize_with(
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
    dtype: Dtype,
    options: &QuantizeOptions,
) -> Result<()> {
    rewrite(
        from.as_ref(),
        to.as_ref(),
        &options.progress,
        |from, to, watcher, error| {
            let mut raw = initialised(sys::rally_quantize_options_init);
            raw.dtype = dtype.raw();
            (raw.calibration_text, raw.calibration_text_size) = text_of(&options.calibration_text);
            (raw.progress, raw.progress_user) = (watcher.progress_callback(), watcher.user());
            unsafe { sys::rally_quantize(from, to, &raw, error) }
        },
    )
}

/// How [`prepare_with`] packs a model.
#[derive(Clone, Debug, Default)]
pub struct PrepareOptions {
    /// What the matrix products are computed in; `None`: what the file's layers are stored in.
    pub dtype: Option<Dtype>,
    /// Threads that pack the weights; 0: as many as this process may use.
    pub threads: u32,
    /// With [`Dtype::Int8`]: as in [`QuantizeOptions`].
    pub calibration_text: Option<String>,
    /// Hears the bytes that were checked, packed or written, and those in all.
    pub progress: Option<Progress>,
}

/// Writes the model file at `from` to `to` with its weights packed, as a file that is mapped when it is opened, and whose pages
/// all processes share.
///
/// On failure, what stood at `to` is untouched.
pub fn prepare(from: impl AsRef<Path>, to: impl AsRef<Path>, dtype: Option<Dtype>) -> Result<()> {
    let options = PrepareOptions {
        dtype,
        ..PrepareOptions::default()
    };
    prepare_with(from, to, &options)
}

/// As [`prepare`], with options.
pub fn prepare_with(from: impl AsRef<Path>, to: impl AsRef<Path>, options: &PrepareOptions) -> Result<()> {
    rewrite(
        from.as_ref(),
        to.as_ref(),
        &options.progress,
        |from, to, watcher, error| {
            let mut raw = initialised(sys::rally_prepare_options_init);
            raw.dtype = options.dtype.map_or(sys::RALLY_DTYPE_AUTO, Dtype::raw);
            raw.threads = options.threads;
            (raw.calibration_text, raw.calibration_text_size) = text_of(&options.calibration_text);
            (raw.progress, raw.progress_user) = (watcher.progress_callback(), watcher.user());
            unsafe { sys::rally_model_prepare(from, to, &raw, error) }
        },
    )
}

/// Makes one file of another, and goes on with a panic of whoever watches.
fn rewrite(
    from: &Path,
    to: &Path,
    progress: &Option<Progress>,
    call: impl FnOnce(*const c_char, *const c_char, &Watcher, *mut sys::rally_error) -> sys::rally_status,
) -> Result<()> {
    let (from, to) = (c_path(from)?, c_path(to)?);
    let watcher = Watcher::new(progress.clone(), None);
    let outcome = check(|error| call(from.as_ptr(), to.as_ptr(), &watcher, error));
    watcher.finish();
    outcome
}

fn text_of(text: &Option<String>) -> (*const c_char, usize) {
    text.as_ref()
        .map_or((ptr::null(), 0), |text| (text.as_ptr().cast(), text.len()))
}
