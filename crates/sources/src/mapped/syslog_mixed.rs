//! Syslog files in which many programs speak: each line goes to the mapping that claims its program, the rest is kept as `other`.
//! Standards: RFC 3164 §4.1, RFC 5424 §6.
use super::decode::Decoder;
use crate::{
    Confidence, Decode, Decoded, Head, MAPPED, Reason, Setting, Source, Standard, lines, syslog,
    time::{Clock, Stamp},
};
use ampleur_event::{Capability, Event, GapSign, Proof, Silence, Verb, batch::NONE};
use rustc_hash::FxHashMap;
use std::{borrow::Cow, sync::OnceLock};

pub(crate) struct SyslogMixed;

/// Mappings by the programs they claim.
pub(crate) fn claims() -> &'static FxHashMap<&'static str, u16> {
    static ALL: OnceLock<FxHashMap<&'static str, u16>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = FxHashMap::default();
        for (i, m) in MAPPED.iter().enumerate() {
            for t in m.tags() {
                all.entry(t.as_str()).or_insert(i as u16);
            }
        }
        all
    })
}

impl Source for SyslogMixed {
    fn name(&self) -> &'static str {
        "syslog"
    }
    fn about(&self) -> &'static str {
        "Syslog of many programs in one file; each line is read by the source that knows its program, the rest is kept"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "RFC 5424, RFC 3164",
            section: "§6, §4.1",
        }
    }
    fn capability(&self) -> Capability {
        Capability {
            rows: &[
                (Verb::Login, Proof::Presence),
                (Verb::Logout, Proof::Presence),
                (Verb::TunnelUp, Proof::Presence),
                (Verb::TunnelDown, Proof::Presence),
                (Verb::Lease, Proof::Presence),
                (Verb::Flow, Proof::Transfer),
                (Verb::FileRead, Proof::Attempt),
                (Verb::FileWrite, Proof::Change),
                (Verb::Query, Proof::Question),
                (Verb::Process, Proof::Attempt),
                (Verb::Config, Proof::Change),
                (Verb::Restart, Proof::Health),
            ],
            silence: Silence::Nothing,
            names_results: false,
            gap: GapSign::RateOnly,
        }
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        let mut clock = Clock::new(&Setting::default());
        let (mut seen, mut headed, mut named) = (0, 0, 0);
        let mut owners: Vec<u16> = vec![];
        let mut most: FxHashMap<u16, usize> = FxHashMap::default();
        for line in lines::sample(head) {
            seen += 1;
            let text = lines::text(line);
            let Some(h) = syslog::header(&text, &mut clock) else {
                continue;
            };
            // A stamp alone begins many logs; a priority or a program after a host does not.
            if h.program.is_empty() && h.priority.is_none() {
                continue;
            }
            headed += 1;
            if let Some(i) = claims().get(h.program) {
                named += 1;
                *most.entry(*i).or_default() += 1;
                if !owners.contains(i) {
                    owners.push(*i);
                }
            }
        }
        if seen == 0 || headed * 3 < seen * 2 {
            return Confidence::No;
        }
        let top = owners
            .iter()
            .filter_map(|o| most.get(o))
            .max()
            .copied()
            .unwrap_or(0);
        // No program has most of the lines, yet some are known: no other source reads the file as well.
        if named * 4 >= seen && top * 2 < seen {
            Confidence::Likely
        } else {
            Confidence::Maybe
        }
    }
    fn open(&self, _head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        Box::new(Mixed {
            setting: setting.clone(),
            clock: Clock::new(setting),
            decoders: FxHashMap::default(),
        })
    }
}

struct Mixed {
    setting: Setting,
    clock: Clock,
    decoders: FxHashMap<u16, Option<Decoder>>,
}

impl Decode for Mixed {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        lines::each(bytes, last, out, |line, at, len, finished, out| {
            let text = lines::text(line);
            let Some(h) = syslog::header(&text, &mut self.clock) else {
                let reason = if finished {
                    Reason::Shape
                } else {
                    Reason::Truncated
                };
                out.reject(bytes, at, len, reason);
                return;
            };
            if let Some(i) = claims().get(h.program) {
                let setting = &self.setting;
                let decoder = self
                    .decoders
                    .entry(*i)
                    .or_insert_with(|| MAPPED[usize::from(*i)].decoder(setting));
                match decoder.as_mut().map(|d| d.record(&text, at, len, out)) {
                    Some(Ok(())) => return,
                    Some(Err(Reason::Truncated)) => {
                        out.reject(bytes, at, len, Reason::Truncated);
                        return;
                    }
                    _ => {}
                }
            }
            if h.time == Stamp::NONE && h.program.is_empty() && h.host.is_empty() {
                out.reject(
                    bytes,
                    at,
                    len,
                    if finished {
                        Reason::Shape
                    } else {
                        Reason::Truncated
                    },
                );
                return;
            }
            let mut e = Event {
                host: Cow::Borrowed(h.host),
                process: Cow::Borrowed(h.program),
                pid: h.pid.unwrap_or(NONE),
                ..Event::default()
            };
            h.time.put(&mut e);
            out.event(e, at, len);
        })
    }
}
