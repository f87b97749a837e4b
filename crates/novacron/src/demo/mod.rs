//! `novacron demo`: the main job on real parts, from one command.

mod bytes;
mod disk;
