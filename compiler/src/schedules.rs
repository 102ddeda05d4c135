//! Schedules of products for cards that a measurement chose, in place of the compiler's estimate.
//!
//! A schedule belongs to a kernel, which is named by its hash: to no model and to no launch. Whoever
//! compiles says which file of schedules it takes, so a package is still a function of what it is made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a product runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Parts of the folded axis; 1 leaves it whole.
    pub parts: u64,
    /// Hash of the kernel that multiplies: the product, or its parts'.
    pub multiplies: String,
    /// Rows and columns of a tile.
    pub tile: [u32; 2],
    /// Blocks on one multiprocessor.
    pub blocks: u32,
}

/// Schedules by the hash of the product as fusion makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedules {
    chosen: BTreeMap<String, Schedule>,
    /// Blocks by the hash of the kernel that multiplies.
    blocks: BTreeMap<String, ([u32; 2], u32)>,
    /// Whether products without a schedule stay whole.
    whole: bool,
}

impl Schedules {
    /// No schedules, and every product whole.
    pub fn whole() -> Self {
        Self {
            whole: true,
            ..Self::default()
        }
    }

    /// Adds the schedule of a product, or replaces it.
    pub fn insert(&mut self, product: String, schedule: Schedule) {
        let blocks = (schedule.tile, schedule.blocks);
        self.blocks.insert(schedule.multiplies.clone(), blocks);
        self.chosen.insert(product, schedule);
    }

    /// The schedule of a product.
    pub fn get(&self, product: &str) -> Option<&Schedule> {
        self.chosen.get(product)
    }

    /// All, by the hash of the product.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Schedule)> {
        self.chosen.iter().map(|(hash, it)| (hash.as_str(), it))
    }

    /// Tile and blocks of a kernel that multiplies.
    pub fn blocks(&self, multiplies: &str) -> Option<([u32; 2], u32)> {
        self.blocks.get(multiplies).copied()
    }

    /// Parts of a product's folded axis; `None` leaves them to the estimate.
    pub fn parts(&self, product: &str) -> Option<u64> {
        let known = self.get(product).map(|it| it.parts);
        known.or(self.whole.then_some(1))
    }
}
