//! Requests that name nobody, from an address people use one after the other: whose each run is.
use crate::{
    build::{Making, Merged},
    features::{List, Traits},
    intake::Fragment,
    key::{INACTIVITY, Keyed, PAUSE},
    net,
    profile::People,
    texts::{TextId, Texts},
};
use ampleur_event::{
    Account, SessionKey, System,
    time::{HOUR, MINUTE, Nanos, SECOND},
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::net::IpAddr;

/// Whoever asks as soon as this after somebody came is taken for him.
const SOON: Nanos = MINUTE;
/// Who was there so long before is there still, as far as one knows.
const STAY: Nanos = 10 * MINUTE;
/// What is asked on the way in, before a log has him.
const ENTRY: Nanos = 20 * SECOND;
/// Where more people come within an hour, somebody else may have asked.
const FEW: usize = 3;

/// An account known at an address.
struct Presence {
    from: Nanos,
    to: Nanos,
    /// Number of the person or canonical account.
    who: u32,
    /// Number in [`Turns::accounts`].
    account: u32,
}

/// Everybody known at one address, and the latest end up to each, to stop looking back in time.
#[derive(Default)]
struct Place {
    list: Vec<Presence>,
    ends: Vec<Nanos>,
}

impl Place {
    /// Who may have been there between two instants, both included.
    fn between(&self, from: Nanos, to: Nanos) -> impl Iterator<Item = &Presence> {
        let stop = self.list.partition_point(|p| p.from <= to);
        let start = self.ends[..stop].partition_point(|end| *end < from);
        self.list[start..stop].iter().filter(move |p| p.to >= from)
    }
}

/// Who is known when at the addresses where requests without an account pause.
#[derive(Default)]
pub(crate) struct Turns {
    at: FxHashMap<IpAddr, Place>,
    pub accounts: Vec<Account>,
}

/// Rows of requests that name nobody and nothing that would hold them together.
fn nameless(key: &Keyed, texts: &Texts, traits: &Traits) -> bool {
    key.kind == SessionKey::Inactivity
        && texts.get(key.account).is_empty()
        && texts.get(key.id).is_empty()
        && traits.ports == 0
}

impl Turns {
    pub fn of(making: &Making<'_>, people: &People, keys: &mut [Merged]) -> Turns {
        let mut wanted: FxHashSet<IpAddr> = FxHashSet::default();
        for m in keys.iter_mut() {
            let list = &mut m.slot.list;
            if list.len() < 2 || !nameless(&m.slot.key, making.texts, &list[0].traits) {
                continue;
            }
            list.sort_by_key(|f| (f.from, f.to, f.fingerprint));
            let pauses = list
                .windows(2)
                .any(|w| (PAUSE + 1..=INACTIVITY).contains(&w[1].from.saturating_sub(w[0].to)));
            if pauses {
                wanted.extend(making.origin(&m.slot.key, &list[0].traits));
            }
        }
        let mut out = Turns::default();
        if wanted.is_empty() {
            return out;
        }
        // Accounts and addresses come back stretch after stretch: what each is gets worked out once.
        let mut known: FxHashMap<(System, TextId), Option<(u32, u32)>> = FxHashMap::default();
        let mut numbers: FxHashMap<(System, String), Option<(u32, u32)>> = FxHashMap::default();
        let mut whos: FxHashMap<String, u32> = FxHashMap::default();
        let mut elsewhere: FxHashMap<TextId, bool> = FxHashMap::default();
        for m in keys.iter() {
            let key = &m.slot.key;
            // An address of its own that is none of these, as nearly all are.
            let elsewhere = *elsewhere.entry(key.address).or_insert_with(|| {
                let own = net::parse_address(making.texts.get(key.address));
                own.is_some_and(|a| !wanted.contains(&a))
            });
            for f in &m.slot.list {
                let traits = &f.traits;
                if elsewhere && !traits.noted.has(List::Inner) {
                    continue;
                }
                let ids = traits.noted.first(making.texts, List::UserIds);
                if traits.accounts.is_empty() && ids.is_none() {
                    continue;
                }
                let places = (making.origin(key, traits).into_iter())
                    .chain(making.inner(traits))
                    .filter(|a| wanted.contains(a));
                for place in places {
                    let mut number = |account: Account| {
                        let spelled = (account.system, account.name.to_string());
                        *numbers.entry(spelled).or_insert_with(|| {
                            if account.is_machine() {
                                return None;
                            }
                            let who = match people.of(&account) {
                                Some(p) => format!("#{p}"),
                                None => crate::key::canonical(&account),
                            };
                            let next = whos.len() as u32;
                            out.accounts.push(account);
                            let number = out.accounts.len() as u32 - 1;
                            Some((*whos.entry(who).or_insert(next), number))
                        })
                    };
                    let of = match making.whose(key, traits) {
                        (Some((system, name)), _) => {
                            *known.entry((system, name)).or_insert_with(|| {
                                number(Account {
                                    system,
                                    name: making.texts.get(name).to_string(),
                                })
                            })
                        }
                        (None, named) => named.and_then(&mut number),
                    };
                    let Some((who, account)) = of else {
                        break;
                    };
                    out.at.entry(place).or_default().list.push(Presence {
                        from: f.from,
                        to: f.to,
                        who,
                        account,
                    });
                }
            }
        }
        // A map of lists: the order in which they are sorted says nothing.
        #[allow(clippy::iter_over_hash_type)]
        for Place { list, ends } in out.at.values_mut() {
            list.sort_by_key(|p| (p.from, p.to, p.who, p.account));
            let mut last = Nanos::MIN;
            ends.extend(list.iter().map(|p| {
                last = last.max(p.to);
                last
            }));
        }
        out
    }

    /// Who was known where these rows come from.
    pub fn along<'t>(&'t self, making: &Making<'_>, key: &Keyed, first: &Fragment) -> Turn<'t> {
        let there = if self.at.is_empty() || !nameless(key, making.texts, &first.traits) {
            None
        } else {
            let origin = making.origin(key, &first.traits);
            origin.and_then(|a| self.at.get(&a))
        };
        Turn {
            there,
            taken: false,
            tied: false,
        }
    }
}

/// How far the rows of one key are told apart.
pub(crate) struct Turn<'t> {
    there: Option<&'t Place>,
    /// Somebody else came within this use of the address.
    taken: bool,
    /// The piece at hand is the run of whoever came just before it.
    tied: bool,
}

