//! The incidents. Each family builds its world, writes its logs slice by slice in time and reports every touch.
pub(crate) mod office;
mod s1;
mod s2;
mod s4;
mod s5;
mod s6;
mod s9;

use crate::civil::{self, Ms, iso};
use crate::out::{Shape, Sink, Spec};
use crate::rng::{Rng, mix};
use crate::truth::{FORMAT, Ledger, People, TEst, TSession, TSource, Truth};
use crate::world::{self, World};
use crate::{Family, Recipe};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// A case being made.
pub(crate) struct Stage {
    pub case: PathBuf,
    pub rng: Rng,
    pub sink: Sink,
    pub ledger: Ledger,
    pub world: World,
    pub toml: String,
    pub from: Ms,
    pub to: Ms,
    pub scale: f64,
    pub seed: u64,
    /// Sources that speak every few minutes.
    pub heartbeat: Vec<&'static str>,
    pub roaming: bool,
    pub patience: f64,
    /// Sources whose records are numbered.
    pub numbered: Vec<String>,
}

fn default_days(f: Family) -> i64 {
    match f {
        Family::S1 => 18,
        Family::S2 => 26,
        Family::S4 => 24,
        Family::S5 => 40,
        Family::S6 => 62,
        Family::S9 | Family::Clean => 28,
    }
}

/// The window of a recipe; the first day depends on family and seed.
pub(crate) fn window(r: &Recipe) -> (Ms, Ms) {
    let (y, m, d) = match r.family {
        Family::S1 => (2024, 5, 13),
        Family::S2 => (2025, 10, 6),
        Family::S4 => (2025, 11, 3),
        Family::S5 => (2024, 9, 2),
        Family::S6 => (2024, 12, 2),
        Family::S9 => (2025, 3, 10),
        Family::Clean => (2025, 6, 2),
    };
    let day = civil::days_from_civil(y, m, d) + (mix(r.seed) % 9) as i64;
    let days = r
        .days
        .map_or(default_days(r.family), i64::from)
        .max(default_days(r.family).min(20));
    (civil::day_start(day), civil::day_start(day + days))
}

/// Plays a recipe into an existing empty case folder and returns the truth.
pub(crate) fn play(r: &Recipe, case: &Path) -> io::Result<Truth> {
    match r.family {
        Family::S1 => s1::play(r, case),
        Family::S2 => s2::play(r, case),
        Family::S4 => s4::play(r, case),
        Family::S5 => s5::play(r, case),
        Family::S6 => s6::play(r, case),
        Family::S9 | Family::Clean => s9::play(r, case),
    }
}

