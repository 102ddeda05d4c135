//! Choosing schedules of products by measurement, round by round.
//!
//! A round is a whole package in which every product runs in its next way; all of them are timed
//! where they are used, beside the kernels that they run beside. [`Tuning`] says what to compile for a
//! round and takes the times; who has a card compiles and times.

use std::collections::BTreeMap;

use mm1_dsl::model::Model;

use crate::build::Purpose;
use crate::codegen::nvgpu::gemm::ways;
use crate::compile::{CompileError, Options, plan_for};
use crate::schedules::{Schedule, Schedules};

/// Share of the estimate's time that another way must save: less is noise.
const LEAST_GAIN: f64 = 0.02;

/// A product and what has been measured of it.
#[derive(Clone, Debug)]
pub struct Product {
    /// Hash of its kernel, as fusion makes it.
    pub hash: String,
    /// What a person knows it by.
    pub name: String,
    /// Ways to run it, the estimate's own choice first.
    pub ways: Vec<Schedule>,
    /// Seconds of all its launches, by way, as far as measured.
    pub seconds: Vec<f64>,
    /// Program and launch of each use.
    uses: Vec<(String, String)>,
}

/// A measurement under way.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// All products of the model that are measured.
    pub products: Vec<Product>,
    known: Schedules,
    round: usize,
}

/// Seconds of launches, by program and launch.
pub type Times = BTreeMap<(String, String), f64>;

impl Tuning {
    /// The products of a model's programs `programs` that `known` has no schedule of, each in at most
    /// `most` ways.
    ///
    /// # Errors
    /// A model that cannot be planned.
    pub fn new(
        model: &Model,
        options: &Options,
        programs: &[&str],
        most: usize,
        known: &Schedules,
    ) -> Result<Self, CompileError> {
        let whole = Options {
            schedules: Schedules::whole(),
            ..options.clone()
        };
        let planned = plan_for(model, Purpose::All, &whole)?;
        let mut products: Vec<Product> = Vec::new();
        for program in &planned.programs {
            let name = &program.source.name;
            if !programs.contains(&name.as_str()) {
                continue;
            }
            for call in &program.fused.calls {
                let hash = call.kernel.hash();
                if known.get(&hash).is_some() {
                    continue;
                }
                let found = products.iter().position(|it| it.hash == hash);
                let at = found.unwrap_or_else(|| {
                    let mut ways = ways(&call.kernel);
                    ways.truncate(most.max(1));
                    products.push(Product {
                        hash,
                        name: call.name.clone(),
                        ways,
                        seconds: Vec::new(),
                        uses: Vec::new(),
                    });
                    products.len() - 1
                });
                products[at].uses.push((name.clone(), call.name.clone()));
            }
        }
        products.retain(|it| !it.ways.is_empty());
        Ok(Self {
            products,
            known: known.clone(),
            round: 0,
        })
    }

    /// Rounds in all.
    pub fn rounds(&self) -> usize {
        let ways = self.products.iter().map(|it| it.ways.len());
        ways.max().unwrap_or(0)
    }

    /// Schedules to compile the model with for the next round.
    pub fn next(&self) -> Option<Schedules> {
        if self.round == self.rounds() {
            return None;
        }
        let mut schedules = self.known.clone();
        for product in &self.products {
            let way = product.ways.get(self.round).unwrap_or(&product.ways[0]);
            schedules.insert(product.hash.clone(), way.clone());
        }
        Some(schedules)
    }

    /// Takes the times of a round's package.
    pub fn record(&mut self, times: &Times) {
        for product in &mut self.products {
            if self.round >= product.ways.len() {
                continue;
            }
            // The launch that adds up the parts is part of it.
            let of_use = |(program, launch): &(String, String)| -> f64 {
                let of = |launch: String| times.get(&(program.clone(), launch)).copied();
                let sum = of(format!("{launch}'sum")).unwrap_or(0.0);
                // Budgets of memory may make another round leave a launch out: it says nothing then.
                of(launch.clone()).map_or(f64::INFINITY, |seconds| seconds + sum)
            };
            let seconds = product.uses.iter().map(of_use).sum();
            product.seconds.push(seconds);
        }
        self.round += 1;
    }

    /// What was known before, and the fastest way of every product.
    pub fn best(&self) -> Schedules {
        let mut schedules = self.known.clone();
        for product in &self.products {
            if let Some(way) = product.best() {
                schedules.insert(product.hash.clone(), product.ways[way].clone());
            }
        }
        schedules
    }
}

impl Product {
    /// Number of the fastest way, if any was measured.
    pub fn best(&self) -> Option<usize> {
        let own = *self.seconds.first()?;
        let all = self.seconds.iter().enumerate();
        let (fastest, seconds) = all.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let gains = *seconds < own * (1.0 - LEAST_GAIN);
        Some(if gains { fastest } else { 0 })
    }

    /// Launches of a step's programs that it has.
    pub fn uses(&self) -> usize {
        self.uses.len()
    }
}
