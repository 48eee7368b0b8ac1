//! One run of the program and what came of it, for tests that look at nothing but exit code and output.
use crate::common;
use std::process::Output;

pub fn ampleur(args: &[&str]) -> Output {
    common::ampleur().args(args).output().expect("run ampleur")
}

pub fn code(out: &Output) -> i32 {
    out.status.code().unwrap_or(-1)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
