//! `ldmatrix`, `stmatrix` and `mma.sync`.
//!
//! Products of f16, bf16 and tf32 are exact; they are added to an f32 accumulator one after the other in
//! the order of k, each sum rounded to the nearest. Cards add several products at once with truncation,
//! so their results differ in the last bits.

use half::{bf16, f16};

use super::access::{addresses, lanes, resolve};
use super::block::Block;
use super::rows::{ALL, LANES};
use super::shared::Who;
use super::step::check_written;
use crate::fault::{FaultKind, Trouble};
use crate::number::as_tf32;
use crate::parse::syntax::Space;
use crate::program::{Element, MatrixAccess, Mma};

/// The value of an element by its bits.
#[inline]
pub(crate) fn element_value(element: Element, bits: u32) -> f32 {
    match element {
        Element::Bf16 => bf16::from_bits(bits as u16).to_f32(),
        Element::F16 => f16::from_bits(bits as u16).to_f32(),
        Element::Tf32 => as_tf32(bits),
    }
}

/// `acc[r][c] += a[r][k] · b[k][c]`, k after k; rows of `n`.
pub(crate) fn multiply(acc: &mut [f32], a: &[f32], b: &[f32], n: usize) {
    #[cfg(target_arch = "x86_64")]
    if crate::program::has_fast() {
        // SAFETY: the processor has AVX2.
        unsafe { multiply_fast(acc, a, b, n) };
        return;
    }
    multiply_plain(acc, a, b, n);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn multiply_fast(acc: &mut [f32], a: &[f32], b: &[f32], n: usize) {
    multiply_plain(acc, a, b, n);
}

#[inline(always)]
fn multiply_plain(acc: &mut [f32], a: &[f32], b: &[f32], n: usize) {
    let k = b.len() / n;
    for (acc, a) in acc.chunks_exact_mut(n).zip(a.chunks_exact(k)) {
        for (&a, b) in a.iter().zip(b.chunks_exact(n)) {
            for (acc, &b) in acc.iter_mut().zip(b) {
                *acc += a * b;
            }
        }
    }
}

impl Block<'_> {
    /// Rows of 16 bytes that lanes 8·m … 8·m+7 name for matrix m.
    fn matrix_rows(
        &mut self,
        w: usize,
        access: &MatrixAccess,
        active: u32,
    ) -> Result<Vec<(usize, u64)>, Trouble> {
        let count = 8 * access.registers.len();
        let needed = if count == 32 { ALL } else { (1 << count) - 1 };
        check_written(&self.warps[w].rows, access.address.slot, active & needed)?;
        let places = addresses(&self.warps[w].rows, &access.address);
        let mut rows = Vec::new();
        for lane in lanes(needed) {
            let (space, address) = resolve(access.space, places[lane]);
            if space != Space::Shared {
                let message = format!("a matrix in {space:?} memory");
                return Err(Trouble::new(FaultKind::Operand, lane, message).at(address));
            }
            if !address.is_multiple_of(16) {
                let message = "a row of a matrix is not at a multiple of 16 bytes";
                return Err(Trouble::new(FaultKind::Misaligned, lane, message).at(address));
            }
            rows.push((lane, address));
        }
        Ok(rows)
    }

    pub(super) fn load_matrix(
        &mut self,
        w: usize,
        access: &MatrixAccess,
        active: u32,
        line: u32,
    ) -> Result<(), Trouble> {
        let rows = self.matrix_rows(w, access, active)?;
        for (rows, &register) in rows.chunks(8).zip(&access.registers) {
            let mut matrix = [[0u16; 8]; 8];
            for (row, &(lane, address)) in matrix.iter_mut().zip(rows) {
                let who = Who {
                    warp: w,
                    lane,
                    line,
                    atomic: false,
                };
                for half in 0..2 {
                    let value = self.shared.read(who, address + 8 * half as u64, 8)?;
                    for part in 0..4 {
                        row[4 * half + part] = (value >> (16 * part)) as u16;
                    }
                }
            }
            self.traffic.shared_read += 128;
            let element = |row: usize, column: usize| -> u32 {
                let value = if access.transposed {
                    matrix[column][row]
                } else {
                    matrix[row][column]
                };
                value.into()
            };
            let values: [u32; LANES] = std::array::from_fn(|lane| {
                let (row, column) = (lane / 4, 2 * (lane % 4));
                element(row, column + 1) << 16 | element(row, column)
            });
            self.warps[w].rows.set_narrow(register, active, &values);
        }
        Ok(())
    }

    pub(super) fn store_matrix(
        &mut self,
        w: usize,
        access: &MatrixAccess,
        active: u32,
        line: u32,
    ) -> Result<(), Trouble> {
        let rows = self.matrix_rows(w, access, active)?;
        for (rows, &register) in rows.chunks(8).zip(&access.registers) {
            check_written(&self.warps[w].rows, register, active)?;
            let values = *self.warps[w].rows.narrow(register);
            let mut matrix = [[0u16; 8]; 8];
            for (lane, &value) in values.iter().enumerate() {
                for part in 0..2 {
                    let (row, column) = (lane / 4, 2 * (lane % 4) + part);
                    let value = (value >> (16 * part)) as u16;
                    if access.transposed {
                        matrix[column][row] = value;
                    } else {
                        matrix[row][column] = value;
                    }
                }
            }
            for (row, &(lane, address)) in matrix.iter().zip(rows) {
                let who = Who {
                    warp: w,
                    lane,
                    line,
                    atomic: false,
                };
                for half in 0..2 {
                    let value = (0..4).fold(0, |value, part| {
                        value | u64::from(row[4 * half + part]) << (16 * part)
                    });
                    self.shared
                        .write(who, address + 8 * half as u64, 8, value)?;
                }
            }
            self.traffic.shared_written += 128;
        }
        Ok(())
    }

    pub(super) fn mma(&mut self, w: usize, mma: &Mma) -> Result<(), Trouble> {
        let rows = &self.warps[w].rows;
        for &slot in mma.a.iter().chain(&mma.b).chain(&mma.c) {
            check_written(rows, slot, ALL)?;
        }
        let (k, per_word) = (mma.k as usize, (4 / mma.element.bytes()) as usize);
        let mut a = vec![0.0; 16 * k];
        let mut b = vec![0.0; k * 8];
        let mut acc = vec![0.0; 16 * 8];
        for lane in 0..LANES {
            // Eight groups of four threads: a group has a row, a thread a column of words.
            let (group, thread) = (lane / 4, lane % 4);
            for (index, &slot) in mma.a.iter().enumerate() {
                let row = group + 8 * (index % 2);
                for part in 0..per_word {
                    let column = per_word * (thread + 4 * (index / 2)) + part;
                    let bits = rows.narrow(slot)[lane] >> (16 * part);
                    a[row * k + column] = element_value(mma.element, bits);
                }
            }
            for (index, &slot) in mma.b.iter().enumerate() {
                for part in 0..per_word {
                    let row = per_word * (thread + 4 * index) + part;
                    let bits = rows.narrow(slot)[lane] >> (16 * part);
                    b[row * 8 + group] = element_value(mma.element, bits);
                }
            }
            for (index, &slot) in mma.c.iter().enumerate() {
                let (row, column) = (group + 8 * (index / 2), 2 * thread + index % 2);
                acc[row * 8 + column] = f32::from_bits(rows.narrow(slot)[lane]);
            }
        }
        multiply(&mut acc, &a, &b, 8);
        let rows = &mut self.warps[w].rows;
        for (index, &slot) in mma.d.iter().enumerate() {
            let values = std::array::from_fn(|lane| {
                let (group, thread) = (lane / 4, lane % 4);
                let (row, column) = (group + 8 * (index / 2), 2 * thread + index % 2);
                acc[row * 8 + column].to_bits()
            });
            rows.set_narrow(slot, ALL, &values);
        }
        Ok(())
    }
}
