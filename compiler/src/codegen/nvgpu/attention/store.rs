//! Masks on accumulators, their rounding to left factors, and their way to memory.

use mm1_package::DType;

use super::super::text::Text;
use super::super::thread;
use super::Block;
use super::plan::Place;
use crate::kernel::AxisId;

/// Keys that one row sees: the first and how many (i32).
pub(super) struct Sight {
    pub low: String,
    pub span: String,
}

/// An accumulator as left factors: register pairs are neighbouring columns.
pub(super) fn pack(text: &mut Text, values: &[String]) -> Vec<String> {
    thread::pack(text, values)
}

impl Block<'_> {
    /// Accumulators of which what a row does not see is replaced, in a block that needs it. The
    /// columns are keys from `begin` on.
    pub(super) fn masked(
        &self,
        text: &mut Text,
        condition: &str,
        values: &[String],
        begin: &str,
        rows: &[Sight; 2],
        hidden: f32,
    ) -> Result<Vec<String>, String> {
        let column = self.column(text);
        text.revised(condition, values, "f32", |text| {
            let hidden = text.float(hidden);
            let first = text.two("add", begin, &column, "i32");
            let starts = [0, 1].map(|row: usize| text.two("sub", &first, &rows[row].low, "i32"));
            let mut revised = Vec::new();
            for (number, value) in values.iter().enumerate() {
                let row = number / 2 % 2;
                let offset = (number / 4 * 8 + number % 2) as i64;
                let at = text.with("add", &starts[row], offset, "i32");
                let seen = text.compare("ult", &at, &rows[row].span, "i32");
                revised.push(text.select(&seen, value, &hidden, "f32"));
            }
            Ok(revised)
        })
    }

    /// Stores the thread's part of a tile whose rows are elements of `sequence`, as far as they exist.
    pub(super) fn store_rows(
        &self,
        text: &mut Text,
        place: &Place,
        (sequence, length): (AxisId, u32),
        rows: &[String; 2],
        values: &[String],
    ) -> Result<(), String> {
        let length = text.int(i64::from(length), "i32");
        let column = self.column(text);
        let column = text.with("mul", &column, place.dtype.size() as i64, "i32");
        let column = text.widen(&column);
        for (half, row) in rows.iter().enumerate() {
            let exists = text.compare("slt", row, &length, "i32");
            text.when(&exists, |text| {
                let row = text.widen(row);
                let mut at = self.fixed();
                at.push((sequence, &row));
                let base = self.address(text, place, &at)?;
                let base = text.value(format_args!(
                    "llvm.getelementptr {base}[{column}] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8"
                ));
                for (number, four) in values.chunks(4).enumerate() {
                    let pair = &four[2 * half..2 * half + 2];
                    let bytes = 8 * number * place.dtype.size() as usize;
                    let at = text.value(format_args!(
                        "llvm.getelementptr {base}[{bytes}] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8"
                    ));
                    match place.dtype {
                        DType::Bf16 => {
                            let word = pack(text, pair).remove(0);
                            text.line(format_args!(
                                "llvm.store {word}, {at} {{alignment = 4 : i64}} : i32, \
                                 !llvm.ptr<1>"
                            ));
                        }
                        DType::F32 | DType::I32 => {
                            let (vector, ty) = thread::gather(text, pair, "f32");
                            text.line(format_args!(
                                "llvm.store {vector}, {at} {{alignment = 8 : i64}} : {ty}, \
                                 !llvm.ptr<1>"
                            ));
                        }
                    }
                }
                Ok::<_, String>(())
            })?;
        }
        Ok(())
    }
}
