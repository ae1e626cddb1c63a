use crate::error::{check, initialised, Code, Error, Result};
use crate::watch::{Log, Progress, Watcher};
use crate::{KvPolicy, Pool};
use rally_sys as sys;
use std::ffi::{c_char, CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;

/// A model file that was opened and checked. Any number of threads may share it.
#[derive(Debug)]
pub struct Model {
    handle: *mut sys::rally_model,
}

// SAFETY: the header says "any thread" for every function that takes a model.
unsafe impl Send for Model {}
unsafe impl Sync for Model {}

impl Drop for Model {
    fn drop(&mut self) {
        unsafe { sys::rally_model_close(self.handle) }
    }
}

/// How a model is opened.
#[derive(Clone, Debug, Default)]
pub struct ModelOptions {
    /// What the matrix products are computed in; `None`: what the file's layers are stored in.
    pub dtype: Option<Dtype>,
    /// Threads that pack the weights; 0: as many as this process may use.
    pub threads: u32,
    /// Largest file that is read; 0: no limit but ONNX's own.
    pub max_file_bytes: u64,
    /// Largest tensor that is read; 0: no limit.
    pub max_tensor_bytes: u64,
    /// A folder of prepared files, through one of which the model is opened; it is written where it is missing.
    pub cache_folder: Option<PathBuf>,
    /// Whether the weights of a prepared file are copied into memory instead of mapped and shared.
    pub copy_weights: bool,
    /// Whose threads pack the weights, with `threads` 0; `None`: threads of its own.
    pub pool: Option<Pool>,
    /// What the model may take with all runners and engines on it; 0: no limit. `rally.h` says what is counted.
    pub max_memory_bytes: u64,
    /// Hears how much of the file has been read, in bytes.
    pub progress: Option<Progress>,
    /// Hears what there is to say about the file.
    pub log: Option<Log>,
}

impl ModelOptions {
    /// Runs `call` with the options as C has them, on this thread only.
    fn lend<T>(&self, call: impl FnOnce(&sys::rally_model_options) -> Result<T>) -> Result<T> {
        let watcher = Watcher::new(self.progress.clone(), self.log.clone());
        let folder = self.cache_folder.as_deref().map(c_path).transpose()?;
        let outcome = call(&self.raw(&watcher, folder.as_deref()));
        watcher.finish();
        outcome
    }

    fn raw(&self, watcher: &Watcher, folder: Option<&CStr>) -> sys::rally_model_options {
        let mut raw = initialised(sys::rally_model_options_init);
        raw.dtype = self.dtype.map_or(sys::RALLY_DTYPE_AUTO, Dtype::raw);
        raw.threads = self.threads;
        raw.max_file_bytes = self.max_file_bytes;
        raw.max_tensor_bytes = self.max_tensor_bytes;
        raw.cache_folder = folder.map_or(ptr::null(), CStr::as_ptr);
        if self.copy_weights {
            raw.share_weights = sys::RALLY_OFF;
        }
        raw.pool = Pool::raw(self.pool.as_ref());
        raw.max_memory_bytes = self.max_memory_bytes;
        raw.progress = watcher.progress_callback();
        raw.progress_user = watcher.user();
        raw.log = watcher.log_callback();
        raw.log_user = watcher.user();
        raw
    }
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It continues text.
    LanguageModel,
    /// It scores text.
    Rater,
}

/// How a model chooses the depth of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// Every token runs all recursions.
    None,
    /// At each recursion a router decides which tokens go on.
    Expert,
    /// A router gives each token its depth at once.
    Token,
}

/// What a model is. Letters as in `rally.h`.
#[derive(Clone, Debug, PartialEq)]
pub struct Info {
    /// What it is for.
    pub kind: Kind,
    /// How it chooses depths.
    pub routing: Routing,
    /// What the matrix products are computed in.
    pub dtype: Dtype,
    /// V.
    pub vocab_size: usize,
    /// D.
    pub hidden_size: usize,
    /// H.
    pub num_attention_heads: usize,
    /// G.
    pub num_key_value_heads: usize,
    /// K.
    pub head_dim: usize,
    /// F.
    pub intermediate_size: usize,
    /// Longest row, in tokens.
    pub max_position_embeddings: usize,
    /// Stored layers.
    pub num_layers: usize,
    /// Layers that a token of full depth runs through.
    pub num_effective_layers: usize,
    /// R, the greatest depth.
    pub num_recursion: usize,
    /// Begins a text.
    pub bos_token_id: Option<i32>,
    /// Ends a text.
    pub eos_token_id: Option<i32>,
    /// Whether text can be encoded.
    pub has_tokenizer: bool,
    /// Stored parameters.
    pub parameter_count: u64,
    /// Parameters with the block counted once per recursion.
    pub effective_parameter_count: u64,
    /// Packed weights, in memory.
    pub weight_bytes: u64,
    /// Keys and values of a token of full depth.
    pub kv_bytes_per_token: u64,
    /// How tokens leave a looped model early, and the threshold of the file.
    pub exit: Option<(Exit, f64)>,
    /// What later tokens see of skipped recursions, as the file says; [`KvPolicy::Model`] without exits.
    pub kv_policy: KvPolicy,
    /// Outputs of a rater; 0 for language models.
    pub num_labels: usize,
    /// How one score comes from them.
    pub score_rule: ScoreRule,
    /// Whether the rule makes one score, which [`Runner::rate`](crate::Runner::rate) gives.
    pub has_score: bool,
    /// The label whose output is the score.
    pub score_index: Option<usize>,
}

