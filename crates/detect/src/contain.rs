//! What to cut, what to rotate, what to keep.
use crate::{AccountJudged, Containment};
use ampleur_event::{
    Account, Nanos, Outcome, SessionVerdict, System, Verb,
    session::{Judgement, Session},
    time::{MINUTE, NO_TIME},
};
use ampleur_query::{Door, DoorError, Select};
use ampleur_session::{
    Sessions, machine, net,
    profile::{Rules, account_id, is_service, job_of},
};
use ampleur_sources::case::Case;
use rustc_hash::FxHashMap;
use std::{collections::BTreeSet, net::IpAddr};

/// Accounts whose credentials an intruder's session used towards a machine (Windows 4648) that heard nobody of that account then: its
/// log is missing, and the account has no session to be judged by. One that failed somewhere at that time was only tried.
pub(crate) fn lent(
    s: &Sessions,
    door: &dyn Door,
    judgements: &[Judgement],
) -> Result<BTreeSet<Account>, DoorError> {
    const BEFORE: Nanos = 3 * MINUTE;
    const AFTER: Nanos = 15 * MINUTE;
    let intruder = |i: u32| judgements[i as usize].verdict == SessionVerdict::Intruder;
    let windows = |i: usize| {
        let system = s.list[i].account.as_ref().map(|a| a.system);
        system == Some(System::Ad) && intruder(i as u32)
    };
    let mut used: Vec<(Account, String, Nanos)> = vec![];
    if !(0..s.list.len()).any(windows) {
        return Ok(BTreeSet::new());
    }
    let logins = Select {
        verbs: vec![Verb::Login],
        ..Select::default()
    };
    let columns = ampleur_session::KEY_COLUMNS;
    door.scan_chosen(&logins, columns, &|_, e| e.code == 4648, &mut |file, b| {
        for e in b.iter().filter(|e| e.code == 4648 && e.time != NO_TIME) {
            let host = machine(&e.object);
            let own = host == machine(&e.host);
            if host.is_empty() || host == "localhost" || own || e.outcome == Outcome::Failure {
                continue;
            }
            if let Some(i) = s.of_event(file, &e)
                && intruder(i)
                && let Some(a) = e.account().filter(|a| !a.is_machine())
            {
                used.push((a, host, e.time));
            }
        }
    })?;
    let names: BTreeSet<String> = used.iter().map(|u| account_id(&u.0)).collect();
    let mut seen: FxHashMap<String, Vec<&Session>> = FxHashMap::default();
    for x in &s.list {
        let id = x.account.as_deref().map(account_id);
        if let Some(id) = id.filter(|id| names.contains(id)) {
            seen.entry(id).or_default().push(x);
        }
    }
    used.retain(|(a, host, t)| {
        let near = |x: &&&Session| x.from <= t + AFTER && x.to >= t - BEFORE;
        let mut there = seen.get(&account_id(a)).into_iter().flatten().filter(near);
        !there.any(|x| x.counts.failures > 0 || machine(&x.host) == *host)
    });
    Ok(used.into_iter().map(|u| u.0).collect())
}

pub(crate) fn contain(
    case: &Case,
    s: &Sessions,
    rules: &Rules,
    judgements: &[Judgement],
    accounts: &[AccountJudged],
) -> Containment {
    let mut out = Containment::default();
    // Lawful work that stops when an account is cut, and any use but the intruder's.
    let (mut needed, mut used) = (BTreeSet::new(), BTreeSet::new());
    for (i, x) in s.list.iter().enumerate() {
        let Some(a) = &x.account else { continue };
        let verdict = judgements[i].verdict;
        let job = job_of(rules, s, i).is_some();
        if verdict == SessionVerdict::Legitimate && (job || a.system == System::Db) {
            needed.insert(account_id(a));
        }
        let lawful = verdict != SessionVerdict::Intruder && !s.is_flow(i) && !x.only_refused();
        if job || lawful {
            used.insert(account_id(a));
        }
    }
    for a in accounts {
        let id = account_id(&a.account);
        // Technical accounts run the service for others: a new secret, not a cut, unless nobody but the intruder uses them.
        let technical = a.account.system == System::Db
            || a.kind == "service"
            || (a.kind.is_empty() && is_service(case, rules, &a.account));
        match a.verdict {
            SessionVerdict::Intruder if a.account.is_machine() => {}
            SessionVerdict::Intruder if technical && (used.contains(&id) || a.intruder == 0) => {
                out.rotate.push(a.account.to_string());
            }
            SessionVerdict::Intruder => out.cut.push(a.account.to_string()),
            _ => {}
        }
        if needed.contains(&id) && a.verdict != SessionVerdict::Intruder && !a.account.is_machine()
        {
            out.keep.push(a.account.to_string());
        }
    }
    // An origin is cut only when nobody else ever came from it.
    let mut origins: FxHashMap<IpAddr, (bool, bool)> = FxHashMap::default();
    let declared: Vec<net::Net> = case
        .context
        .establishments
        .iter()
        .flat_map(|e| &e.networks)
        .chain(case.context.accounts.iter().flat_map(|a| &a.networks))
        .chain(case.context.tickets.iter().flat_map(|t| &t.networks))
        .filter_map(|n| net::Net::parse(n))
        .collect();
    for (i, x) in s.list.iter().enumerate() {
        let Some(a) = x.origin.address else { continue };
        // Nobody loses an address at which he was only refused, and nobody keeps one by that.
        if x.only_refused() && judgements[i].verdict != SessionVerdict::Legitimate {
            continue;
        }
        let e = origins.entry(a).or_default();
        match judgements[i].verdict {
            SessionVerdict::Intruder => e.0 |= x.account.is_some() && !s.is_flow(i),
            _ => e.1 |= !(x.account.is_none() && s.is_flow(i)) || x.account.is_some(),
        }
    }
    let alone = origins
        .into_iter()
        .filter(|(_, (bad, other))| *bad && !other)
        .map(|(a, _)| a)
        .filter(|a| !net::is_private(*a) && !declared.iter().any(|n| n.contains(*a)));
    out.cut.extend(alone.map(|a| a.to_string()));
    // Everyone the intruder did not touch in the same doors stays: named only where the service rests on them.
    for j in &case.context.jobs {
        let name = Account::parse(&j.account).to_string();
        let known = accounts
            .iter()
            .any(|a| account_id(&a.account) == account_id(&Account::parse(&name)));
        if !known && !out.keep.contains(&name) {
            out.keep.push(name);
        }
    }
    out.cut.sort();
    out.rotate.sort();
    out.keep.sort();
    out.keep.dedup();
    out
}
