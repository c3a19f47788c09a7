//! Numeric loops over slices: SIMD, threads, buffers; the only unsafe code of Backstitch.
