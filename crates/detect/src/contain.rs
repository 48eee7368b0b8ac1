//! What to cut, what to rotate, what to keep.
use crate::{AccountJudged, Containment};
use ampleur_event::{Account, SessionVerdict, System, session::Judgement};
use ampleur_session::{
    Sessions, net,
    profile::{Rules, account_id, is_service, job_of},
};
use ampleur_sources::case::Case;
use rustc_hash::FxHashMap;
use std::{collections::BTreeSet, net::IpAddr};

pub(crate) fn contain(
    case: &Case,
    s: &Sessions,
    rules: &Rules,
    judgements: &[Judgement],
    accounts: &[AccountJudged],
) -> Containment {
    let mut out = Containment::default();
    // Lawful work that stops when an account is cut.
    let mut needed: BTreeSet<String> = BTreeSet::new();
    for (i, x) in s.list.iter().enumerate() {
        if let Some(a) = &x.account
            && judgements[i].verdict == SessionVerdict::Legitimate
            && (job_of(rules, s, i).is_some() || a.system == System::Db)
        {
            needed.insert(account_id(a));
        }
    }
    for a in accounts {
        let id = account_id(&a.account);
        // Technical accounts run the service for others: a new secret, not a cut.
        let technical = a.account.system == System::Db
            || a.kind == "service"
            || (a.kind.is_empty() && is_service(case, rules, &a.account));
        match a.verdict {
            SessionVerdict::Intruder if a.account.is_machine() => {}
            SessionVerdict::Intruder if technical => out.rotate.push(a.account.to_string()),
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
