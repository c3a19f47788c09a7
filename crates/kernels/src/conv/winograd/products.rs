//! The products of transformed tiles with transformed weights, and with each other.

use pulp::{Simd, WithSimd};

use super::tiles::{Layout, PANEL, lanes};
use crate::gemm::ahead::Ahead;
use crate::gemm::micro::{self, Call, NV, rows_in_place_max, rows_max};

/// The first row and the number of rows of as few equal groups as hold at most `max` each.
fn groups(rows: usize, max: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = rows.div_ceil(max);
    let (len, longer) = (rows / count.max(1), rows % count.max(1));
    (0..count).map(move |i| (i * len + i.min(longer), len + usize::from(i < longer)))
}

/// `sums[k] (tiles, O) = v[k] (tiles, C) u[of(k)] (C, O)` for all k, or added to what is there.
pub(super) struct Forward<'a> {
    pub(super) products: usize,
    pub(super) of: fn(usize) -> usize,
    /// With the number of rows.
    pub(super) v: (&'a [f32], Layout, usize),
    pub(super) u: (&'a [f32], Layout, usize),
    /// With the first row.
    pub(super) sums: (&'a mut [f32], Layout, usize),
    pub(super) outputs: usize,
    pub(super) adds: bool,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Forward { products, of, v, u, sums, outputs, adds } = self;
        let ((v, v_layout, rows), (u, u_layout, depth)) = (v, u);
        let (sums, layout, first_row) = sums;
        let width = NV * lanes::<S>();
        assert!(v_layout.len(products) <= v.len());
        assert!(layout.len(products) <= sums.len() && width <= PANEL);
        assert!(rows * v_layout.row <= v_layout.product && depth <= v_layout.row);
        assert!(depth * u_layout.row <= u_layout.product);
        assert!((first_row + rows) * layout.row <= layout.product && outputs <= layout.row);
        for k in 0..products {
            let v = v[k * v_layout.product..].as_ptr();
            let u = &u[of(k) * u_layout.product..];
            assert!(u_layout.at(depth - 1, (outputs - 1) / width * width) + width <= u.len());
            let sums = sums[k * layout.product..].as_mut_ptr();
            for column in (0..outputs).step_by(width) {
                for (row, rows) in groups(rows, rows_in_place_max::<f32, S>()) {
                    let to = sums.wrapping_add(layout.at(first_row + row, column));
                    let call = Call {
                        k: depth,
                        a: v.wrapping_add(row * v_layout.row),
                        a_row: v_layout.row as isize,
                        a_k: 1,
                        b: u.as_ptr().wrapping_add(u_layout.at(0, column)),
                        b_k: u_layout.row as isize,
                        b_to: std::ptr::null_mut(),
                        ahead: Ahead::nothing(v),
                        from: (if adds { to.cast_const() } else { std::ptr::null() }, layout.row),
                        to: (to, layout.row),
                        cols: width.min(outputs - column),
                        alpha: 1.0,
                    };
                    // SAFETY: as asserted, each product has these rows and the columns of a panel,
                    // whole registers of which are there; `sums` is ours. Rows of `v` have 16
                    // channels or more, so `a_row` is not 1.
                    unsafe { micro::run(simd, rows, &call) };
                }
            }
        }
    }
}

/// `sums[of(k)] (C, O) = Σ v[k] (tiles, C)ᵀ e[k] (tiles, O)` over all k, or added to what is there.
/// Both factors lie in panels.
pub(super) struct Backward<'a> {
    pub(super) products: usize,
    /// Steps up by one at most, from 0 on, wherever it is not below an earlier one.
    pub(super) of: fn(usize) -> usize,
    pub(super) tiles: usize,
    /// With the number of channels.
    pub(super) v: (&'a [f32], Layout, usize),
    pub(super) e: (&'a [f32], Layout, usize),
    pub(super) sums: (&'a mut [f32], Layout),
    pub(super) adds: bool,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Backward { products, of, tiles, v, e, sums, adds } = self;
        let ((v, v_layout, inputs), (e, e_layout, outputs)) = (v, e);
        let (sums, layout) = sums;
        let width = NV * lanes::<S>();
        assert!(v_layout.len(products) <= v.len() && e_layout.len(products) <= e.len());
        assert!(width <= PANEL);
        assert!(v_layout.at(tiles - 1, inputs - 1) < v_layout.product);
        assert!(e_layout.at(tiles - 1, outputs - 1) < e_layout.product);
        assert!(inputs * layout.row <= layout.product && outputs <= layout.row);
        let mut written = 0;
        for k in 0..products {
            let (v, e) = (v[k * v_layout.product..].as_ptr(), e[k * e_layout.product..].as_ptr());
            let adds = adds || of(k) < written;
            written = written.max(of(k) + 1);
            let sums = sums[of(k) * layout.product..][..layout.product].as_mut_ptr();
            for column in (0..outputs).step_by(width) {
                for panel in (0..inputs).step_by(PANEL) {
                    for (row, rows) in groups(PANEL.min(inputs - panel), rows_max::<f32, S>()) {
                        let to = sums.wrapping_add(layout.at(panel + row, column));
                        let call = Call {
                            k: tiles,
                            a: v.wrapping_add(v_layout.at(0, panel + row)),
                            a_row: 1,
                            a_k: v_layout.row as isize,
                            b: e.wrapping_add(e_layout.at(0, column)),
                            b_k: e_layout.row as isize,
                            b_to: std::ptr::null_mut(),
                            ahead: Ahead::nothing(v),
                            from: (
                                if adds { to.cast_const() } else { std::ptr::null() },
                                layout.row,
                            ),
                            to: (to, layout.row),
                            cols: width.min(outputs - column),
                            alpha: 1.0,
                        };
                        // SAFETY: as asserted, each product has these rows and the columns of a
                        // panel, whole registers of which are there; `sums` is ours.
                        unsafe { micro::run(simd, rows, &call) };
                    }
                }
            }
        }
    }
}
