//! Which made-up cases a run plays: `[FAMILY…] [--seeds A-B] [--scale X] [--keep DIR]`, and what a bench adds to that.
use ampleur_testkit::Family;
use anyhow::{Context, Result};
use std::path::PathBuf;

pub struct Cases {
    pub families: Vec<Family>,
    pub seeds: Vec<u64>,
    /// 1 is the size of the incident the family is modelled on.
    pub scale: f64,
    /// Where cases and answers are left to be looked at.
    pub keep: Option<PathBuf>,
}

impl Cases {
    /// Reads the arguments; `own(name, value)` is asked first and takes the bench's own, drawing values as it needs them.
    pub fn read(
        args: &[String],
        scale: f64,
        mut own: impl FnMut(&str, &mut dyn FnMut() -> Result<String>) -> Result<bool>,
    ) -> Result<Cases> {
        let mut c = Cases {
            families: vec![],
            seeds: vec![1, 2],
            scale,
            keep: None,
        };
        let mut it = args.iter();
        while let Some(a) = it.next() {
            let mut value = || {
                it.next()
                    .cloned()
                    .with_context(|| format!("{a} needs a value"))
            };
            if own(a, &mut value)? {
                continue;
            }
            match a.as_str() {
                "--seeds" => {
                    let v = value()?;
                    let (from, to) = v.split_once('-').unwrap_or((&v, &v));
                    c.seeds = (from.parse()?..=to.parse()?).collect();
                }
                "--scale" => c.scale = value()?.parse()?,
                "--keep" => c.keep = Some(PathBuf::from(value()?)),
                name => c.families.push(
                    Family::by_name(name).with_context(|| format!("no family is named {name}"))?,
                ),
            }
        }
        if c.families.is_empty() {
            c.families = Family::ALL.to_vec();
        }
        Ok(c)
    }
}
