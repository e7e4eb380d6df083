//! How a tensor is seen as a matrix: axis 0 by the rest; a vector is one row.

/// Rows and columns of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    pub rows: u64,
    pub cols: u64,
}

impl View {
    /// The view of a shape. A tensor without elements has no rows.
    pub fn of(shape: &[u64]) -> View {
        let elements = shape
            .iter()
            .fold(1u64, |product, side| product.saturating_mul(*side));
        if elements == 0 {
            return View { rows: 0, cols: 0 };
        }
        match shape {
            [] | [_] => View {
                rows: 1,
                cols: elements,
            },
            [rows, ..] => View {
                rows: *rows,
                cols: elements / rows,
            },
        }
    }

    /// Number of elements.
    pub fn elements(self) -> u64 {
        self.rows.saturating_mul(self.cols)
    }

    /// True for a tensor with extent on one side only: biases, norms, scalars.
    pub fn is_vector(self) -> bool {
        self.rows <= 1 || self.cols <= 1
    }
}