/// What a pause between two stretches is.
pub(crate) enum Pause {
    /// Of whoever asks.
    Own,
    /// Between two people: whose the stretch before it is, where that was not said, and whose the one behind it.
    Between(Option<u32>, u32),
    /// Either of two may go on: what is before it and behind it is nobody's.
    Open,
}

/// The number of nobody who could be told, in the place of one in [`Turns::accounts`].
pub(crate) const OPEN: u32 = u32::MAX - 1;

impl Turn<'_> {
    /// The use ended: who comes next begins anew.
    pub fn over(&mut self) {
        (self.taken, self.tied) = (false, false);
    }

    /// The pause between the piece at hand and the next stretch.
    pub fn pause(&mut self, piece: (Nanos, Nanos), next: Nanos) -> Pause {
        let Some(there) = self.there.filter(|_| next.saturating_sub(piece.1) > PAUSE) else {
            return Pause::Own;
        };
        let came = came(there, piece.1, next);
        if self.taken {
            // Both may go on now: only a run that begins with a coming, and ends with the use or another coming, is somebody's.
            let tied = std::mem::replace(&mut self.tied, came.is_some());
            return match came {
                Some((_, account)) => Pause::Between(None, account),
                None if tied => Pause::Open,
                None => Pause::Own,
            };
        }
        // Until then exactly one was known there, and from the beginning.
        let before =
            one_of(there.between(piece.0.saturating_sub(STAY), piece.1.saturating_add(SOON)));
        match (before, came) {
            (Some(a), Some(b)) if a.who != b.0 && a.from <= piece.0.saturating_add(SOON) => {
                (self.taken, self.tied) = (true, true);
                Pause::Between(Some(a.account), b.1)
            }
            _ => Pause::Own,
        }
    }
}

/// The one who came in a pause, just before it ended: who, and the account.
fn came(there: &Place, last: Nanos, next: Nanos) -> Option<(u32, u32)> {
    let (from, to) = (
        next.saturating_sub(SOON).max(last.saturating_add(1)),
        next.saturating_add(ENTRY),
    );
    let first = there.list.partition_point(|p| p.from < from);
    let one = one_of(there.list[first..].iter().take_while(|p| p.from <= to))?;
    let mut few: Vec<u32> = vec![];
    for p in there.between(next.saturating_sub(HOUR), next.saturating_add(SOON)) {
        if few.contains(&p.who) {
            continue;
        }
        if few.len() == FEW {
            return None;
        }
        few.push(p.who);
    }
    Some((one.who, one.account))
}

/// The first of them, when all are of one person.
fn one_of<'p>(mut all: impl Iterator<Item = &'p Presence>) -> Option<&'p Presence> {
    let first = all.next()?;
    all.all(|p| p.who == first.who).then_some(first)
}
