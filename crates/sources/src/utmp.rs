//! Login records of Linux: `wtmp` (who came and went), `btmp` (who was refused), `utmp` (who is there). Records of 384 bytes, numbers
//! little-endian, times in seconds and microseconds of UTC. Standard: utmp(5), `struct utmp` of glibc on x86-64.
//! The record of a departure names the terminal; whose it was is told by the arrival there before it.
use crate::{
    Capability, Confidence, Decode, Decoded, Head, Reason, Setting, Source, Standard, lines, net,
    time::{Clock, Stamp},
};
use ampleur_event::{Event, GapSign, Outcome, Proof, Silence, System, Verb, batch::NONE};
use rustc_hash::FxHashMap;
use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr},
};

pub(crate) struct Utmp;

/// Bytes of a record.
const RECORD: usize = 384;
/// Terminals followed at a time.
const TERMINALS: usize = 4096;
/// Seconds a record may be of: the years 2000 to 2099.
const SECONDS: std::ops::Range<u32> = 946_684_800..4_102_444_800;

/// Names of the types of a record, in their order.
const TYPES: [&str; 10] = [
    "EMPTY",
    "RUN_LVL",
    "BOOT_TIME",
    "NEW_TIME",
    "OLD_TIME",
    "INIT_PROCESS",
    "LOGIN_PROCESS",
    "USER_PROCESS",
    "DEAD_PROCESS",
    "ACCOUNTING",
];

impl Source for Utmp {
    fn name(&self) -> &'static str {
        "utmp"
    }
    fn about(&self) -> &'static str {
        "Linux login records as they lie (wtmp, btmp, utmp): sessions, refused logins, boots"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "utmp(5)",
            section: "struct utmp",
        }
    }
    fn capability(&self) -> Capability {
        Capability {
            rows: &[
                (Verb::Login, Proof::Presence),
                (Verb::Logout, Proof::Presence),
                (Verb::Restart, Proof::Health),
            ],
            silence: Silence::Nothing,
            names_results: false,
            gap: GapSign::RateOnly,
        }
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        let (mut all, mut fit, mut told) = (0, 0, 0);
        for bytes in head.bytes.as_chunks().0.iter().take(64) {
            let record = Record::of(bytes);
            all += 1;
            fit += usize::from(record.is_some());
            told += usize::from(record.is_some_and(|r| r.kind > 0 && r.seconds > 0));
        }
        // Some places may not be taken, and a few be damaged.
        match told > 0 && told * 4 >= all && fit * 8 >= all * 7 {
            true => Confidence::Certain,
            false => Confidence::No,
        }
    }
    fn open(&self, _head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        Box::new(Decoder {
            clock: Clock::new(setting),
            there: FxHashMap::default(),
        })
    }
}

/// A record, its texts without the zeros behind them.
struct Record<'a> {
    kind: usize,
    pid: u64,
    line: &'a [u8],
    user: &'a [u8],
    host: &'a [u8],
    seconds: u32,
    micros: u32,
    address: [u8; 16],
}

impl<'a> Record<'a> {
    /// `None`: these bytes are no record.
    fn of(bytes: &'a [u8; RECORD]) -> Option<Record<'a>> {
        let number = |at: usize| {
            let four = bytes[at..].first_chunk::<4>();
            four.map_or(0, |four| u32::from_le_bytes(*four))
        };
        let text = |at: usize, len: usize| {
            let field = &bytes[at..at + len];
            let end = memchr::memchr(0, field).unwrap_or(len);
            Some(&field[..end]).filter(|t| !t.iter().any(u8::is_ascii_control))
        };
        let record = Record {
            kind: Some(number(0) as usize).filter(|k| *k < TYPES.len())?,
            pid: u64::from(number(4)),
            line: text(8, 32)?,
            user: text(44, 32)?,
            host: text(76, 256)?,
            seconds: number(340),
            micros: number(344),
            address: *bytes[348..].first_chunk()?,
        };
        let timed = record.seconds == 0 || SECONDS.contains(&record.seconds);
        (timed && record.micros < 1_000_000).then_some(record)
    }
    /// From where, by the address kept or by the name of the machine when that is one.
    fn address(&self) -> Cow<'a, str> {
        let [a, b, c, d, rest @ ..] = self.address;
        match (self.address.iter().any(|b| *b > 0), rest == [0; 12]) {
            (true, true) => Ipv4Addr::new(a, b, c, d).to_string().into(),
            (true, false) => Ipv6Addr::from(self.address)
                .to_canonical()
                .to_string()
                .into(),
            (false, _) => {
                let first = self.host.split(|b| *b == b' ').next();
                let first = std::str::from_utf8(first.unwrap_or_default());
                net::address(first.unwrap_or("")).into()
            }
        }
    }
}

