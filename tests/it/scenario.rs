//! The breaker's life as readable stories.
//!
//! Each test is one thing that a user lives through, named for what must happen. Where another library is known to
//! get it wrong, the story says which one.

mod edges;
mod half_open;
mod late;
mod lease;
mod life;
mod observers;
mod permits;
mod rules;
mod windows;
