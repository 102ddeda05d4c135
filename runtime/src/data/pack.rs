//! Packing: examples side by side in sequences, one segment each.

use crate::data::layout::{Cell, Example};
use crate::data::source::Fault;
use crate::data::{Batch, BatchShape, Cursor, DataConfig, LossNormalization, SourceStats};

/// A batch in the making.
pub(crate) struct Packer<'a> {
    config: &'a DataConfig,
    shape: BatchShape,
    pub(crate) batch: Batch,
    /// Pictures in the open sequence.
    pictures: usize,
    /// Loss rows before the open sequence.
    sequence_rows: usize,
    /// Flat position where the open sequence began.
    pub(super) begin: usize,
}

impl<'a> Packer<'a> {
    /// An empty batch whose first sequence is open.
    pub(crate) fn new(config: &'a DataConfig, shape: BatchShape) -> Self {
        let mut batch = Batch::default();
        let names = config.sources.iter();
        batch.stats.sources = names
            .map(|source| SourceStats {
                name: source.name.clone(),
                ..SourceStats::default()
            })
            .collect();
        Self {
            config,
            shape,
            batch,
            pictures: 0,
            sequence_rows: 0,
            begin: 0,
        }
    }

    /// Whether the open sequence has room for an example, and the batch for its images.
    pub(crate) fn fits(&self, example: &Example, quota: usize) -> bool {
        let used = self.batch.tokens.len() - self.begin;
        let images = example.images.len();
        used + example.cells.len() <= self.shape.length
            && self.pictures + example.pictures <= self.config.max_images
            && self.batch.image_count + images <= quota
    }

    /// Appends an example to the open sequence as a segment of its own.
    pub(crate) fn place(
        &mut self,
        source: usize,
        sample: u64,
        example: &Example,
        faults: Vec<Fault>,
    ) {
        let batch = &mut self.batch;
        let first_row = batch.loss_rows.len();
        let first = batch.tokens.len();
        let segment = (first - self.begin) as i32;
        let image_tokens = self.shape.cells_per_image();
        let mut text = 0;
        for (i, cell) in example.cells.iter().enumerate() {
            let (token, row) = match *cell {
                Cell::Text { id, .. } | Cell::Mark { id } => (id as i32, -1),
                Cell::Image { image, token } => {
                    let image = batch.image_count + image as usize;
                    (-1, (image * image_tokens + token as usize) as i32)
                }
            };
            text += u64::from(matches!(cell, Cell::Text { .. }));
            batch.tokens.push(token);
            batch.image_rows.push(row);
            batch.positions.push(i as i32);
            batch.segment_begin.push(segment);
            // The last position of the segment has no successor here, so it predicts nothing.
            if let Some(Cell::Text { id, target: true }) = example.cells.get(i + 1) {
                batch.loss_rows.push((first + i) as i32);
                batch.loss_targets.push(*id as i32);
            }
        }
        let counted = batch.loss_rows.len() - first_row;
        let weight = match self.config.loss_normalization {
            LossNormalization::Example => 1.0 / counted as f32,
            // Sequence weights are set when the sequence is closed.
            LossNormalization::Token | LossNormalization::Sequence => 1.0,
        };
        batch.loss_weights.resize(batch.loss_rows.len(), weight);
        for image in &example.images {
            batch.images.extend_from_slice(image);
        }
        batch.image_count += example.images.len();
        self.pictures += example.pictures;
        let image = example.cells.len() as u64 - text;
        batch.faults.extend(faults);
        batch.examples.push((source as u32, sample));
        batch.stats.examples += 1;
        batch.stats.text_tokens += text;
        batch.stats.image_tokens += image;
        let stats = &mut batch.stats.sources[source];
        stats.examples += 1;
        stats.text_tokens += text;
        stats.image_tokens += image;
    }

    /// Pads the open sequence and opens the next.
    pub(crate) fn close(&mut self) {
        let batch = &mut self.batch;
        let end = self.begin + self.shape.length;
        for position in batch.tokens.len() - self.begin..self.shape.length {
            batch.segment_begin.push(position as i32);
            batch.stats.padding += 1;
        }
        batch.tokens.resize(end, -1);
        batch.image_rows.resize(end, -1);
        batch.positions.resize(end, 0);
        if self.config.loss_normalization == LossNormalization::Sequence {
            let counted = batch.loss_rows.len() - self.sequence_rows;
            batch.loss_weights[self.sequence_rows..].fill(1.0 / counted.max(1) as f32);
        }
        self.begin = end;
        self.pictures = 0;
        self.sequence_rows = batch.loss_rows.len();
    }

    /// The batch, with the totals of the cursor after it.
    pub(crate) fn finish(self, after: &Cursor) -> Batch {
        let mut batch = self.batch;
        for (stats, cursor) in batch.stats.sources.iter_mut().zip(&after.sources) {
            stats.epochs = cursor.epoch as f64 + cursor.position as f64 / cursor.samples as f64;
            stats.bad_samples = cursor.bad;
        }
        batch.stats.bad_samples = after.sources.iter().map(|s| s.bad).sum();
        batch
    }
}