/// Who arrived at a terminal, and from where.
struct There {
    user: String,
    address: String,
    session: String,
}

struct Decoder {
    clock: Clock,
    there: FxHashMap<Vec<u8>, There>,
}

impl Decoder {
    fn record(&mut self, r: &Record<'_>, at: usize, out: &mut Decoded) {
        let time = match r.seconds {
            0 => Stamp::NONE,
            s => {
                let micros = i64::from(s) * 1_000_000 + i64::from(r.micros);
                self.clock.explicit(micros * 1000)
            }
        };
        let terminal = lines::text(r.line);
        let mut e = Event {
            action: TYPES[r.kind].into(),
            verb: Verb::Other,
            pid: Some(r.pid).filter(|p| *p > 0).unwrap_or(NONE),
            ..Event::default()
        };
        if !terminal.is_empty() && terminal != "~" {
            e.extra = format!("tty={terminal}").into();
        }
        time.put(&mut e);
        let was = match TYPES[r.kind] {
            "DEAD_PROCESS" => self.there.remove(r.line),
            _ => None,
        };
        match (TYPES[r.kind], r.user) {
            ("BOOT_TIME", _) => {
                e.verb = Verb::Restart;
                e.reason = lines::text(r.host);
            }
            // A terminal that waits for somebody.
            ("LOGIN_PROCESS", b"LOGIN" | b"") => {}
            (kind @ ("USER_PROCESS" | "LOGIN_PROCESS"), user) if !user.is_empty() => {
                e.verb = Verb::Login;
                e.user = lines::text(user);
                e.src_ip = r.address();
                if e.src_ip.is_empty() && r.host.first().is_some_and(|b| *b != b':') {
                    e.device = lines::text(r.host);
                }
                e.outcome = match kind {
                    "USER_PROCESS" => Outcome::Success,
                    _ => Outcome::Failure,
                };
                if kind == "USER_PROCESS" {
                    e.session_id = format!("{terminal}/{}", r.pid).into();
                    if self.there.len() >= TERMINALS {
                        self.there.clear();
                    }
                    let there = There {
                        user: e.user.to_string(),
                        address: e.src_ip.to_string(),
                        session: e.session_id.to_string(),
                    };
                    self.there.insert(r.line.to_vec(), there);
                }
            }
            ("DEAD_PROCESS", _) => {
                if let Some(was) = was {
                    e.verb = Verb::Logout;
                    e.outcome = Outcome::Success;
                    e.user = was.user.into();
                    e.src_ip = was.address.into();
                    e.session_id = was.session.into();
                }
            }
            (_, user) => e.object = lines::text(user),
        }
        if !e.user.is_empty() {
            e.system = System::Host;
        }
        out.event(e, at, RECORD);
    }
}

impl Decode for Decoder {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let (records, rest) = bytes.as_chunks::<RECORD>();
        for (i, bytes_of) in records.iter().enumerate() {
            let at = i * RECORD;
            match Record::of(bytes_of) {
                // A place that is not taken.
                Some(r) if r.kind == 0 && r.user.is_empty() => out.skip(),
                Some(r) => self.record(&r, at, out),
                None => out.reject(bytes, at, RECORD, Reason::Shape),
            }
        }
        let taken = records.len() * RECORD;
        if last && !rest.is_empty() {
            out.reject(bytes, taken, rest.len(), Reason::Truncated);
            return bytes.len();
        }
        taken
    }
}
