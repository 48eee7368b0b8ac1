//! Fuzzing of Outlook's stores: small stores of every layout, with numbers that lead elsewhere, blocks in each other's places,
//! bytes changed and ends cut off. Checked on every run: no panic, steps that go on, bytes told within what the store may give.
use crate::Random;
use ampleur_content::extract::{Bookmark, Direct, Risky, Unit, Why};
use ampleur_testkit::pst::{Attachment, Layout, Message, Shape, Value, store};
use rustc_hash::{FxHashSet, FxHasher};
use std::{
    hash::{Hash, Hasher},
    io::Cursor,
};

/// What `--source` calls it.
pub const STORE: &str = "outlook-store";

/// A store and where its pages and blocks begin.
struct Sample {
    bytes: Vec<u8>,
    from: usize,
}

pub struct Stores {
    pool: Vec<Sample>,
    random: Random,
    seen: FxHashSet<u64>,
    pub runs: u64,
}

fn samples() -> Vec<Sample> {
    let mail = |n: usize, attachments| Message {
        subject: format!("objet {n}"),
        properties: vec![
            (0x1000, Value::Text("corps ".repeat(n * 40))),
            (0x1013, Value::Bytes(b"<p>page</p>".to_vec())),
            (0x8001, Value::Texts(vec!["a".into(), "b".into()])),
        ],
        recipients: (0..n * 3)
            .map(|i| (format!("service {i}"), format!("s{i}@ch.example")))
            .collect(),
        attachments,
    };
    let file = |n: usize| Attachment::File("a.txt".into(), b"texte\n".repeat(n));
    let inner = mail(1, vec![file(10)]);
    let messages = [
        mail(1, vec![file(4_000), Attachment::Message(inner)]),
        mail(30, vec![]),
        mail(2, vec![file(1), file(2)]),
    ];
    let many: Vec<Message> = (0..60).map(|i| mail(i % 2, vec![])).collect();
    [
        (Layout::Ansi, 0x4800),
        (Layout::Unicode, 0x4800),
        (Layout::Wide, 0x24000),
    ]
    .into_iter()
    .flat_map(|(layout, from)| {
        [&messages[..], &many].map(|m| Sample {
            bytes: store(&Shape::plain(layout), "dossier", m),
            from,
        })
    })
    .collect()
}

impl Stores {
    pub fn new(seed: u64) -> Stores {
        Stores {
            pool: samples(),
            random: Random::new(seed),
            seen: FxHashSet::default(),
            runs: 0,
        }
    }

    /// Makes the next input.
    pub fn input(&mut self) -> Vec<u8> {
        let r = &mut self.random;
        let sample = &self.pool[r.below(self.pool.len())];
        let (mut b, from) = (sample.bytes.clone(), sample.from);
        for _ in 0..=r.below(6) {
            let n = b.len();
            if n < from + 1024 {
                break;
            }
            // Mostly the pages and blocks, sometimes the header.
            let at = if r.below(8) == 0 {
                8 + r.below(540)
            } else {
                from + r.below(n - from - 512)
            };
            match r.below(9) {
                0 => b[at] = r.number() as u8,
                1 => b[at] ^= 1 << r.below(8),
                2 => {
                    let v = [0u64, 1, 0xff, u64::MAX, 1 << 31, n as u64][r.below(6)];
                    b[at & !7..][..8].copy_from_slice(&v.to_le_bytes());
                }
                3 => {
                    // A place inside the file.
                    let v = (from + r.below(n - from)) as u64 & !63;
                    b[at & !7..][..8].copy_from_slice(&v.to_le_bytes());
                }
                4 => b[at & !3..][..4].copy_from_slice(&(r.number() as u32).to_le_bytes()),
                5 => b[at & !1..][..2].copy_from_slice(&(r.number() as u16).to_le_bytes()),
                6 => {
                    // A number of another place.
                    let other = (from + r.below(n - from - 16)) & !7;
                    let v: Vec<u8> = b[other..other + 8].to_vec();
                    b[at & !7..][..8].copy_from_slice(&v);
                }
                7 => {
                    // A block or page over another.
                    let size = [64, 512][r.below(2)];
                    let to = at.min(n - size) & !63;
                    let other = (from + r.below(n - from - size)) & !63;
                    b.copy_within(other..other + size, to);
                }
                _ if r.below(4) == 0 => b.truncate(at),
                _ => {}
            }
        }
        b
    }

    /// One execution. Panics when the reader does, or when a law is broken; the caller keeps the input.
    pub fn run(&mut self, input: &[u8]) {
        self.runs += 1;
        let sign = read(input);
        if self.seen.len() < 1 << 20 && self.seen.insert(sign) && self.pool.len() < 2_000 {
            let from = if input.get(10) == Some(&36) {
                0x24000
            } else {
                0x4800
            };
            if input.len() > from + 2048 {
                self.pool.push(Sample {
                    bytes: input.to_vec(),
                    from,
                });
            }
        }
    }

    /// Kinds of result seen.
    pub fn kinds(&self) -> usize {
        self.seen.len()
    }
}

/// Reads a store to its end and tells what is remarkable about the result, as a number.
///
/// # Panics
/// When the reader does, or when a law is broken.
pub fn read(input: &[u8]) -> u64 {
    let len = input.len() as u64;
    let mut file = Cursor::new(input);
    let mut from = Bookmark::default();
    let mut h = FxHasher::default();
    let (mut texts, mut members, mut told) = (0u32, 0u32, 0u64);
    loop {
        let mut whys = vec![];
        let r = Direct.step(&mut file, len, from, &mut |u| match u {
            Unit::Text(t) => {
                texts += 1;
                told += t.len() as u64;
            }
            Unit::Member(m) => {
                members += 1;
                told += m.len() as u64;
            }
            Unit::Why(w) => whys.push(w.word()),
            _ => {}
        });
        whys.hash(&mut h);
        match r {
            Ok(Some(next)) => {
                assert!(next.node > from.node, "a step does not go on");
                from = next;
            }
            Ok(None) => break,
            Err(w) => {
                assert!(w != Why::Stopped, "the reader broke down");
                w.word().hash(&mut h);
                break;
            }
        }
    }
    assert!(
        told <= len.saturating_mul(16).saturating_add(16 << 20),
        "{told} bytes out of {len}"
    );
    (texts.min(40), members.min(8), told.checked_ilog2()).hash(&mut h);
    h.finish()
}
