//! Studies: the plan with its cost, what the runs of it tell, and the page.

pub mod factors;
pub mod page;
pub mod plan;
pub mod results;
pub mod statistics;
