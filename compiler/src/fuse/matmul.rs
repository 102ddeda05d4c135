//! Contractions with their epilogue.

use mm1_package::DType;

use super::Emitter;
use super::build::Build;
use super::rows::Exprs;
use crate::graph::Value;
use crate::kernel::{StageId, StageKind};

impl Emitter<'_> {
    pub fn emit_matmul(
        &mut self,
        group: usize,
        transpose_a: bool,
        transpose_b: bool,
    ) -> Result<(), String> {
        let graph = self.groups.graph;
        let (_, operands) = self.anchor(group);
        let mut build = self.start(group);
        let rank = build.axes.len();
        let (m, n) = (rank - 2, rank - 1);
        let a_dims = &graph.ty(operands[0]).dims;
        let inner = a_dims[a_dims.len() - if transpose_a { 2 } else { 1 }];
        let k = build.axis(inner, false);

        let mut a_axes = build.axes[..rank - 1].to_vec();
        a_axes.push(k);
        let mut a_domain = build.domain[..rank - 1].to_vec();
        a_domain.push(graph.bound(inner));
        let mut b_axes = build.axes.clone();
        b_axes[m] = k;
        let mut b_domain = build.domain.clone();
        b_domain[m] = graph.bound(inner);

        let factor = |this: &Self,
                      build: &mut Build,
                      value: Value,
                      transposed: bool,
                      axes: &[_],
                      domain: &[u64]| {
            this.load(build, value, axes, &|view| {
                let mut order: Vec<usize> = (0..view.dims.len()).collect();
                if transposed {
                    let last = order.len() - 1;
                    order.swap(last - 1, last);
                }
                Some(view.transpose(&order).broadcast(domain))
            })
        };
        let lhs = factor(
            self,
            &mut build,
            operands[0],
            transpose_a,
            &a_axes,
            &a_domain,
        )?;
        let rhs = factor(
            self,
            &mut build,
            operands[1],
            transpose_b,
            &b_axes,
            &b_domain,
        )?;

        let mut domain = build.axes.clone();
        domain.insert(n, k);
        let stage = build.kernel.stage(
            &domain,
            &[k],
            StageKind::Contract {
                lhs,
                rhs,
                operands: self.operand_type(&operands),
                window: None,
            },
        );
        self.finish_contraction(build, group, stage, graph.bound(inner))
    }

    /// What factors are multiplied as: bf16 where both of a contraction's are.
    pub(super) fn operand_type(&self, operands: &[Value]) -> DType {
        let graph = self.groups.graph;
        let bf16 = operands[..2]
            .iter()
            .all(|operand| graph.ty(*operand).dtype == DType::Bf16);
        if bf16 { DType::Bf16 } else { DType::F32 }
    }

    /// Stores a contraction's result through its epilogue; `folded` products make an element.
    pub(super) fn finish_contraction(
        &mut self,
        mut build: Build,
        group: usize,
        stage: StageId,
        folded: u64,
    ) -> Result<(), String> {
        let (anchor, _) = self.anchor(group);
        let tile = build.tile(stage);
        let tile = self.round_like(&mut build, anchor.into(), tile);
        build.values.insert(anchor.into(), tile);
        self.finish_domain(&mut build)?;
        build.flops = 2 * build.domain.iter().product::<u64>() * folded;
        self.finish(build, anchor, "");
        Ok(())
    }
}
