//! What a simulator holds fixed and reality does not: countries, clients, shared exits, context, length of memory. Each knob
//! rewrites a finished case and its truth alike, so that every family can be played under every combination.
use crate::{truth::Truth, world::AGENTS};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// One thing made otherwise than the family has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knob {
    /// The intruder comes from residential lines of the owners' own country and operator.
    AtHome,
    /// The intruder uses the commonest browser, or the name of the owner's own machine.
    OwnersClient,
    /// Everybody has one and the same browser, the intruder too.
    OneBrowser,
    /// All establishments sit behind one public address.
    OneExit,
    /// No GeoIP files, and gateways name no country.
    NoGeo,
    /// No `[[person]]`.
    NoPersons,
    /// No `[[account]]` and no `[[rights]]`.
    NoAccounts,
    /// No `[[ticket]]`, `[[job]]`, `[[absence]]`.
    NoPlans,
    /// Nothing but `[[source]]`: no establishment, no home country, nobody's name.
    LogsOnly,
}

impl Knob {
    pub const ALL: &'static [Knob] = &[
        Knob::AtHome,
        Knob::OwnersClient,
        Knob::OneBrowser,
        Knob::OneExit,
        Knob::NoGeo,
        Knob::NoPersons,
        Knob::NoAccounts,
        Knob::NoPlans,
        Knob::LogsOnly,
    ];
    pub fn name(self) -> &'static str {
        match self {
            Knob::AtHome => "at-home",
            Knob::OwnersClient => "owners-client",
            Knob::OneBrowser => "one-browser",
            Knob::OneExit => "one-exit",
            Knob::NoGeo => "no-geo",
            Knob::NoPersons => "no-persons",
            Knob::NoAccounts => "no-accounts",
            Knob::NoPlans => "no-plans",
            Knob::LogsOnly => "logs-only",
        }
    }
    pub fn by_name(name: &str) -> Option<Knob> {
        Knob::ALL.iter().copied().find(|k| k.name() == name)
    }
}

/// Exact texts and what stands for them. Addresses are replaced whole (`10.0.0.1` never inside `110.0.0.12`).
#[derive(Default)]
struct Rewrite {
    addresses: BTreeMap<String, String>,
    texts: Vec<(String, String)>,
    /// Lines on which one of these addresses stood say this country instead.
    moved: BTreeSet<String>,
    mute: bool,
}

/// Applies `knobs` to `dir/case` and `dir/truth.json`. Equal input and knobs give equal bytes.
///
/// # Errors
/// When a file cannot be read or written, or is no truth.
pub fn apply(dir: &Path, knobs: &[Knob]) -> io::Result<()> {
    if knobs.is_empty() {
        return Ok(());
    }
    let has = |k: Knob| knobs.contains(&k);
    let path = dir.join("truth.json");
    let mut truth: Truth = serde_json::from_slice(&std::fs::read(&path)?)?;
    let mut w = Rewrite {
        mute: has(Knob::NoGeo),
        ..Rewrite::default()
    };
    if has(Knob::AtHome) {
        let bad: BTreeSet<String> = truth
            .sessions
            .iter()
            .filter(|s| s.actor == "intruder")
            .filter_map(|s| s.address.clone())
            .filter(|a| !a.starts_with("10."))
            .collect();
        for (k, a) in bad.into_iter().enumerate() {
            // Inside the owners' own operator, in a part no owner lives in.
            w.addresses
                .insert(a, format!("198.18.{}.{}", 60 + k / 250, 1 + k % 250));
        }
        w.moved = w.addresses.values().cloned().collect();
    }
    if has(Knob::OwnersClient) {
        for s in truth.sessions.iter().filter(|s| s.actor == "intruder") {
            let Some(d) = &s.device else { continue };
            let own = truth
                .sessions
                .iter()
                .find(|o| o.account == s.account && o.actor != "intruder" && o.device.is_some())
                .and_then(|o| o.device.clone());
            let to = if d.contains('/') {
                AGENTS[0].to_string()
            } else {
                match own {
                    // A server's name is no client of the intruder's choice.
                    Some(o) if o != *d && s.system != "bd" => o,
                    _ => continue,
                }
            };
            let rule = (d.clone(), to);
            if !w.texts.contains(&rule) && rule.0 != rule.1 {
                w.texts.push(rule);
            }
        }
    }
    if has(Knob::OneBrowser) {
        for s in &truth.sessions {
            if let Some(d) = s.device.as_ref().filter(|d| d.contains('/')) {
                let rule = (d.clone(), AGENTS[0].to_string());
                if d != AGENTS[0] && !w.texts.contains(&rule) {
                    w.texts.push(rule);
                }
            }
        }
        for a in &AGENTS[1..] {
            w.texts.push(((*a).to_string(), AGENTS[0].to_string()));
        }
    }
    if has(Knob::OneExit) {
        for k in 20..=255 {
            w.addresses
                .insert(format!("203.0.113.{k}"), "203.0.113.20".into());
        }
    }
    // Longer texts first: one must not be cut by another.
    w.texts
        .sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.cmp(b)));
    for s in &mut truth.sessions {
        for a in [&mut s.address, &mut s.inner].into_iter().flatten() {
            if let Some(to) = w.addresses.get(a.as_str()) {
                a.clone_from(to);
            }
        }
        if let Some(d) = &mut s.device
            && let Some((_, to)) = w.texts.iter().find(|(from, _)| from == d)
        {
            d.clone_from(to);
        }
    }
    for f in files(&dir.join("case/logs"))? {
        rewrite_file(&f, &w)?;
    }
    context(&dir.join("case"), &has, &w)?;
    for k in knobs {
        truth.knobs.insert(k.name().into(), true.into());
    }
    std::fs::write(&path, serde_json::to_vec(&truth)?)
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut out = vec![];
    for e in std::fs::read_dir(dir)? {
        let p = e?.path();
        if p.is_dir() {
            out.extend(files(&p)?);
        } else {
            out.push(p);
        }
    }
    out.sort();
    Ok(out)
}

