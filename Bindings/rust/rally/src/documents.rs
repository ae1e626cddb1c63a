use crate::error::{check, initialised, Result};
use crate::runner::{room, seconds, Runner};
use crate::{Model, Rows};
use rally_sys as sys;
use std::time::Duration;

/// Which part of a document is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// What the model file says, or all windows.
    #[default]
    OfFile,
    /// All of it, window after window.
    Windows,
    /// One window, of its beginning.
    First,
    /// One window, of the beginning of what `characters` leaves around the middle.
    Middle,
    /// The first window and the one that ends with the document.
    Ends,
}

/// What the scores of several windows make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// What the model file says, or the mean.
    #[default]
    OfFile,
    /// Weighted by the windows' tokens.
    Mean,
    /// The highest.
    Max,
    /// The lowest.
    Min,
}

/// How documents are read, cut into windows and rated.
#[derive(Clone, Copy, Debug, Default)]
pub struct DocumentOptions {
    /// Which part is read; but for windows, `stride_tokens` and `max_windows` must be 0.
    pub reading: Reading,
    /// What the windows make.
    pub join: Join,
    /// [`Model::encode_document`]: Unicode scalars that are read of the beginning, to both sides of the middle, or of each
    /// end; 0: as the model file says, or all.
    pub characters: usize,
    /// [`Model::encode_document`]: `"[SEP]"` in a text becomes its one token; else it is these five characters.
    pub parse_special: bool,
    /// Tokens of a window; 0: as the model file says, or the rater's longest row.
    pub window_tokens: usize,
    /// Tokens from the beginning of a window to that of the next; 0: one window after the other.
    pub stride_tokens: usize,
    /// Windows of a document at most, spread evenly over it; 0: all.
    pub max_windows: usize,
    /// As in [`RateOptions`](crate::RateOptions), window by window.
    pub squash: bool,
    /// Give up after this long.
    pub timeout: Option<Duration>,
}

impl DocumentOptions {
    pub(crate) fn raw(&self) -> sys::rally_document_options {
        let mut raw = initialised(sys::rally_document_options_init);
        raw.window_tokens = self.window_tokens;
        raw.stride_tokens = self.stride_tokens;
        raw.max_windows = self.max_windows;
        raw.squash = i32::from(self.squash);
        raw.timeout_seconds = seconds(self.timeout);
        raw.reading = match self.reading {
            Reading::OfFile => sys::RALLY_READING_DEFAULT,
            Reading::Windows => sys::RALLY_READING_WINDOWS,
            Reading::First => sys::RALLY_READING_FIRST,
            Reading::Middle => sys::RALLY_READING_MIDDLE,
            Reading::Ends => sys::RALLY_READING_ENDS,
        };
        raw.join = match self.join {
            Join::OfFile => sys::RALLY_JOIN_DEFAULT,
            Join::Mean => sys::RALLY_JOIN_MEAN,
            Join::Max => sys::RALLY_JOIN_MAX,
            Join::Min => sys::RALLY_JOIN_MIN,
        };
        raw.characters = self.characters;
        raw.parse_special = i32::from(self.parse_special);
        raw
    }
}

/// What a rater says about one document. Where its outputs make no score, `score`, `mean` and `minimum` are NaN and `windows` is
/// empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocumentScore {
    /// What the reading makes of the windows.
    pub score: f32,
    /// Mean of the windows, weighted by their tokens.
    pub mean: f32,
    /// The lowest window.
    pub minimum: f32,
    /// Share of the tokens that were in a window.
    pub coverage: f32,
    /// Every window, in the order of the text.
    pub windows: Vec<f32>,
    /// The score within the file's bounds, rounded; `None` for a file without bounds.
    pub int_score: Option<i32>,
    /// What the reading makes of each output, as probabilities where the score rule makes some; empty for a rater of one.
    pub outputs: Vec<f32>,
}

impl Runner {
    /// Where the windows of each document begin among those of all, without computing anything: one more than documents.
    pub fn document_windows(model: &Model, rows: &Rows, options: DocumentOptions) -> Result<Vec<usize>> {
        let (raw, mut found) = (options.raw(), vec![0; rows.len() + 1]);
        let (tokens, offsets) = (rows.tokens().as_ptr(), rows.offsets().as_ptr());
        check(|error| unsafe {
            let found = found.as_mut_ptr();
            sys::rally_document_windows(model.handle(), tokens, offsets, rows.len(), &raw, found, error)
        })?;
        Ok(found)
    }

    /// Scores documents of any length, window by window.
    pub fn rate_documents(&mut self, rows: &Rows, options: DocumentOptions) -> Result<Vec<DocumentScore>> {
        let raw = options.raw();
        let (mut mean, mut minimum, mut coverage, mut joined) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut windows, mut ends, mut rounded) = (Vec::new(), Vec::new(), Vec::new());
        let mut scores = initialised(sys::rally_document_scores_init);
        let (labels, mut outputs) = (if self.label_count > 1 { self.label_count } else { 0 }, Vec::new());
        if labels > 0 {
            scores.outputs = room(&mut outputs, rows.len() * labels);
        }
        if self.has_score {
            scores.score = room(&mut joined, rows.len());
            scores.int_score = room(&mut rounded, rows.len());
            scores.mean = room(&mut mean, rows.len());
            scores.minimum = room(&mut minimum, rows.len());
            scores.window_capacity = rows.tokens().len(); // there are no more windows than tokens
            scores.window_scores = room(&mut windows, scores.window_capacity);
        }
        scores.coverage = room(&mut coverage, rows.len());
        scores.window_offsets = room(&mut ends, rows.len() + 1);
        let (tokens, offsets) = (rows.tokens().as_ptr(), rows.offsets().as_ptr());
        self.watched(|handle, error| unsafe {
            sys::rally_rate_documents(handle, tokens, offsets, rows.len(), &raw, &scores, error)
        })?;
        let of_document = |row: usize| DocumentScore {
            score: joined.get(row).copied().unwrap_or(f32::NAN),
            mean: mean.get(row).copied().unwrap_or(f32::NAN),
            minimum: minimum.get(row).copied().unwrap_or(f32::NAN),
            coverage: coverage[row],
            windows: windows.get(ends[row]..ends[row + 1]).unwrap_or_default().to_vec(),
            int_score: rounded.get(row).copied().filter(|&score| score != i32::MIN),
            outputs: outputs[row * labels..(row + 1) * labels].to_vec(),
        };
        Ok((0..rows.len()).map(of_document).collect())
    }
}
