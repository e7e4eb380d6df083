//! Opens references
