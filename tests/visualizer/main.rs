//! The visualizer's parts, without a terminal, a clock or a socket: arithmetic, keys, options, scripts, and drawings held
//! against golden ones.
//!
//! `GOLDEN=write cargo test --all-features --test visualizer` writes the golden drawings anew; look at what `git diff`
//! then says.

#[allow(dead_code)]
#[path = "../../examples/checkout/dependency.rs"]
mod dependency;
#[path = "../../examples/visualizer/draw/mod.rs"]
mod draw;
#[path = "../../examples/visualizer/keys.rs"]
mod keys;
#[path = "../../examples/visualizer/lines.rs"]
mod lines;
#[path = "../../examples/visualizer/model.rs"]
mod model;
#[path = "../../examples/visualizer/options.rs"]
mod options;
#[path = "../../examples/visualizer/picture.rs"]
mod picture;
#[path = "../../examples/visualizer/script.rs"]
mod script;
#[path = "../../examples/visualizer/timeline.rs"]
mod timeline;
#[path = "../../examples/visualizer/track.rs"]
mod track;
#[path = "../../examples/visualizer/words.rs"]
mod words;

mod boards;
mod command_line;
mod drawing;
mod figures;
mod pressing;
mod scripted;
