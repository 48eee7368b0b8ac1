//! The simulated hospital: whole case folders (logs in the formats of real products, identity snapshots, inventories, leak lists)
//! made from a seed, with the truth about every session and every person beside them. For tests only; imports any crate.
//!
//! [`simulate`] writes `DIR/case/` (exactly the input contract) and `DIR/truth.json`. Equal recipes give equal bytes.
//! [`score`] judges an answer against a truth by the laws.

pub mod attribution;
pub mod civil;
pub mod disguise;
pub mod evtx;
mod family;
pub mod log;
pub mod mmdb;
pub mod out;
pub mod pathology;
pub mod pst;
pub mod reference;
pub mod rng;
pub mod score;
pub mod share;
pub mod trial;
pub mod truth;
pub mod world;

pub use disguise::Knob;
pub use pathology::Pathology;
pub use truth::Truth;

use civil::Ms;
use std::path::{Path, PathBuf};

/// The incident that is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Vendor SSL-VPN account, theft of files.
    S1,
    /// Usurped professionals on a regional identity server.
    S2,
    /// A departed doctor's account, then siblings, on a web application of many practices.
    S4,
    /// Bulk SQL behind a terminal server.
    S5,
    /// VPN of a professional, slow theft, then encryption; logs edited.
    S6,
    /// Nobody broke in: curiosity, congress, maintenance, research, nights, break-glass.
    S9,
    /// An ordinary month.
    Clean,
}

impl Family {
    pub const ALL: &'static [Family] = &[
        Family::S1,
        Family::S2,
        Family::S4,
        Family::S5,
        Family::S6,
        Family::S9,
        Family::Clean,
    ];
    pub fn name(self) -> &'static str {
        match self {
            Family::S1 => "S1",
            Family::S2 => "S2",
            Family::S4 => "S4",
            Family::S5 => "S5",
            Family::S6 => "S6",
            Family::S9 => "S9",
            Family::Clean => "clean",
        }
    }
    /// Reads a name, case apart.
    pub fn by_name(name: &str) -> Option<Family> {
        Family::ALL
            .iter()
            .copied()
            .find(|f| f.name().eq_ignore_ascii_case(name))
    }
}

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Recipe {
    pub family: Family,
    pub seed: u64,
    /// 1.0 is the size of the incident the family is modelled on; tests use 0.002 to 0.02.
    pub scale: f64,
    /// Length of the window in days; `None` is the family's own.
    pub days: Option<u32>,
    /// Multiplies the staff and with it the ordinary work, not the incident: 1.0 in tests, hundreds to reach 10⁸ events.
    pub background: f64,
    pub pathologies: Vec<Pathology>,
    /// Professionals at home have another public address every day, inside one operator.
    pub roaming: bool,
    /// Multiplies the intruder's pauses: 1.0 is the family's own pace, 10.0 a patient thief.
    pub patience: f64,
    pub knobs: Vec<Knob>,
}

impl Recipe {
    pub fn new(family: Family, seed: u64, scale: f64) -> Recipe {
        Recipe {
            family,
            seed,
            scale,
            days: None,
            background: 1.0,
            pathologies: Pathology::wear(),
            roaming: false,
            patience: 1.0,
            knobs: vec![],
        }
    }
    /// The window a recipe plays in, UTC milliseconds `[from, to)`; pathologies with times are chosen inside it.
    pub fn window(&self) -> (Ms, Ms) {
        family::window(self)
    }
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Summary {
    pub case: PathBuf,
    pub truth: PathBuf,
    pub records: u64,
    pub affected: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("write {path}: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("write {path}: {source}")]
    Json {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{path} is not empty")]
    NotEmpty { path: PathBuf },
}

/// Plays `recipe` into `dir`, which must be empty or absent.
///
/// # Errors
/// When `dir` holds something already, or a file cannot be written.
pub fn simulate(recipe: &Recipe, dir: &Path) -> Result<Summary, Error> {
    let at = |p: &Path| {
        let path = p.to_path_buf();
        move |source| Error::Write { path, source }
    };
    let case = dir.join("case");
    if case.exists() {
        return Err(Error::NotEmpty { path: case });
    }
    std::fs::create_dir_all(&case).map_err(at(&case))?;
    let truth = family::play(recipe, &case).map_err(at(&case))?;
    let path = dir.join("truth.json");
    let file = std::fs::File::create(&path).map_err(at(&path))?;
    let out = std::io::BufWriter::new(file);
    serde_json::to_writer(out, &truth).map_err(|source| Error::Json {
        path: path.clone(),
        source,
    })?;
    disguise::apply(dir, &recipe.knobs).map_err(at(&path))?;
    Ok(Summary {
        case,
        truth: path,
        records: truth.totals.records,
        affected: truth.totals.affected,
    })
}