impl Stage {
    pub fn new(r: &Recipe, case: &Path, plan: impl FnOnce(Ms, Ms) -> world::Plan) -> Stage {
        let (from, to) = window(r);
        let mut rng = Rng::new(mix(r.seed) ^ mix(r.family as u64 + 100));
        let mut world_rng = rng.fork(1);
        let mut plan = plan(from, to);
        plan.staff = ((plan.staff as f64 * r.background.max(0.1)) as usize).clamp(30, 400_000);
        let world = World::build(&plan, &mut world_rng);
        rng = rng.fork(2);
        let mut s = Stage {
            case: case.to_path_buf(),
            rng,
            sink: Sink::new(case, to, &r.pathologies, r.seed),
            ledger: Ledger::default(),
            world,
            toml: String::new(),
            from,
            to,
            scale: r.scale,
            seed: r.seed,
            heartbeat: Vec::new(),
            roaming: r.roaming,
            patience: r.patience.max(0.1),
            numbered: Vec::new(),
        };
        s.line("version = 1\ntimezone = \"Europe/Paris\"\nhome_countries = [\"FR\"]\ngeoip = [\"geo/city.mmdb\", \"geo/asn.mmdb\"]");
        for e in s.world.ests.clone() {
            s.line(&format!(
                "\n[[establishment]]\nid = \"{}\"\nname = \"{}\"\nnetworks = [\"10.{}.0.0/16\"]\nauthorities = [\"{}\", \"{}\"]",
                e.id, e.name, e.net, e.authority, e.staff_authority
            ));
        }
        s
    }
    pub fn line(&mut self, s: &str) {
        let _ = writeln!(self.toml, "{s}");
    }
    /// Adds a source with its `[[source]]` entry; `more` are further lines of the entry.
    #[allow(clippy::too_many_arguments)]
    pub fn source(
        &mut self,
        key: &str,
        stem: &str,
        ext: &'static str,
        format: &'static str,
        days: i64,
        kept_from: Option<Ms>,
        more: &str,
    ) -> usize {
        let shape = if format.starts_with("windows") || format.starts_with("postgres") {
            Shape::Spanning
        } else {
            Shape::Lines
        };
        if format.starts_with("windows") {
            self.numbered.push(key.to_string());
        }
        self.line(&format!(
            "\n[[source]]\nfiles = \"logs/{key}/*\"{}{more}",
            if more.is_empty() { "" } else { "\n" }
        ));
        self.sink.add(Spec {
            key: key.into(),
            stem: stem.into(),
            ext,
            format,
            shape,
            days,
            kept_from: kept_from.unwrap_or(Ms::MIN),
        })
    }
    pub fn file(&self, dir: &str, name: &str, body: &[u8]) -> io::Result<()> {
        let d = self.case.join(dir);
        std::fs::create_dir_all(&d)?;
        std::fs::write(d.join(name), body)
    }
    /// A session for the truth. Fields not given are filled in by the caller on the returned value.
    pub fn session(&mut self, account: &str, system: &str, actor: &str, from: Ms, to: Ms) -> usize {
        let id = self.ledger.session();
        self.ledger.sessions.push(TSession {
            id,
            account: account.into(),
            system: system.into(),
            actor: actor.into(),
            chain: format!("c{id}"),
            from: iso(from),
            to: iso(to),
            visible: true,
            separable: true,
            intrusion: (actor == "intruder").then(|| "1".to_string()),
            ..TSession::default()
        });
        self.ledger.sessions.len() - 1
    }
    pub fn persons_toml(
        &mut self,
        which: impl Iterator<Item = usize>,
        systems: &[&str],
        until: impl Fn(usize) -> Option<String>,
    ) {
        for i in which {
            let s = self.world.staff[i].clone();
            let accounts: Vec<String> = systems
                .iter()
                .map(|k| match *k {
                    "rpps" => format!("\"rpps:{}\"", s.rpps),
                    "ad" => format!("\"ad:{}\\\\{}\"", crate::log::DOMAIN, s.login),
                    k => format!("\"{k}:{}\"", s.login),
                })
                .collect();
            let until = until(i).map_or(String::new(), |u| format!("\nuntil = \"{u}\""));
            self.line(&format!(
                "\n[[person]]\nid = \"p:{}\"\nname = \"{}\"\naccounts = [{}]{until}",
                s.login,
                s.display,
                accounts.join(", ")
            ));
        }
    }
    pub fn snapshots(&mut self, days_apart: i64) {
        let (a, b) = (civil::local_day(self.from), civil::local_day(self.to));
        let mut d = a;
        let mut v = Vec::new();
        while d < b {
            v.push(civil::day_start(d));
            d += 1 + self.rng.below((days_apart * 2 - 1) as u64) as i64;
        }
        v.push(civil::day_start(b));
        v.dedup();
        self.world.snapshots = v;
    }
    /// Finishes files and truth. `people` are data subjects: patients `0..n`, then staff `n..`.
    pub fn finish(mut self, r: &Recipe, incident: &str) -> io::Result<Truth> {
        let lost = self.sink.finish()?;
        self.world.write_snapshots(&self.case, self.scale > 0.3)?;
        world::write_geo(&self.case, (self.from / 1000) as u64)?;
        std::fs::write(self.case.join("ampleur.toml"), &self.toml)?;
        let (population, per) = self.world.population();
        let numbered: Vec<&str> = self.numbered.iter().map(String::as_str).collect();
        let mut t = Truth {
            format: FORMAT.into(),
            family: r.family.name().into(),
            seed: r.seed,
            scale: r.scale,
            incident: incident.into(),
            window: crate::truth::Span {
                from: iso(self.from),
                to: iso(self.to),
            },
            timezone: "Europe/Paris".into(),
            establishments: self
                .world
                .ests
                .iter()
                .zip(&per)
                .map(|(e, n)| TEst {
                    id: e.id.clone(),
                    name: e.name.clone(),
                    authority: e.authority.clone(),
                    population: *n,
                })
                .collect(),
            records: self.sink.files.clone(),
            sources: Vec::new(),
            gaps: self.sink.gaps(self.from, &self.heartbeat, &numbered),
            background: r.background,
            ..Truth::default()
        };
        let mut harmed: BTreeSet<String> = t.gaps.iter().map(|g| g.source.clone()).collect();
        harmed.extend(
            t.records
                .values()
                .filter(|f| f.broken > 0)
                .map(|f| f.source.clone()),
        );
        for (i, spec) in self.sink.specs().enumerate() {
            t.sources.push(TSource {
                key: spec.key.clone(),
                files: format!("logs/{}/*", spec.key),
                format: spec.format.into(),
                clock_offset_ms: self.sink.shift(i),
            });
        }
        for s in &mut self.ledger.sessions {
            if s.actor == "intruder" {
                s.sources = self
                    .sink
                    .specs()
                    .enumerate()
                    .filter(|(i, _)| self.sink.traces.contains_key(&(s.id, *i)))
                    .map(|(_, p)| p.key.clone())
                    .collect();
                s.visible = !s.sources.is_empty();
            }
        }
        for p in &r.pathologies {
            let (k, v) = match p {
                crate::Pathology::Duplicate { share } => ("dup", Value::from(*share)),
                crate::Pathology::Reorder { share } => ("reorder", Value::from(*share)),
                crate::Pathology::Truncate { share } => ("truncate", Value::from(*share)),
                crate::Pathology::Clock { offset_s, .. } => ("clock_s", Value::from(*offset_s)),
                crate::Pathology::Edit { source, .. } => ("edit", Value::from(source.as_str())),
                crate::Pathology::DropBurst { source, .. }
                | crate::Pathology::Erase { source, .. }
                | crate::Pathology::AuditOff { source, .. }
                | crate::Pathology::DropSource { source }
                | crate::Pathology::Rotation { source, .. } => {
                    ("drop", Value::from(source.as_str()))
                }
            };
            t.knobs.insert(k.into(), v);
        }
        t.totals.records = t.records.values().map(|f| f.records).sum();
        t.totals.events_generated = self.sink.generated;
        let n = self.world.persons.len() as u32;
        let world = &self.world;
        let people = People {
            ids: &|p| {
                if p < n {
                    world.ids(p)
                } else {
                    vec![world.staff_id((p - n) as usize)]
                }
            },
            staff: &|p| p >= n,
            population,
            staff_count: world.staff.len() as u64,
        };
        let ledger = std::mem::take(&mut self.ledger);
        t.settle(ledger, &people, &lost, &harmed);
        Ok(t)
    }
    /// Runs `f` for each local day, flushing behind it.
    pub fn each_day(&mut self, mut f: impl FnMut(&mut Stage, i64, Ms, Ms)) {
        let (a, b) = (civil::local_day(self.from), civil::local_day(self.to));
        for d in a..b {
            let (s, e) = (civil::day_start(d), civil::day_start(d + 1));
            if self.roaming {
                for (i, p) in self.world.staff.iter_mut().enumerate() {
                    let h = mix(self.seed ^ mix(d as u64) ^ mix(i as u64 + 17));
                    p.home_ip = format!("198.18.{}.{}", h % 60, 1 + (h >> 16) % 250);
                }
            }
            f(self, d, s, e);
            self.sink.flush(e);
        }
    }
}

/// A working hour of a shift: mostly days, fewer evenings, nights and weekends.
pub(crate) fn shift_start(rng: &mut Rng, day: i64, nights: bool) -> Ms {
    if nights {
        return civil::at(day, 21, 0) + rng.range(0, 5 * civil::HOUR);
    }
    let h = match rng.below(20) {
        0..14 => rng.range(8, 17),
        14..18 => rng.range(14, 21),
        _ => rng.range(0, 24),
    };
    civil::at(day, h, 0) + rng.range(0, civil::HOUR)
}
