//! Without the feature `sigma` no rule is asked.
use super::{
    JobError,
    intake::{Looker, Looking},
    investigate::Options,
};
use ampleur_evidence::Keys;
use ampleur_extent::findings::Findings;
use ampleur_sources::case::{Case, FileId};

pub(super) enum Asking {}

impl Asking {
    pub(super) fn new(options: &Options) -> Result<Option<Asking>, JobError> {
        match options.rules {
            None => Ok(None),
            Some(_) => Err(JobError::Refused(
                "rules are asked by programs built with the feature sigma".into(),
            )),
        }
    }
    pub(super) fn found(self, _: &Case) -> Result<Findings, JobError> {
        match self {}
    }
}

impl Looking for Asking {
    fn file<'a>(&'a self, _: FileId, _: &str) -> Option<Box<dyn Looker + 'a>> {
        match *self {}
    }
}

pub(super) fn tokens(_: &Keys, _: &mut Findings) {}

pub(super) fn summary(_: &Findings) -> String {
    String::new()
}
