//! The course that Backstitch follows, row by row: each test bears the number of the technique,
//! formula or experiment that it checks, and is written as a student would write it.

mod group_01;
mod group_02;
mod group_03;
mod group_04;
mod support;
