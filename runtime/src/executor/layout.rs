//! Where the elements of a tensor are when its run-time sizes are below their bounds.
//!
//! In memory every axis has its bound; callers see the axes at their run-time sizes.

use mm1_package::{Extent, Tensor};

/// Sizes of a tensor's axes, now and in memory.
pub(super) struct Layout {
    sizes: Vec<usize>,
    bounds: Vec<usize>,
}

impl Layout {
    /// The layout of a validated tensor under run-time sizes `values` (one per extent).
    pub(super) fn new(tensor: &Tensor, extents: &[Extent], values: &[u64]) -> Self {
        let dims = tensor.dims.iter();
        Self {
            sizes: dims.clone().map(|dim| dim.value(values) as usize).collect(),
            bounds: dims.map(|dim| dim.bound(extents) as usize).collect(),
        }
    }

    /// The same tensor with every axis at its bound.
    pub(super) fn full(mut self) -> Self {
        self.sizes.clone_from(&self.bounds);
        self
    }

    /// Elements that callers see.
    pub(super) fn elements(&self) -> u64 {
        self.sizes.iter().map(|&size| size as u64).product()
    }

    /// Elements in memory.
    pub(super) fn bound_elements(&self) -> u64 {
        self.bounds.iter().map(|&size| size as u64).product()
    }

    /// Calls `run(offset in memory, offset in packed data, length)`, in elements, for each
    /// maximal contiguous piece, until one fails.
    pub(super) fn runs<E>(
        &self,
        mut run: impl FnMut(usize, usize, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.elements() == 0 {
            return Ok(());
        }
        // Axes from `split` on are one contiguous piece: all but the first of them are full.
        let mut split = self.sizes.len();
        let mut length = 1;
        let mut stride = 1;
        while split > 0 {
            split -= 1;
            length = stride * self.sizes[split];
            stride *= self.bounds[split];
            if self.sizes[split] != self.bounds[split] {
                break;
            }
        }
        let outer: usize = self.sizes[..split].iter().product();
        for piece in 0..outer {
            let (mut rest, mut in_memory, mut step) = (piece, 0, stride);
            for axis in (0..split).rev() {
                in_memory += rest % self.sizes[axis] * step;
                rest /= self.sizes[axis];
                step *= self.bounds[axis];
            }
            run(in_memory, piece * length, length)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(sizes: &[usize], bounds: &[usize]) -> Vec<(usize, usize, usize)> {
        let layout = Layout {
            sizes: sizes.to_vec(),
            bounds: bounds.to_vec(),
        };
        let mut found = Vec::new();
        let Ok(()) = layout.runs(|memory, packed, length| {
            found.push((memory, packed, length));
            Ok::<(), std::convert::Infallible>(())
        });
        found
    }

    #[test]
    fn full_tensors_are_one_piece() {
        assert_eq!(runs(&[], &[]), [(0, 0, 1)]);
        assert_eq!(runs(&[2, 3, 4], &[2, 3, 4]), [(0, 0, 24)]);
    }

    #[test]
    fn a_short_outer_axis_is_one_piece() {
        assert_eq!(runs(&[2, 3], &[5, 3]), [(0, 0, 6)]);
        assert_eq!(runs(&[0, 3], &[5, 3]), []);
    }

    #[test]
    fn inner_axes_are_strided() {
        assert_eq!(runs(&[2, 3], &[2, 5]), [(0, 0, 3), (5, 3, 3)]);
        assert_eq!(
            runs(&[2, 2, 3, 2], &[2, 4, 5, 2]),
            [(0, 0, 6), (10, 6, 6), (40, 12, 6), (50, 18, 6)]
        );
        assert_eq!(runs(&[2, 1, 2], &[3, 2, 2]), [(0, 0, 2), (4, 2, 2)]);
    }
}
