//! Strided views: how a value that is only a rearrangement of another reads its memory.

/// Sizes and strides over a dense base, in elements. Sizes are at their bounds; only the first
/// may be a run-time size, so strides are constants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// First element.
    pub offset: i64,
    /// Sizes, outermost first.
    pub dims: Vec<u64>,
    /// Elements to the next index along each axis; 0 where the axis is stretched.
    pub strides: Vec<i64>,
}

impl View {
    /// The whole of a dense row-major tensor.
    pub fn dense(dims: &[u64]) -> Self {
        let mut strides = vec![0; dims.len()];
        let mut step = 1;
        for (stride, dim) in strides.iter_mut().zip(dims).rev() {
            *stride = step;
            step *= *dim as i64;
        }
        Self {
            offset: 0,
            dims: dims.to_vec(),
            strides,
        }
    }

    /// Whether elements lie in row-major order without gaps from the base's start.
    pub fn is_dense(&self) -> bool {
        let mut step = 1;
        let dense = self
            .dims
            .iter()
            .zip(&self.strides)
            .rev()
            .all(|(dim, stride)| {
                let fits = *dim <= 1 || *stride == step;
                step *= *dim as i64;
                fits
            });
        self.offset == 0 && dense
    }

    /// Axes reordered.
    pub fn transpose(&self, permutation: &[usize]) -> Self {
        Self {
            offset: self.offset,
            dims: permutation.iter().map(|axis| self.dims[*axis]).collect(),
            strides: permutation.iter().map(|axis| self.strides[*axis]).collect(),
        }
    }

    /// Part of an axis.
    pub fn slice(&self, axis: usize, start: u64, length: u64) -> Self {
        let mut view = self.clone();
        view.offset += start as i64 * view.strides[axis];
        view.dims[axis] = length;
        view
    }

    /// Stretched to `dims`, aligned at the right.
    pub fn broadcast(&self, dims: &[u64]) -> Self {
        let extra = dims.len() - self.dims.len();
        let strides = (0..dims.len())
            .map(|axis| match axis.checked_sub(extra) {
                Some(own) if self.dims[own] == dims[axis] => self.strides[own],
                _ => 0,
            })
            .collect();
        Self {
            offset: self.offset,
            dims: dims.to_vec(),
            strides,
        }
    }

    /// The same elements in row-major order under other sizes; `None` if no strides say that.
    pub fn reshape(&self, dims: &[u64]) -> Option<Self> {
        // Runs of axes that are dense relative to each other, innermost first: (size, stride).
        let mut runs: Vec<(u64, i64)> = Vec::new();
        for (dim, stride) in self.dims.iter().zip(&self.strides).rev() {
            if *dim == 1 {
                continue;
            }
            match runs.last_mut() {
                Some((size, inner)) if *stride == *inner * *size as i64 => *size *= dim,
                _ => runs.push((*dim, *stride)),
            }
        }
        let mut strides = vec![0; dims.len()];
        let mut runs = runs.into_iter();
        let mut current = runs.next();
        for (axis, dim) in dims.iter().enumerate().rev() {
            if *dim == 1 {
                continue;
            }
            let (left, stride) = current?;
            if left % dim != 0 {
                return None;
            }
            strides[axis] = stride;
            current = if left == *dim {
                runs.next()
            } else {
                Some((left / dim, stride * *dim as i64))
            };
        }
        match current {
            None => Some(Self {
                offset: self.offset,
                dims: dims.to_vec(),
                strides,
            }),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::View;

    #[test]
    fn dense_views_reshape_freely() {
        let view = View::dense(&[4, 6]).reshape(&[2, 2, 3, 2]).expect("dense");
        assert_eq!(view.strides, [12, 6, 2, 1]);
        assert!(view.is_dense());
    }

    #[test]
    fn a_slice_splits_but_does_not_merge() {
        let qkv = View::dense(&[2, 5, 12]).slice(2, 4, 4);
        assert!(!qkv.is_dense());
        let heads = qkv.reshape(&[2, 5, 2, 2]).expect("splits the last axis");
        assert_eq!((heads.offset, heads.strides), (4, vec![60, 12, 2, 1]));
        assert_eq!(qkv.reshape(&[40]), None);
        // Rows of the slice are evenly spaced, so the leading axes do merge.
        assert_eq!(qkv.reshape(&[10, 4]).expect("merges rows").strides, [12, 1]);
    }

    #[test]
    fn transposed_axes_do_not_merge() {
        assert_eq!(View::dense(&[3, 4]).transpose(&[1, 0]).reshape(&[12]), None);
    }

    #[test]
    fn stretched_axes_merge_among_themselves() {
        let view = View::dense(&[7]).broadcast(&[2, 3, 7]);
        assert_eq!(
            view.reshape(&[6, 7]).expect("both strides are 0").strides,
            [0, 1]
        );
        assert_eq!(view.reshape(&[42]), None);
    }
}
