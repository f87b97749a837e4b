//! Where a machine should run, and why.