/// The rule by which a token leaves a looped model before its last recursion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Where the probability of having left has reached the threshold.
    Hazard,
    /// Where the state's relative change is below the threshold.
    LatentDiff,
}

/// How one score comes from the outputs of a rater.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreRule {
    /// It does not.
    None,
    /// One output.
    Logit,
    /// The sum of value times softmax, with a value for each label.
    Expectation,
    /// The softmax of one label.
    Softmax,
    /// The sigmoid of one label.
    Sigmoid,
}

/// One weight tensor of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// As docs/format.md names it.
    pub name: String,
    /// As stored: `f32`, `f16`, `bf16`, `int8` or `q4`.
    pub dtype: String,
    /// Extents.
    pub shape: Vec<usize>,
    /// As stored.
    pub byte_count: u64,
}

impl Model {
    /// Opens the model file at `path`, checks all of it and packs the weights.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Model::open_with(path, &ModelOptions::default())
    }

    /// As [`Model::open`], with options.
    pub fn open_with(path: impl AsRef<Path>, options: &ModelOptions) -> Result<Self> {
        let path = c_path(path.as_ref())?;
        options.lend(|options| {
            let mut handle = ptr::null_mut();
            check(|error| unsafe { sys::rally_model_open(path.as_ptr(), options, &mut handle, error) })?;
            Ok(Model { handle })
        })
    }

    /// Opens a model from bytes, which are not needed afterwards.
    pub fn from_bytes(bytes: &[u8], options: &ModelOptions) -> Result<Self> {
        let (data, size) = (bytes.as_ptr().cast(), bytes.len());
        options.lend(|options| {
            let mut handle = ptr::null_mut();
            check(|error| unsafe { sys::rally_model_open_memory(data, size, options, &mut handle, error) })?;
            Ok(Model { handle })
        })
    }

    /// Checks the file as opening does, and keeps nothing.
    pub fn validate(path: impl AsRef<Path>, options: &ModelOptions) -> Result<()> {
        let path = c_path(path.as_ref())?;
        options.lend(|options| check(|error| unsafe { sys::rally_model_validate(path.as_ptr(), options, error) }))
    }

    /// What the model is.
    pub fn info(&self) -> Result<Info> {
        let mut raw = initialised(sys::rally_model_info_init);
        check(|error| unsafe { sys::rally_model_get_info(self.handle, &mut raw, error) })?;
        let token = |id: i32| (id >= 0).then_some(id);
        Ok(Info {
            kind: if raw.kind == sys::RALLY_KIND_RATER {
                Kind::Rater
            } else {
                Kind::LanguageModel
            },
            routing: match raw.routing {
                sys::RALLY_ROUTING_EXPERT => Routing::Expert,
                sys::RALLY_ROUTING_TOKEN => Routing::Token,
                _ => Routing::None,
            },
            dtype: Dtype::from_raw(raw.dtype),
            vocab_size: raw.vocab_size as usize,
            hidden_size: raw.hidden_size as usize,
            num_attention_heads: raw.num_attention_heads as usize,
            num_key_value_heads: raw.num_key_value_heads as usize,
            head_dim: raw.head_dim as usize,
            intermediate_size: raw.intermediate_size as usize,
            max_position_embeddings: raw.max_position_embeddings as usize,
            num_layers: raw.num_layers as usize,
            num_effective_layers: raw.num_effective_layers as usize,
            num_recursion: raw.num_recursion as usize,
            bos_token_id: token(raw.bos_token_id),
            eos_token_id: token(raw.eos_token_id),
            has_tokenizer: raw.has_tokenizer != 0,
            parameter_count: raw.parameter_count,
            effective_parameter_count: raw.effective_parameter_count,
            weight_bytes: raw.weight_bytes,
            kv_bytes_per_token: raw.kv_bytes_per_token,
            exit: match raw.exit {
                sys::RALLY_EXIT_HAZARD => Some((Exit::Hazard, raw.exit_threshold)),
                sys::RALLY_EXIT_LATENT_DIFF => Some((Exit::LatentDiff, raw.exit_threshold)),
                _ => None,
            },
            kv_policy: KvPolicy::from_raw(raw.kv_policy),
            num_labels: raw.num_labels as usize,
            score_rule: match raw.score_rule {
                sys::RALLY_SCORE_LOGIT => ScoreRule::Logit,
                sys::RALLY_SCORE_EXPECTATION => ScoreRule::Expectation,
                sys::RALLY_SCORE_SOFTMAX => ScoreRule::Softmax,
                sys::RALLY_SCORE_SIGMOID => ScoreRule::Sigmoid,
                _ => ScoreRule::None,
            },
            has_score: raw.has_score != 0,
            score_index: usize::try_from(raw.score_index).ok(),
        })
    }

    /// The names of a rater's outputs; none for a language model.
    pub fn labels(&self) -> Vec<String> {
        (0..)
            .map(|index| unsafe { sys::rally_model_label(self.handle, index) })
            .take_while(|name| !name.is_null())
            .map(owned)
            .collect()
    }

    /// All metadata pairs, in the order of the file.
    pub fn metadata(&self) -> Result<Vec<(String, String)>> {
        let count = unsafe { sys::rally_model_metadata_count(self.handle) };
        (0..count)
            .map(|index| {
                let (mut key, mut value) = (ptr::null(), ptr::null());
                check(|error| unsafe {
                    sys::rally_model_metadata_at(self.handle, index, &mut key, &mut value, error)
                })?;
                Ok((owned(key), owned(value)))
            })
            .collect()
    }

    /// The value of one metadata key; [`Code::MissingKey`] where there is none.
    pub fn metadata_value(&self, key: &str) -> Result<String> {
        let key =
            CString::new(key).map_err(|_| Error::new(Code::InvalidArgument, "key: expected no NUL byte, found one"))?;
        let mut value = ptr::null();
        check(|error| unsafe { sys::rally_model_metadata_get(self.handle, key.as_ptr(), &mut value, error) })?;
        Ok(owned(value))
    }

    /// The weight tensors, in the order of docs/format.md.
    pub fn tensors(&self) -> Result<Vec<Tensor>> {
        let count = unsafe { sys::rally_model_tensor_count(self.handle) };
        (0..count)
            .map(|index| {
                let mut raw = initialised(sys::rally_tensor_info_init);
                check(|error| unsafe { sys::rally_model_tensor_at(self.handle, index, &mut raw, error) })?;
                let shape = raw
                    .shape
                    .iter()
                    .take(raw.rank as usize)
                    .map(|&extent| extent as usize)
                    .collect();
                Ok(Tensor {
                    name: owned(raw.name),
                    dtype: owned(raw.dtype),
                    shape,
                    byte_count: raw.byte_count,
                })
            })
            .collect()
    }

    pub(crate) fn handle(&self) -> *const sys::rally_model {
        self.handle
    }
}

/// The elements of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit floating point.
    F32,
    /// bfloat16.
    Bf16,
    /// Eight bits, with a scale for every 32 inputs of an output channel.
    Int8,
    /// Four bits, with such a scale; the head has eight.
    Q4,
}

impl Dtype {
    pub(crate) fn raw(self) -> sys::rally_dtype {
        match self {
            Dtype::F32 => sys::RALLY_DTYPE_F32,
            Dtype::Bf16 => sys::RALLY_DTYPE_BF16,
            Dtype::Int8 => sys::RALLY_DTYPE_INT8,
            Dtype::Q4 => sys::RALLY_DTYPE_Q4,
        }
    }

    fn from_raw(raw: sys::rally_dtype) -> Self {
        match raw {
            sys::RALLY_DTYPE_BF16 => Dtype::Bf16,
            sys::RALLY_DTYPE_INT8 => Dtype::Int8,
            sys::RALLY_DTYPE_Q4 => Dtype::Q4,
            _ => Dtype::F32,
        }
    }
}

pub(crate) fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(Code::InvalidArgument, "path: expected no NUL byte, found one"))
}

/// A copy of a string of the library's.
pub(crate) fn owned(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the library gives terminated strings.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