fn rewrite_file(path: &Path, w: &Rewrite) -> io::Result<()> {
    let raw = std::fs::read(path)?;
    let gz = path.extension().is_some_and(|e| e == "gz");
    let text = if gz {
        let mut out = vec![];
        flate2::read::MultiGzDecoder::new(raw.as_slice()).read_to_end(&mut out)?;
        out
    } else {
        raw
    };
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|b| *b == b'\n') {
        w.line(line, &mut out);
    }
    if gz {
        let mut e = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        e.write_all(&out)?;
        out = e.finish()?;
    }
    std::fs::write(path, out)
}

impl Rewrite {
    fn line(&self, line: &[u8], out: &mut Vec<u8>) {
        let mut text = String::from_utf8_lossy(line).into_owned();
        if text.as_bytes() != line {
            // A cut or foreign line keeps its bytes.
            out.extend_from_slice(line);
            return;
        }
        let mut moved = false;
        if !self.addresses.is_empty() {
            text = addresses(&text, |a| {
                if let Some(to) = self.addresses.get(a) {
                    moved |= self.moved.contains(to);
                    return Some(to.clone());
                }
                None
            });
        }
        for (from, to) in &self.texts {
            if text.contains(from.as_str()) {
                text = text.replace(from.as_str(), to);
            }
        }
        if moved || self.mute {
            for name in ["Romania", "Netherlands", "Moldova", "Portugal", "France"] {
                let quoted = format!("=\"{name}\"");
                if text.contains(&quoted) {
                    let to = if self.mute { "Reserved" } else { "France" };
                    text = text.replace(&quoted, &format!("=\"{to}\""));
                }
            }
        }
        out.extend_from_slice(text.as_bytes());
    }
}

/// Replaces whole dotted addresses for which `f` answers.
fn addresses(text: &str, mut f: impl FnMut(&str) -> Option<String>) -> String {
    let b = text.as_bytes();
    let part = |c: u8| c.is_ascii_digit() || c == b'.';
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    while at < b.len() {
        if !b[at].is_ascii_digit() {
            let end = (at..b.len())
                .find(|i| b[*i].is_ascii_digit())
                .unwrap_or(b.len());
            out.push_str(&text[at..end]);
            at = end;
            continue;
        }
        let end = (at..b.len()).find(|i| !part(b[*i])).unwrap_or(b.len());
        let word = text[at..end].trim_end_matches('.');
        match (word.matches('.').count() == 3).then(|| f(word)).flatten() {
            Some(to) => out.push_str(&to),
            None => out.push_str(word),
        }
        out.push_str(&text[at + word.len()..end]);
        at = end;
    }
    out
}

/// Takes whole sections and keys out of `ampleur.toml`.
fn context(case: &Path, has: &dyn Fn(Knob) -> bool, w: &Rewrite) -> io::Result<()> {
    let path = case.join("ampleur.toml");
    let text = std::fs::read_to_string(&path)?;
    let mut gone: Vec<&str> = vec![];
    if has(Knob::NoPersons) || has(Knob::LogsOnly) {
        gone.push("person");
    }
    if has(Knob::NoAccounts) || has(Knob::LogsOnly) {
        gone.extend(["account", "rights"]);
    }
    if has(Knob::NoPlans) || has(Knob::LogsOnly) {
        gone.extend(["ticket", "job", "absence"]);
    }
    if has(Knob::LogsOnly) {
        gone.extend([
            "establishment",
            "endpoint",
            "share",
            "table",
            "claim",
            "canary",
        ]);
    }
    // An absence needs its person.
    if has(Knob::NoPersons) {
        gone.push("absence");
    }
    let geo = has(Knob::NoGeo) || has(Knob::LogsOnly);
    let mut out = String::with_capacity(text.len());
    let mut skip = false;
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("[[").and_then(|l| l.split(']').next()) {
            skip = gone.contains(&name);
        }
        let key = line.split('=').next().unwrap_or("").trim();
        let dropped = (geo && key == "geoip")
            || (has(Knob::LogsOnly) && matches!(key, "home_countries" | "establishment"));
        if skip || dropped {
            continue;
        }
        out.push_str(&addresses(line, |a| w.addresses.get(a).cloned()));
    }
    if geo {
        drop(std::fs::remove_dir_all(case.join("geo")));
    }
    std::fs::write(&path, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn addresses_are_replaced_whole() {
        let f = |a: &str| (a == "10.0.0.1").then(|| "192.0.2.9".to_string());
        assert_eq!(
            addresses("a 10.0.0.1:80 110.0.0.1 10.0.0.12 10.0.0.1.", f),
            "a 192.0.2.9:80 110.0.0.1 10.0.0.12 192.0.2.9."
        );
        assert_eq!(addresses("v1.2 é 10.0.0.1", f), "v1.2 é 192.0.2.9");
    }
}
