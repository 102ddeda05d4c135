//! Plans of kernels.
