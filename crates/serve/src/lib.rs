//! Jobs over a case (floor 7): what `ampleur` does when a person asks. The clock, randomness and the screen stay with the caller.
//!
//! - [`job::intake`]: files → sealed lake, sessions' fragments and coverage observations, on any number of threads.
//! - [`job::investigate`]: intake → sessions → judgement → extent → reports in a folder.
pub mod job;
