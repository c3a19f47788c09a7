//! The course that Backstitch follows, row by row: each test bears the number of the technique,
//! formula or experiment that it checks, and is written as a student would write it.

mod group_01;
mod group_02;
mod group_03;
mod group_04;
mod group_05;
mod group_06;
mod group_06_depth;
mod group_07;
mod group_08;
mod group_08_nets;
mod group_09;
mod group_09_residual;
mod group_10;
mod group_11;
mod support;
