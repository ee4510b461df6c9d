//! The mutex twin.
