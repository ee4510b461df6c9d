//! Comes with its issue.

fn main() {}
