//! The Module derive macro of Backstitch.
