//! Contractions with their epilogue.

use mm1_package::DType;

use super::Emitter;
use crate::graph::Value;
use crate::kernel::{Expr, StageKind};

impl Emitter<'_> {
    pub fn emit_matmul(
        &mut self,
        group: usize,
        transpose_a: bool,
        transpose_b: bool,
    ) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
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
                      build: &mut super::build::Build,
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
        let bf16 = operands
            .iter()
            .all(|operand| graph.ty(*operand).dtype == DType::Bf16);
        let dtype = if bf16 { DType::Bf16 } else { DType::F32 };

        let mut domain = build.axes.clone();
        domain.insert(n, k);
        let stage = build.kernel.stage(
            &domain,
            &[k],
            StageKind::Contract {
                lhs,
                rhs,
                operands: dtype,
                window: None,
            },
        );
        let mut tile = build.kernel.expr(Expr::Tile { stage, result: 0 });
        if graph.ty(anchor.into()).dtype == DType::Bf16 {
            tile = build.kernel.expr(Expr::Round(tile));
        }
        build.values.insert(anchor.into(), tile);
        self.finish_domain(&mut build)?;
        build.flops = 2 * build.domain.iter().product::<u64>() * graph.bound(inner);
        self.finish(build, anchor, "");
        Ok(())
    }
}
