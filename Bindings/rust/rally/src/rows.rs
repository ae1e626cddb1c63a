/// Sequences of token ids of any lengths, laid end to end; never padded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    tokens: Vec<i32>,
    offsets: Vec<usize>,
}

impl Rows {
    /// No rows yet.
    pub fn new() -> Self {
        Rows {
            tokens: Vec::new(),
            offsets: vec![0],
        }
    }

    /// Adds one row.
    pub fn push(&mut self, tokens: &[i32]) {
        self.tokens.extend_from_slice(tokens);
        self.offsets.push(self.tokens.len());
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All tokens, row after row.
    pub fn tokens(&self) -> &[i32] {
        &self.tokens
    }

    /// Row i is `tokens()[offsets()[i]..offsets()[i + 1]]`.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }
}

impl Default for Rows {
    fn default() -> Self {
        Rows::new()
    }
}

impl<Row: AsRef<[i32]>> FromIterator<Row> for Rows {
    fn from_iter<I: IntoIterator<Item = Row>>(rows: I) -> Self {
        let mut all = Rows::new();
        for row in rows {
            all.push(row.as_ref());
        }
        all
    }
}

impl From<&[i32]> for Rows {
    fn from(row: &[i32]) -> Self {
        std::iter::once(row).collect()
    }
}
