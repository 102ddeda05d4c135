//! Accumulators to memory: bias, activation, residual, casts, stores.
//!
//! A warp has 16 rows of the tile. It writes a panel of 32 or 16 columns of them to its part of shared
//! memory and reads it back four columns a lane, so that loads and stores are contiguous along
//! rows and the expression's code stands once for a panel.

use super::super::point::Point;
use super::super::text::Text;
use super::plan::WARP_ROWS;
use super::{Block, Place};
use crate::kernel::StageKind;

impl Block<'_> {
    /// All maps of the kernel over the warp's part of the tile; `sums` are the thread's
    /// accumulators of each product.
    pub(super) fn epilogue(
        &mut self,
        text: &mut Text,
        place: &Place,
        sums: &[Vec<String>],
    ) -> Result<(), String> {
        let plan = self.plan;
        let [panel_columns, pitch] = plan.panel();
        let bytes = 4 * pitch * WARP_ROWS;
        // Lanes that share a row when it is read back, as a power of two; rows read at once.
        let share = (panel_columns / 4).trailing_zeros();
        let together = i64::from(32 >> share);
        let warp = text.with("lshr", &self.thread, 5, "i32");
        let lane = text.with("and", &self.thread, 31, "i32");
        let own = text.with("mul", &warp, i64::from(bytes) * sums.len() as i64, "i32");
        let own = text.two("add", &self.staging, &own, "i32");
        // Lane l holds columns 2·(l mod 4) and the next of row l div 4, and of the row 8 below.
        let row = text.with("lshr", &lane, 2, "i32");
        let pair = text.with("and", &lane, 3, "i32");
        let from = text.with("mul", &row, i64::from(4 * pitch), "i32");
        let pair = text.with("shl", &pair, 3, "i32");
        let from = text.two("add", &from, &pair, "i32");
        let from = text.two("add", &own, &from, "i32");
        // It reads back columns 4·(l mod s) … of row l div s, where s lanes share a row.
        let row = text.with("lshr", &lane, i64::from(share), "i32");
        let four = text.with("and", &lane, (1 << share) - 1, "i32");
        let four = text.with("shl", &four, 2, "i32");
        let to = text.with("mul", &row, i64::from(4 * pitch), "i32");
        let bytes_in = text.with("shl", &four, 2, "i32");
        let to = text.two("add", &to, &bytes_in, "i32");
        let to = text.two("add", &own, &to, "i32");
        let row = text.widen(&row);
        let above = text.with("mul", &warp, i64::from(WARP_ROWS), "i32");
        let above = text.widen(&above);
        let row = text.two("add", &row, &above, "i64");
        let row = text.two("add", &place.m, &row, "i64");
        let four = text.widen(&four);
        let column = text.two("add", &place.n, &four, "i64");
        for panel in 0..plan.tile()[1] / panel_columns {
            text.effect("bar.warp.sync 0xffffffff;", "", &[]);
            for (product, sums) in sums.iter().enumerate() {
                let first = (panel * panel_columns / 2) as usize;
                for block in 0..(panel_columns / 8) as usize {
                    let registers = &sums[first + 4 * block..first + 4 * block + 4];
                    for (half, pair) in registers.chunks(2).enumerate() {
                        let offset = product as u32 * bytes
                            + half as u32 * 8 * 4 * pitch
                            + block as u32 * 32;
                        text.effect(
                            &format!("st.shared.v2.f32 [$0+{offset}], {{$1, $2}};"),
                            "r,f,f",
                            &[(&from, "i32"), (&pair[0], "f32"), (&pair[1], "f32")],
                        );
                    }
                }
            }
            text.effect("bar.warp.sync 0xffffffff;", "", &[]);
            let column = text.with("add", &column, i64::from(panel * panel_columns), "i64");
            let zero = text.int(0, "i32");
            text.repeat(
                &[(zero, "i32"), (to.clone(), "i32"), (row.clone(), "i64")],
                |text, names| {
                    let rows = text.int(i64::from(WARP_ROWS), "i32");
                    text.compare("slt", &names[0], &rows, "i32")
                },
                |text, names| {
                    self.row(text, place, &names[1], &names[2], &column)?;
                    Ok::<_, String>(vec![
                        text.with("add", &names[0], together, "i32"),
                        text.with("add", &names[1], together * i64::from(4 * pitch), "i32"),
                        text.with("add", &names[2], together, "i64"),
                    ])
                },
            )?;
        }
        Ok(())
    }

    /// Four columns of one row, as far as they exist.
    fn row(
        &mut self,
        text: &mut Text,
        place: &Place,
        staged: &str,
        row: &str,
        column: &str,
    ) -> Result<(), String> {
        let plan = self.plan;
        let inside = self.is_stored(text, place, row);
        text.when(&inside, |text| {
            let mut tiles = Vec::new();
            for product in 0..plan.products.len() as u32 {
                let offset = i64::from(product * 4 * plan.panel()[1] * WARP_ROWS);
                let at = text.with("add", staged, offset, "i32");
                let at = text.value(format_args!("llvm.inttoptr {at} : i32 to !llvm.ptr<3>"));
                let vector = text.value(format_args!(
                    "llvm.load {at} {{alignment = 16 : i64}} : !llvm.ptr<3> -> vector<4xf32>"
                ));
                let lanes: Vec<String> = (0..4)
                    .map(|lane| {
                        let lane = text.int(lane, "i32");
                        text.value(format_args!(
                            "llvm.extractelement {vector}[{lane} : i32] : vector<4xf32>"
                        ))
                    })
                    .collect();
                tiles.push(self.of_group(text, place, row, lanes));
            }
            let size = format!("%size{}", plan.n.0);
            let width = if plan.vector { 4 } else { 1 };
            for first in (0..4).step_by(width) {
                let column = text.with("add", column, first as i64, "i64");
                let inside = text.compare("slt", &column, &size, "i64");
                text.when(&inside, |text| {
                    let lanes: Vec<&[String]> = tiles
                        .iter()
                        .map(|lanes| &lanes[first..first + width])
                        .collect();
                    self.point(text, place, row, &column, &lanes)
                })?;
            }
            Ok(())
        })
    }

    fn point(
        &self,
        text: &mut Text,
        place: &Place,
        row: &str,
        column: &str,
        tiles: &[&[String]],
    ) -> Result<(), String> {
        let plan = self.plan;
        let mut point = Point::new(&plan.kernel, &self.machine)?;
        for (axis, name) in &place.batch {
            point.bind(*axis, name);
        }
        point.bind(plan.m, row);
        point.bind(plan.n, column);
        if plan.vector {
            point.vector(plan.n, 4);
        }
        for (product, lanes) in plan.products.iter().zip(tiles) {
            point.tile(product.stage, lanes.to_vec());
        }
        for stage in &plan.kernel.stages[plan.products.len()..] {
            let StageKind::Map { stores } = &stage.kind else {
                return Err("contractions are followed by something other than maps".to_owned());
            };
            point.stores(stores)?;
        }
        point.finish(text)?;
        Ok(())
    }
}
