//! From bad to bad: what a stranger's units share, until nothing joins; and one label per stranger.
use crate::{
    places::{
        again_and_again, beside_usurped, by_turns, odd_place, one_address, one_renter,
        rented_abroad, same_stranger, unknown_places, walked_through,
    },
    score::{
        DOUBTFUL, INTRUDER, Model, SAID, Sentences, Sum, Trust, common_browser, handheld, technical,
    },
    units::{Behaviour, Manner, Small, Unit, Units, WALK},
};
use ampleur_event::{
    SessionVerdict, System,
    session::{Reason, SessionKey},
    time::{DAY, HOUR, MINUTE, NO_TIME, Nanos},
};
use ampleur_session::spread::in_pieces;
use rustc_hash::FxHashSet;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

/// Signs of a person that may be about what its session opened: other accounts, and what was done under them.
const OPENED: [&str; 10] = [
    "another_account",
    "beyond_reach",
    "enumeration",
    "export",
    "id_walk",
    "outflow",
    "pace",
    "service_by_hand",
    "spread",
    "volume",
];

/// Reasons of every unit.
pub(crate) struct Sums {
    base: Vec<Sum>,
    /// Units that share something with bad ones: their base and that.
    found: BTreeMap<usize, Sum>,
}

impl Sums {
    pub fn of(&self, unit: usize) -> &Sum {
        self.found.get(&unit).unwrap_or(&self.base[unit])
    }
    /// The reasons of each unit.
    pub fn into_lists(mut self) -> impl Iterator<Item = Vec<Reason>> {
        self.base
            .into_iter()
            .enumerate()
            .map(move |(i, base)| self.found.remove(&i).unwrap_or(base).into_list())
    }
}

/// Verdict and reasons of every unit.
pub(crate) struct Outcome {
    pub verdicts: Vec<SessionVerdict>,
    pub sums: Sums,
    /// The unit whose verdict this one took over, if any.
    pub through: Vec<Option<usize>>,
}

pub(crate) fn verdict(score: f32) -> SessionVerdict {
    if score >= INTRUDER {
        SessionVerdict::Intruder
    } else if score >= DOUBTFUL {
        SessionVerdict::Doubtful
    } else {
        SessionVerdict::Legitimate
    }
}

/// Said by the analyst: `Some(true)` the intruder's, `Some(false)` certainly not.
pub(crate) type Said = Vec<Option<bool>>;

/// What the analyst named and what was opened from it; nothing is scored.
pub(crate) fn follow(m: &Model<'_>, said: &Said) -> Outcome {
    let sums = Sums {
        base: vec![Sum::default(); m.units.list.len()],
        found: BTreeMap::new(),
    };
    let (verdicts, through) = settle(m, &sums, said);
    Outcome {
        verdicts,
        sums,
        through,
    }
}

pub(crate) fn run(threads: usize, m: &Model<'_>, said: &Said) -> Outcome {
    let mut base = in_pieces(threads, m.units.list.len(), &|piece| {
        let mut sentences = Sentences::default();
        piece.map(|i| scored(m, i, &mut sentences)).collect()
    });
    // What a unit made possible speaks about it too: each sign once, at its heaviest.
    let mut with: Vec<(usize, Sum)> = vec![];
    for (i, own) in base.iter().enumerate() {
        if m.mute(i) || m.units.list[i].children.is_empty() {
            continue;
        }
        let and_what_it_opened = |certainty: f32| {
            let mut sum = own.clone();
            for r in m
                .units
                .reach_by(i, certainty)
                .into_iter()
                .filter(|r| *r != i)
            {
                for x in base[r].reasons().iter().filter(|x| x.weight > 0.0) {
                    sum.share(x.code, x.weight, &x.fr, &x.en);
                }
            }
            sum
        };
        let mut sum = and_what_it_opened(0.5);
        // To have been alone on a machine when something happened there is no proof: where nothing else speaks against somebody, a
        // service, a logon no log shows or a clock that is off may have done it.
        let over = sum.total() - (INTRUDER - 0.5);
        // What it opened speaks in these of its own signs too.
        let of_opened = |c: &str| !technical(&m.units.list[i]) && OPENED.contains(&c);
        let firm = and_what_it_opened(SAID);
        let speaks = |r: &Reason| r.weight > 0.0 && !of_opened(r.code);
        if over > 0.0 && !firm.reasons().iter().any(speaks) {
            sum.add(
                "by_exclusion",
                -over,
                "seul présent sur cette machine alors, rien d'autre ne parle contre lui".into(),
                "alone on that machine then, nothing else speaks against it".into(),
            );
        }
        with.push((i, sum));
    }
    for (i, sum) in with {
        base[i] = sum;
    }
    campaign(m, &mut base);
    let unknown = unknown_places(m, &base);
    one_address(m, &unknown, &mut base);
    one_renter(m, &unknown, &mut base);
    by_turns(m, &unknown, &mut base);
    walked_through(m, &unknown, &mut base);
    again_and_again(m, &unknown, &mut base);
    night_after_night(m, &mut base);
    one_tool(m, &mut base);
    let mut sums = Sums {
        base,
        found: BTreeMap::new(),
    };
    let (hurried, by_program) = hurried(m, &sums.base);
    let (with, without) = from_tunnels(m);
    let wanderers: BTreeSet<usize> = wandering(m, &sums.base).into_iter().collect();
    // What is in doubt whoever else is.
    let alone = [
        (
            no_tunnel(m, &sums.base, &with, &without),
            "no_tunnel",
            (
                "d'une adresse que prêtent les tunnels, quand aucun tunnel ne l'avait : il en manque au journal de la passerelle",
                "from an address that tunnels lend, while no tunnel had it: the gateway's log lacks some",
            ),
        ),
        (
            nameless(m),
            "nameless",
            (
                "nul ne sait qui, alors que ce journal nomme tous les autres : il y manque des lignes",
                "nobody knows who, though this log names all others: lines are missing in it",
            ),
        ),
        (
            hurried,
            "hurried_walks",
            (
                "parcourt l'index à la hâte, ce que ce compte ne fait guère, comme d'autres comptes ces jours-là",
                "goes through the index in a hurry, which this account hardly does, as other accounts do in these days",
            ),
        ),
        (
            by_program,
            "walks_by_program",
            (
                "un programme parcourt l'index à la hâte sous ce compte, dont le titulaire travaille autrement",
                "a program goes through the index in a hurry under this account, whose owner works in another way",
            ),
        ),
        (
            wanderers.iter().copied().collect(),
            "walks_elsewhere",
            (
                "parcourt l'index d'un lieu inconnu, ce que ce compte ne fait jamais à ses lieux habituels",
                "goes through the index from an unknown place, which this account never does at its usual ones",
            ),
        ),
        (
            nameless_walks(m, &sums.base),
            "walks_elsewhere",
            (
                "parcourt l'index d'un lieu inconnu, sans qu'un journal dise sous quel compte",
                "goes through the index from an unknown place, and no log says under which account",
            ),
        ),
        (
            unlike_owner(m, &sums.base),
            "unlike_owner",
            (
                "d'un lieu inconnu, à des heures ou dans une mesure où ce compte ne travaille jamais, et bien plus vite ou bien plus que jamais",
                "from an unknown place, at hours or to an extent this account never works, and far faster or far more than ever",
            ),
        ),
        (
            odd_place(m, &unknown, &sums.base),
            "odd_place",
            (
                "d'un lieu où nul ne travaille, comme un autre compte sans rapport, et chacun comme son titulaire ne le fait jamais",
                "from a place nobody works at, as another account that has nothing to do with it, and each as its owner never does",
            ),
        ),
        (
            strange_slices(m, &sums.base),
            "strange_questions",
            (
                "questions par débuts de noms ou par tranches, là où ce compte technique n'en pose presque jamais",
                "questions by prefixes or ranges where this technical account hardly ever asks any",
            ),
        ),
        (
            alike_by_night(m, &sums.base),
            "alike_by_night",
            (
                "de nuit, d'un lieu et d'un appareil inconnus, comme un autre compte sans rapport ces jours-là",
                "by night, from an unknown place and device, as another account that has nothing to do with it in these days",
            ),
        ),
        (
            by_hand(m, &sums.base),
            "by_hand",
            (
                "outil à main sous un compte technique, qui n'emploie jamais ce programme : nulle adresse ne l'explique",
                "a tool for hands under a technical account that never uses this program: no address explains it",
            ),
        ),
        (
            all_new(m, &sums.base),
            "all_new",
            (
                "appareil, lieu et volume nouveaux à la fois, plusieurs fois",
                "a new device, a new place and a new volume at once, several times",
            ),
        ),
    ];
    let owners = Owners::of(&m.units.list, &sums.base);
    let mut out = settle(m, &sums, said);
    for _ in 0..32 {
        let mut next = share(m, &sums, &owners, &wanderers, &out.0);
        same_stranger(m, &unknown, &sums.base, &out.0, &mut next);
        beside_tunnel(m, &sums.base, &out.0, &mut next);
        unseen_tunnel(m, &without, &sums.base, &out.0, &mut next);
        beside_usurped(m, &unknown, &sums.base, &out.0, &mut next);
        in_campaign(m, &sums.base, &out.0, &mut next);
        rented_abroad(m, &sums.base, &out.0, &mut next);
        always_beside(m, &sums.base, &out.0, &mut next);
        only_beside(m, &sums.base, &out.0, &mut next);
        behind_bastion(m, &sums.base, &out.0, &mut next);
        for (list, code, words) in &alone {
            for i in list {
                doubt(&sums.base, &mut next, *i, code, *words);
            }
        }
        // What was once found shared stays found: the set of bad units only grows.
        for (i, old) in &sums.found {
            let sum = next.entry(*i).or_insert_with(|| sums.base[*i].clone());
            for x in old.reasons() {
                sum.share(x.code, x.weight, &x.fr, &x.en);
            }
        }
        if next
            .iter()
            .all(|(i, sum)| sum.total() == sums.of(*i).total())
        {
            break;
        }
        sums.found = next;
        out = settle(m, &sums, said);
    }
    Outcome {
        verdicts: out.0,
        sums,
        through: out.1,
    }
}

/// What a unit's own looks say.
fn scored(m: &Model<'_>, i: usize, sentences: &mut Sentences) -> Sum {
    let mut sum = Sum::default();
    if !m.mute(i) {
        let u = &m.units.list[i];
        if !u.parents.iter().any(|(_, c)| *c >= 0.5) {
            m.origin(i, &mut sum);
        }
        m.behaviour(i, &mut sum);
    }
    sum.settle(sentences);
    sum
}

/// The manner in which a root unit from an unknown place goes through an index, when hardly anybody does that from known ground.
fn rare_manner(m: &Model<'_>, i: usize) -> Option<Manner> {
    let u = &m.units.list[i];
    if m.trust[i] != Trust::None || u.who.is_empty() || u.machine || u.job.is_some() {
        return None;
    }
    let does = m.does(i);
    let manner = (does.manner()).or_else(|| does.steady.then_some(Manner::Haste));
    manner.filter(|k| m.rare(*k) && !m.own_manner(u, *k) && does.asks >= METHOD)
}

/// Questions that are a method; a few are a slip or a hard case.
pub(crate) const METHOD: usize = 8;
/// Seconds from one question to the next of somebody who does not read the answers.
const HURRY: f64 = 12.0;

/// Nobody's sign: the work was planned.
pub(crate) fn planned(s: &Sum) -> bool {
    s.weight("ticket") < 0.0 || s.weight("job") < 0.0
}

/// A use somebody made on purpose, opened by nothing else that is known.
pub(crate) fn own_use(u: &Unit<'_>) -> bool {
    !u.who.is_empty()
        && !u.machine
        && !u.flow_only
        && u.job.is_none()
        && !u.parents.iter().any(|(_, c)| *c >= 0.5)
}

/// Uses inside under the name of a tunnel that is not its owner's, while it lasts, from an address that is no usual one of the account
/// and that nothing explains: the gateway's log may not say which address it lent.
fn beside_tunnel(
    m: &Model<'_>,
    base: &[Sum],
    verdicts: &[SessionVerdict],
    out: &mut BTreeMap<usize, Sum>,
) {
    const SLACK: Nanos = 2 * MINUTE;
    let units = &m.units.list;
    let name = |u: &Unit| u.account.as_ref().map(|a| a.bare());
    let mut tunnels: BTreeMap<String, Vec<(Nanos, Nanos)>> = BTreeMap::new();
    for (i, u) in units.iter().enumerate() {
        let vpn = u.account.as_ref().is_some_and(|a| a.system == System::Vpn);
        if verdicts[i] != SessionVerdict::Legitimate && vpn && own_use(u) {
            let at = tunnels.entry(name(u).unwrap_or_default()).or_default();
            at.push((u.from.saturating_sub(SLACK), u.to.saturating_add(SLACK)));
        }
    }
    if tunnels.is_empty() {
        return;
    }
    for (i, u) in units.iter().enumerate() {
        let vpn = u.account.as_ref().is_some_and(|a| a.system == System::Vpn);
        if verdicts[i] != SessionVerdict::Legitimate
            || vpn
            || !own_use(u)
            || !u.parents.is_empty()
            || planned(&base[i])
            || base[i].weight("own_device") < 0.0
            || !u.address.is_some_and(|a| m.strange_inside(u, a))
        {
            continue;
        }
        let there = name(u).and_then(|n| tunnels.get(&n));
        if there.is_some_and(|t| t.iter().any(|(a, b)| u.from <= *b && u.to >= *a)) {
            doubt(
                base,
                out,
                i,
                "beside_tunnel",
                (
                    "pendant un tunnel suspect du même nom, d'une adresse que nul journal n'explique",
                    "during an odd tunnel of the same name, from an address no log explains",
                ),
            );
        }
    }
}

/// A program its account never uses goes through the index under a technical account, night after night and never by day: an errand of the
/// house is done once, or while somebody can be asked.
fn night_after_night(m: &Model<'_>, base: &mut [Sum]) {
    const NIGHTS: usize = 3;
    let units = &m.units.list;
    let odd = |i: &usize| {
        let speaks = |c: &str| base[*i].weight(c) > 0.0;
        technical(&units[*i])
            && own_use(&units[*i])
            && !planned(&base[*i])
            && speaks("new_program")
            && (speaks("enumeration") || speaks("strange_questions"))
    };
    let mut by: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for i in (0..units.len()).filter(odd) {
        by.entry(units[i].whose).or_default().push(i);
    }
    for list in by.into_values() {
        let nights: BTreeSet<i64> = list
            .iter()
            .flat_map(|i| units[*i].days.first().copied())
            .collect();
        if nights.len() < NIGHTS || !list.iter().all(|i| m.by_night(*i)) {
            continue;
        }
        for i in list {
            let w = INTRUDER + 0.5 - base[i].total();
            if w > 0.0 {
                base[i].add(
                    "night_after_night",
                    w,
                    format!("{} nuits, jamais de jour : un programme que ce compte technique n'emploie pas parcourt l'index", nights.len()),
                    format!("{} nights, never by day: a program this technical account does not use goes through the index", nights.len()),
                );
            }
        }
    }
}

/// Programs of a unit, in small letters, each with its machine.
fn tools<'u>(u: &'u Unit<'_>) -> impl Iterator<Item = (IpAddr, String)> + 'u {
    let named = u.programs.iter().filter(|g| !g.is_empty());
    named.filter_map(|g| Some((u.address?, g.to_lowercase())))
}

/// A program on one machine that takes up several technical accounts, none of which is ever used like that.
fn one_tool(m: &Model<'_>, base: &mut [Sum]) {
    let units = &m.units.list;
    let mut by: BTreeMap<(IpAddr, String), BTreeSet<&str>> = BTreeMap::new();
    let mut usual: BTreeSet<(IpAddr, String)> = BTreeSet::new();
    let mut uses = vec![];
    for (i, u) in units.iter().enumerate() {
        if !technical(u) || u.flow_only || u.machine || u.who.is_empty() || u.programs.is_empty() {
            continue;
        }
        // An administrator has tools, and several accounts.
        if u.job.is_some() || m.admin(u) || m.usual_way(i) {
            usual.extend(tools(u));
        } else if !planned(&base[i]) {
            uses.push(i);
            for t in tools(u) {
                by.entry(t).or_default().insert(u.who);
            }
        }
    }
    for i in uses {
        let n = tools(&units[i])
            .filter(|t| !usual.contains(t))
            .filter_map(|t| by.get(&t))
            .map(BTreeSet::len)
            .max()
            .unwrap_or(0);
        if n >= 2 {
            base[i].add(
                "one_tool",
                2.0,
                format!("même programme sur une même machine sous {n} comptes techniques, dont ce n'est pas l'usage"),
                format!("one program on one machine under {n} technical accounts that are not used so"),
            );
        }
    }
}

/// What makes a unit doubtful and no more, given what else speaks.
pub(crate) fn doubt(
    base: &[Sum],
    out: &mut BTreeMap<usize, Sum>,
    i: usize,
    code: &'static str,
    (fr, en): (&str, &str),
) {
    up_to(DOUBTFUL + 0.5, base, out, i, code, (fr, en));
}

/// What brings a unit to a score, given what else speaks.
pub(crate) fn up_to(
    score: f32,
    base: &[Sum],
    out: &mut BTreeMap<usize, Sum>,
    i: usize,
    code: &'static str,
    (fr, en): (&str, &str),
) {
    let sum = out.entry(i).or_insert_with(|| base[i].clone());
    let w = score - (sum.total() - sum.weight(code));
    if w > 0.0 {
        sum.share(code, w, &fr.into(), &en.into());
    }
}

/// Uses from a place nobody knows, without a device of the owner's, that look nothing like the owner at certain places: far faster or far
/// more than ever by night, at hours never worked, or both at once. Who did that from there nobody can say.
fn unlike_owner(m: &Model<'_>, base: &[Sum]) -> Vec<usize> {
    (0..m.units.list.len())
        .filter(|i| unlike(m, &base[*i], *i).is_some())
        .collect()
}

/// The same of one use: `Some(true)` where it is by night.
pub(crate) fn unlike(m: &Model<'_>, sum: &Sum, i: usize) -> Option<bool> {
    let u = &m.units.list[i];
    let owner = sum.weight("own_device") < 0.0 || planned(sum);
    if m.trust[i] != Trust::None || !own_use(u) || owner || technical(u) {
        return None;
    }
    let by_night = sum.weight("hours") > 0.0 && m.by_night(i) || m.strange_night(i);
    match m.unlike(i) {
        (true, true) => Some(by_night),
        (true, false) | (false, true) if by_night => Some(true),
        _ => None,
    }
}

/// Uses in the middle of the night, at hours never worked, from a place and with a client that are new to the account, while somebody else's account is
/// used just so in these days: how each asks may be copied from its owner.
fn alike_by_night(m: &Model<'_>, base: &[Sum]) -> Vec<usize> {
    const WITHIN: Nanos = 10 * DAY;
    let units = &m.units.list;
    let new = |i: &usize| {
        let speaks = |c: &str| base[*i].weight(c) > 0.0;
        let asked = units[*i].does.asks > 0 || units[*i].does.subjects > 0;
        m.trust[*i] == Trust::None
            && own_use(&units[*i])
            && asked
            && !planned(&base[*i])
            && speaks("new_device")
            && speaks("hours")
            && m.deep_night(&units[*i])
    };
    let mut with: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for i in (0..units.len()).filter(new) {
        // Telephones call themselves alike.
        for d in units[i]
            .devices
            .iter()
            .filter(|d| !handheld(m.device(**d).text))
        {
            with.entry(*d).or_default().push(i);
        }
    }
    let mut out: Vec<usize> = vec![];
    for list in with.values() {
        let near = |i: &&usize| {
            let u = &units[**i];
            let mut others = list.iter().map(|j| &units[*j]);
            others.any(|v| {
                (v.from - u.from).abs() <= WITHIN && v.whose != u.whose && m.strangers(u, v)
            })
        };
        out.extend(list.iter().filter(near));
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// Uses of an account with a device never seen, from a place never seen, that reach far more than it ever did, on three days and more:
/// an owner with a new machine at a new place works as before.
fn all_new(m: &Model<'_>, base: &[Sum]) -> Vec<usize> {
    const DAYS: usize = 3;
    let units = &m.units.list;
    let signs = |i: usize| {
        let speaks = |c: &str| base[i].weight(c) > 0.0;
        own_use(&units[i])
            && !planned(&base[i])
            && speaks("new_device")
            && speaks("spread")
            && [
                "new_network",
                "undeclared_network",
                "hosting",
                "new_country",
            ]
            .into_iter()
            .any(speaks)
    };
    let found: Vec<usize> = (0..units.len()).filter(|i| signs(*i)).collect();
    let mut days: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for i in &found {
        let of = days.entry(units[*i].who).or_default();
        of.extend(units[*i].days.iter().copied());
    }
    (found.into_iter())
        .filter(|i| days[units[*i].who].len() >= DAYS)
        .collect()
}

/// Uses from an address tunnels lend that came out of no tunnel any log shows, where nearly all others did while the gateway's log goes:
/// whose tunnel it was nobody can say any more, and less so where that log has ended.
fn no_tunnel(m: &Model<'_>, base: &[Sum], with: &[usize], without: &[usize]) -> Vec<usize> {
    let units = &m.units.list;
    let began = with.iter().map(|i| units[*i].from).min().unwrap_or(0);
    let ended = with.iter().map(|i| units[*i].to).max().unwrap_or(0);
    let meanwhile = |i: &&usize| units[**i].from >= began && units[**i].from <= ended;
    let lone = without.iter().filter(meanwhile).count();
    if with.len() < 10 || lone * 3 > with.len() {
        return vec![];
    }
    (without.iter().copied())
        .filter(|i| base[*i].weight("own_device") >= 0.0 && !planned(&base[*i]))
        .collect()
}

/// Walks through the index from places nobody knows under an account that is known at certain places and never does it there; of an
/// account nobody places anywhere, long ones from where it does nothing else, while it asks otherwise elsewhere.
pub(crate) fn wandering(m: &Model<'_>, base: &[Sum]) -> Vec<usize> {
    // What four questions of a walk weigh, and six.
    const FEW: f32 = 1.4;
    const WALKED: f32 = 2.0;
    // And eight.
    const METHODICAL: f32 = 3.0;
    let units = &m.units.list;
    let walks = |i: &usize| {
        let u = &units[*i];
        let rare = |k| m.rare(k) && !m.own_manner(u, k);
        base[*i].weight("enumeration") >= FEW && m.does(*i).manner().is_some_and(rare)
    };
    let strange = |i: &usize| {
        // A browser's name is copied with a line: it may stand for a few questions of that kind, not for a walk.
        let short = base[*i].weight("enumeration") < WALKED;
        let owner = short && base[*i].weight("own_device") < 0.0 || planned(&base[*i]);
        let grounded = m.past(&units[*i]).is_some_and(|p| p.grounded);
        let otherwise =
            || base[*i].weight("enumeration") >= METHODICAL && m.otherwise_elsewhere(*i);
        m.trust[*i] == Trust::None && !owner && own_use(&units[*i]) && (grounded || otherwise())
    };
    (0..units.len())
        .filter(|i| strange(i) && walks(i))
        .collect()
}

/// The same by somebody no log names, from outside.
fn nameless_walks(m: &Model<'_>, base: &[Sum]) -> Vec<usize> {
    // What eight questions of a walk weigh.
    const METHODICAL: f32 = 3.0;
    let walks = |i: &usize| {
        let u = &m.units.list[*i];
        let outside = |a| !m.on_site(a) && !m.lent_place(a);
        u.who.is_empty()
            && !u.machine
            && !u.flow_only
            && u.parents.is_empty()
            && m.trust[*i] == Trust::None
            && u.address.is_some_and(outside)
            && base[*i].weight("enumeration") >= METHODICAL
            && m.does(*i).manner().is_some_and(|k| m.rare(k))
    };
    (0..m.units.list.len()).filter(walks).collect()
}

/// Uses of a program's account, on its own machine, that ask as next to none of its uses does: a program does not learn new questions while
/// it goes on, whoever has its machine has its address.
fn strange_slices(m: &Model<'_>, base: &[Sum]) -> Vec<usize> {
    let units = &m.units.list;
    (0..units.len())
        .filter(|i| own_use(&units[*i]) && !planned(&base[*i]) && m.slices_like_none(*i))
        .collect()
}

/// Tools for hands under an account an application works under, which never uses them: whoever has the application's own machine has
/// its address.
fn by_hand(m: &Model<'_>, base: &[Sum]) -> Vec<usize> {
    let units = &m.units.list;
    (0..units.len())
        .filter(|i| own_use(&units[*i]) && !planned(&base[*i]) && units[*i].does.queries > 0)
        .filter(|i| {
            let speaks = |c: &str| base[*i].weight(c) > 0.0;
            speaks("new_program") && speaks("service_by_hand")
        })
        .collect()
}

/// Uses from addresses tunnels lend: those whose tunnel a log shows, and the others.
fn from_tunnels(m: &Model<'_>) -> (Vec<usize>, Vec<usize>) {
    let units = &m.units.list;
    let lent = |i: &usize| {
        let u = &units[*i];
        !u.who.is_empty()
            && !u.machine
            && !u.flow_only
            && u.job.is_none()
            && u.address.is_some_and(|a| m.lent_place(a))
    };
    (0..units.len())
        .filter(lent)
        .partition(|i| !units[*i].parents.is_empty())
}

/// Where the gateway's log has a hole it shows nobody's tunnel; what came out of one under an account that came through the
/// intruder's tunnels before or after may have come through another of his.
fn unseen_tunnel(
    m: &Model<'_>,
    without: &[usize],
    base: &[Sum],
    verdicts: &[SessionVerdict],
    out: &mut BTreeMap<usize, Sum>,
) {
    let units = &m.units.list;
    let through =
        |i: &usize| verdicts[*i] == SessionVerdict::Intruder && !units[*i].parents.is_empty();
    let usurped: BTreeSet<u32> = (0..units.len())
        .filter(through)
        .map(|i| units[i].whose)
        .collect();
    for i in without {
        let own = base[*i].weight("own_device") < 0.0 || planned(&base[*i]);
        if own || !usurped.contains(&units[*i].whose) {
            continue;
        }
        doubt(
            base,
            out,
            *i,
            "no_tunnel",
            (
                "d'une adresse que prêtent les tunnels, sans tunnel au journal, par un compte venu par ceux de l'intrus",
                "from an address that tunnels lend, without a tunnel in the log, by an account that came through the intruder's",
            ),
        );
    }
}

/// Connections to a database that asked something and whose account and address no line tells, in a log that tells nearly all others:
/// the line that told is missing.
fn nameless(m: &Model<'_>) -> Vec<usize> {
    let units = &m.units.list;
    let mut by: BTreeMap<&str, (usize, Vec<usize>)> = BTreeMap::new();
    for (i, u) in units.iter().enumerate() {
        let Some(s) = u.members.first().map(|x| &m.s.list[*x as usize]) else {
            continue;
        };
        if s.key_kind != SessionKey::Backend || u.does.queries == 0 {
            continue;
        }
        let of = by.entry(s.format).or_default();
        if !u.who.is_empty() {
            of.0 += 1;
        } else if u.address.is_none() && u.parents.is_empty() {
            of.1.push(i);
        }
    }
    by.into_values()
        .filter(|(named, without)| *named >= 10 && without.len() * 10 <= *named)
        .flat_map(|x| x.1)
        .collect()
}

/// Uses that go through an index in a hurry, under several accounts within days, none of which usually does: whoever sits at the owner's
/// own desk, with the owner's own device, leaves no other sign. And those of one account alone, by a program its owner, whose device is
/// known, does not work with.
fn hurried(m: &Model<'_>, base: &[Sum]) -> (Vec<usize>, Vec<usize>) {
    const WITHIN: Nanos = 10 * DAY;
    const QUESTIONS: u32 = 8;
    const ACCOUNTS: usize = 3;
    let units = &m.units.list;
    let asks = |i: usize| {
        let members = units[i].members.iter();
        members.filter_map(|x| m.s.features[*x as usize].asks.as_ref())
    };
    let walks = |i: usize| {
        asks(i).any(|a| {
            let sliced = (a.prefix.max(a.range)) * 2 >= a.count;
            a.count >= QUESTIONS && sliced && a.gap > 0.0 && a.gap <= HURRY
        })
    };
    let mut out: Vec<usize> = (0..units.len())
        .filter(|i| own_use(&units[*i]) && !planned(&base[*i]) && walks(*i))
        .collect();
    // Done by a program its owner does not work with, it is no habit of his however often it is done.
    let tool = |i: &usize| base[*i].weight("automated_client") > 0.0;
    out.retain(|i| {
        let all = m.units_of(units[*i].whose);
        let (walking, asking) = all
            .filter(|j| !tool(i) || !tool(j))
            .fold((0, 0), |(w, n), j| {
                let asked = asks(j).next().is_some();
                (w + usize::from(asked && walks(j)), n + usize::from(asked))
            });
        walking * 3 <= asking
    });
    out.sort_by_key(|i| units[*i].from);
    // By such a program two are enough; one, where the owner's own device is known.
    let at_his_own = |i: &usize| {
        let past = m.past(&units[*i]);
        past.is_some_and(|p| !p.devices.is_empty())
    };
    let near = |i: &usize| {
        let t = units[*i].from;
        let from = out.partition_point(|j| units[*j].from < t.saturating_sub(WITHIN));
        let to = out.partition_point(|j| units[*j].from <= t.saturating_add(WITHIN));
        let (mut whos, mut by_tool): (Vec<&Unit<'_>>, Vec<&Unit<'_>>) = (vec![], vec![]);
        for j in &out[from..to] {
            let v = &units[*j];
            if whos.iter().all(|u| m.strangers(u, v)) {
                whos.push(v);
            }
            if tool(j) && by_tool.iter().all(|u| m.strangers(u, v)) {
                by_tool.push(v);
            }
            if whos.len() >= ACCOUNTS || (tool(i) && by_tool.len() >= 2) {
                return true;
            }
        }
        false
    };
    let (many, one): (Vec<usize>, Vec<usize>) = out.iter().partition(|i| near(i));
    let alone = one.into_iter().filter(|i| tool(i) && at_his_own(i));
    (many, alone.collect())
}

/// While strangers work account after account from places nobody knows, a use from such a place with signs of its own, of which no
/// log shows what it asked for, may be one of theirs.
fn in_campaign(
    m: &Model<'_>,
    base: &[Sum],
    verdicts: &[SessionVerdict],
    out: &mut BTreeMap<usize, Sum>,
) {
    const WITHIN: Nanos = 10 * DAY;
    const SIGNS: [&str; 5] = [
        "pace",
        "hosting",
        "new_country",
        "automated_client",
        "one_address",
    ];
    let units = &m.units.list;
    let away = |i: usize| {
        let u = &units[i];
        own_use(u)
            && m.trust[i] == Trust::None
            && u.address.is_some_and(|a| !m.on_site(a) && !m.lent_place(a))
    };
    let formats = |i: usize| {
        let list = units[i].members.iter();
        list.map(|x| m.s.list[*x as usize].format)
            .collect::<BTreeSet<_>>()
    };
    let bad: Vec<usize> = (0..units.len())
        .filter(|i| verdicts[*i] == SessionVerdict::Intruder && away(*i))
        .collect();
    let whos: BTreeSet<&str> = bad.iter().map(|i| units[*i].who).collect();
    if whos.len() < 3 {
        return;
    }
    // What several of them were done with.
    let mut clients: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    for i in &bad {
        for d in units[*i].devices.iter() {
            clients.entry(*d).or_default().insert(units[*i].who);
        }
    }
    clients.retain(|_, whos| whos.len() >= 3);
    let bad: Vec<(Nanos, BTreeSet<&str>)> = bad
        .into_iter()
        .map(|i| (units[i].from, formats(i)))
        .collect();
    for i in 0..units.len() {
        let own = &base[i];
        if verdicts[i] == SessionVerdict::Intruder
            || !away(i)
            || planned(own)
            || own.weight("own_device") < 0.0
        {
            continue;
        }
        let u = &units[i];
        let b = &u.does;
        let asked = b.prefix > 0.0 || b.range > 0.0 || b.exact > 0.0 || b.walk >= WALK;
        let unseen = !asked && b.subjects == 0 && b.asks as u64 + b.requests + b.queries > 0;
        let signs = own.reasons().iter().filter(|r| r.weight >= 0.5).count();
        let like = SIGNS.iter().any(|c| own.weight(c) > 0.0)
            || own.weight("new_device") > 0.0
                && (own.weight("hours") > 0.0 || u.devices.iter().any(|d| clients.contains_key(d)));
        if !unseen || signs < 2 || !like {
            continue;
        }
        let mine = formats(i);
        let near = bad
            .iter()
            .any(|(t, f)| (t - u.from).abs() <= WITHIN && !f.is_disjoint(&mine));
        if near {
            doubt(
                base,
                out,
                i,
                "in_campaign",
                (
                    "des comptes sont usurpés tour à tour ces jours-là, et nul journal ne montre ce que cette session a demandé",
                    "accounts are usurped one after the other in these days, and no log shows what this session asked for",
                ),
            );
        }
    }
}

/// The machine inside a unit is a use from, that nobody planned and somebody's account shows.
fn inside(m: &Model<'_>, base: &[Sum], i: usize) -> Option<IpAddr> {
    let u = &m.units.list[i];
    let used = !u.who.is_empty() && !u.machine && !u.flow_only && u.job.is_none();
    let at = u.address.filter(|a| m.on_site(*a) && !m.lent_place(*a));
    at.filter(|_| used && !planned(&base[i]))
}

/// Uses inside that all fall into the logons of somebody in doubt, though these fill little of the time: no chain ties the two, but
/// chance does not do that.
fn always_beside(
    m: &Model<'_>,
    base: &[Sum],
    verdicts: &[SessionVerdict],
    out: &mut BTreeMap<usize, Sum>,
) {
    const SLACK: Nanos = 2 * MINUTE;
    let units = &m.units.list;
    let seats: Vec<usize> = (0..units.len())
        .filter(|i| {
            let u = &units[*i];
            // A logon at a screen; a tunnel or a bastion, where what its owner works on keeps no log or lost it.
            let mut members = u.members.iter().map(|x| &m.s.list[*x as usize]);
            let here = u.does.interactive || members.any(|x| x.inner.is_some()) || at_bastion(u);
            verdicts[*i] != SessionVerdict::Legitimate && here && !u.who.is_empty()
        })
        .filter(|i| units[*i].to - units[*i].from >= MINUTE)
        .collect();
    if seats.len() < 3 {
        return;
    }
    let first = units.iter().map(|u| u.from).min().unwrap_or(0);
    let last = units.iter().map(|u| u.to).max().unwrap_or(0);
    let (mut filled, mut end) = (0, first);
    let mut order: Vec<(Nanos, Nanos)> = seats
        .iter()
        .map(|i| (units[*i].from - SLACK, units[*i].to + SLACK))
        .collect();
    order.sort_unstable();
    for (a, b) in order {
        filled += (b - a.max(end)).max(0);
        end = end.max(b);
    }
    let share = filled as f64 / (last - first).max(1) as f64;
    let mut groups: BTreeMap<(&str, IpAddr, Vec<&str>), Vec<usize>> = BTreeMap::new();
    for (i, u) in units.iter().enumerate() {
        if let Some(a) = inside(m, base, i).filter(|_| !u.does.interactive) {
            // A person's programs are of no account.
            let programs = if technical(u) {
                u.programs.to_vec()
            } else {
                vec![]
            };
            groups.entry((u.who, a, programs)).or_default().push(i);
        }
    }
    let strange = |i: &usize| {
        let u = &units[*i];
        base[*i].alarms() || technical(u) && !m.usual_way(*i) || m.admin(u)
    };
    groups.retain(|_, list| list.len() >= 3 && list.iter().any(strange));
    let bar = (groups.len().max(1) as f64).ln() + 5.0;
    for list in groups.values() {
        let mut within: BTreeSet<usize> = BTreeSet::new();
        let all = list.iter().all(|i| {
            let u = &units[*i];
            let seat = seats.iter().find(|s| {
                let v = &units[**s];
                v.who != u.who && v.from - SLACK <= u.from && u.to <= v.to + SLACK
            });
            within.extend(seat);
            seat.is_some()
        });
        if !all || within.len() < 3 || within.len() as f64 * -share.ln() < bar {
            continue;
        }
        for i in list {
            doubt(
                base,
                out,
                *i,
                "always_beside",
                (
                    "n'a lieu que pendant les sessions d'un compte suspect",
                    "happens only during the sessions of a suspicious account",
                ),
            );
        }
    }
}

fn at_bastion(u: &Unit<'_>) -> bool {
    u.account.is_some_and(|a| a.system == System::Bastion)
}

/// The intruder is in a bastion and nothing shows where he went from there: what technical accounts begin inside meanwhile in no usual
/// way, and who logs on at a screen from where he hardly ever does, may be him, unless somebody else's session opened it.
fn behind_bastion(
    m: &Model<'_>,
    base: &[Sum],
    verdicts: &[SessionVerdict],
    out: &mut BTreeMap<usize, Sum>,
) {
    const SLACK: Nanos = 2 * MINUTE;
    /// A visit no line ends is thought to last that long.
    const OPEN: Nanos = 4 * HOUR;
    /// Days at a place, apart from these visits, that make it somebody's own.
    const OWN: usize = 3;
    let units = &m.units.list;
    let mut visits: Vec<(Nanos, Nanos)> = (0..units.len())
        .filter(|i| verdicts[*i] == SessionVerdict::Intruder && at_bastion(&units[*i]))
        .filter(|i| units[*i].children.is_empty() && !units[*i].refused)
        .filter(|i| units[*i].from != NO_TIME)
        .map(|i| {
            let u = &units[i];
            let closed = u.members.iter().any(|x| m.s.list[*x as usize].closed);
            let to = if closed {
                u.to
            } else {
                u.to.max(u.from.saturating_add(OPEN))
            };
            (u.from.saturating_sub(SLACK), to.saturating_add(SLACK))
        })
        .collect();
    visits.sort_unstable();
    if visits.is_empty() {
        return;
    }
    let during = |u: &Unit<'_>| visits.iter().any(|(a, b)| (*a..=*b).contains(&u.from));
    let at_home = |u: &Unit<'_>| {
        let here = m.units_of(u.whose).map(|j| &units[j]);
        let days = here.filter(|v| v.address == u.address && !during(v));
        days.flat_map(|v| &v.days).collect::<BTreeSet<_>>().len() >= OWN
    };
    for (i, u) in units.iter().enumerate() {
        if !during(u) || !u.parents.is_empty() || inside(m, base, i).is_none() {
            continue;
        }
        let strange = if technical(u) {
            !m.usual_way(i)
        } else {
            u.does.interactive && !at_home(u)
        };
        if strange {
            doubt(
                base,
                out,
                i,
                "behind_bastion",
                (
                    "a lieu pendant que l'intrus est dans le bastion, dont nul journal ne dit où il mène",
                    "happens while the intruder is in the bastion, and no log says where that leads",
                ),
            );
        }
    }
}

/// When the intruder is at work, on other accounts than one.
struct Presence {
    /// Apart from each other, ascending.
    spans: Vec<(Nanos, Nanos)>,
}

impl Presence {
    const SLACK: Nanos = 2 * MINUTE;
    /// Hours of a day in which somebody may be at work, at the least.
    const WORK: f64 = 10.0;

    fn of(times: impl Iterator<Item = (Nanos, Nanos)>) -> Presence {
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        let mut spans: Vec<(Nanos, Nanos)> = vec![];
        for (a, b) in times {
            match spans.last_mut() {
                Some(l) if a <= l.1 + Self::SLACK => l.1 = l.1.max(b),
                _ => spans.push((a, b)),
            }
        }
        Presence { spans }
    }
    /// The span a use lies in, or that lies in it.
    fn beside(&self, from: Nanos, to: Nanos) -> Option<usize> {
        let s = Self::SLACK;
        let i = self.spans.partition_point(|(_, b)| b + s < from);
        let (a, b) = *self.spans.get(i)?;
        let inside = a - s <= from && to <= b + s;
        (inside || from - s <= a && b <= to + s).then_some(i)
    }
    /// How likely a use that meets a span begins and ends so near its two ends by chance, when the ends of the spans vary so much
    /// from day to day: what both do by the clock is no coincidence.
    fn alike(&self, at: usize, (from, to): (Nanos, Nanos), vary: (Nanos, Nanos)) -> f64 {
        let (a, b) = self.spans[at];
        let near = |x: Nanos, y: Nanos, vary: Nanos| {
            (((x - y).abs() + MINUTE / 2) as f64 / vary.max(1) as f64).min(1.0)
        };
        near(a, from, vary.0) * near(b, to, vary.1)
    }
    /// By how much the times of day at which these spans begin and end differ: half of the pairs differ by more.
    fn vary(&self, at: &BTreeSet<usize>) -> (Nanos, Nanos) {
        let half = |of: &dyn Fn(&(Nanos, Nanos)) -> Nanos| {
            let times: Vec<Nanos> = at.iter().take(64).map(|i| of(&self.spans[*i])).collect();
            let mut apart: Vec<Nanos> = vec![];
            for (i, x) in times.iter().enumerate() {
                apart.extend(times[..i].iter().map(|y| {
                    let d = (x - y).rem_euclid(DAY);
                    d.min(DAY - d)
                }));
            }
            apart.sort_unstable();
            apart.get(apart.len() / 2).copied().unwrap_or(0)
        };
        (half(&|s| s.0), half(&|s| s.1))
    }
    /// How likely a use of that length meets a span by chance: what share of the days has one at this time of day, and what share of
    /// this day's work they fill, whichever is more.
    fn chance(&self, from: Nanos, to: Nanos) -> f64 {
        let (Some(first), Some(last)) = (self.spans.first(), self.spans.last()) else {
            return 0.0;
        };
        let lead = to - from + Self::SLACK;
        let covers = |t: Nanos| {
            let i = self.spans.partition_point(|(_, b)| b + Self::SLACK < t);
            self.spans.get(i).is_some_and(|(a, _)| a - lead <= t)
        };
        let (before, after) = ((from - first.0) / DAY, (last.1 - from) / DAY);
        let days = -before.max(0)..=after.max(0);
        let n = days.clone().count() as f64;
        let met = days.filter(|d| covers(from + d * DAY)).count() as f64;
        let near = self
            .spans
            .iter()
            .filter(|(a, b)| a - lead <= from + DAY / 2 && from - DAY / 2 <= b + Self::SLACK);
        let filled: Nanos = near.map(|(a, b)| b - a + lead + Self::SLACK).sum();
        let today = filled as f64 / HOUR as f64 / Self::WORK;
        (met / n).max(today).min(1.0)
    }
}

/// Uses in doubt that all fall together with the intruder's own, occasion after occasion, at whatever time he comes: they are his.
fn only_beside(
    m: &Model<'_>,
    base: &[Sum],
    verdicts: &[SessionVerdict],
    out: &mut BTreeMap<usize, Sum>,
) {
    /// What chance must be held against, in natural log units, besides the number of groups looked at.
    const SURE: f64 = 8.0;
    let units = &m.units.list;
    let his: Vec<usize> = (0..units.len())
        .filter(|i| {
            let u = &units[*i];
            verdicts[*i] == SessionVerdict::Intruder
                && !u.who.is_empty()
                && !u.machine
                && !u.flow_only
                && u.to - u.from >= MINUTE
        })
        .collect();
    if his.len() < 3 {
        return;
    }
    // Uses of a program are one group, whatever the account; without one, uses of an account.
    let mut groups: BTreeMap<(&str, IpAddr, Vec<String>), Vec<usize>> = BTreeMap::new();
    for (i, u) in units.iter().enumerate() {
        if let Some(a) = inside(m, base, i) {
            let programs: Vec<String> = tools(u).map(|t| t.1).collect();
            let who = if programs.is_empty() { u.who } else { "" };
            groups.entry((who, a, programs)).or_default().push(i);
        }
    }
    // Most of a group is in doubt by now, whatever put it there.
    groups.retain(|_, list| {
        let now = |i: &&usize| out.get(i).unwrap_or(&base[**i]).total() >= DOUBTFUL;
        list.len() >= 3 && list.iter().filter(now).count() * 2 > list.len()
    });
    let bar = (groups.len().max(1) as f64).ln() + SURE;
    for list in groups.values() {
        let whos: BTreeSet<&str> = list.iter().map(|i| units[*i].who).collect();
        let others = his.iter().filter(|i| !whos.contains(units[**i].who));
        let presence = Presence::of(others.map(|i| (units[*i].from, units[*i].to)));
        let beside = |i: &usize| presence.beside(units[*i].from, units[*i].to);
        let Some(at) = list.iter().map(beside).collect::<Option<Vec<usize>>>() else {
            continue;
        };
        let vary = presence.vary(&at.iter().copied().collect());
        let mut occasions: BTreeMap<usize, f64> = BTreeMap::new();
        for (i, at) in list.iter().zip(at) {
            let u = &units[*i];
            let alike = presence.alike(at, (u.from, u.to), vary);
            let chance = presence.chance(u.from, u.to).min(alike);
            let known = occasions.entry(at).or_insert(chance);
            *known = known.max(chance);
        }
        let against: f64 = occasions.values().map(|p| -p.ln()).sum();
        if against < bar {
            continue;
        }
        let n = occasions.len();
        for i in list {
            up_to(
                INTRUDER + 0.5,
                base,
                out,
                *i,
                "only_beside",
                (
                    &format!("{n} fois sur {n}, n'a lieu qu'au moment où l'intrus est à l'œuvre"),
                    &format!("{n} times out of {n}, happens only while the intruder is at work"),
                ),
            );
        }
    }
}

/// One method under several accounts: what one owner may do once, three strangers to each other do not all begin to do.
fn campaign(m: &Model<'_>, base: &mut [Sum]) {
    const SAME_NIGHT: Nanos = DAY;
    let units = &m.units.list;
    let mut by: BTreeMap<Manner, BTreeSet<&str>> = BTreeMap::new();
    let mut paced: BTreeSet<&str> = BTreeSet::new();
    // Walks with a client that is not the owner's, by it and by manner.
    let mut with: BTreeMap<(u32, Manner), Vec<usize>> = BTreeMap::new();
    for (i, sum) in base.iter().enumerate().filter(|(_, s)| !planned(s)) {
        let who = units[i].who;
        if let Some(k) = rare_manner(m, i) {
            by.entry(k).or_default().insert(who);
            let own = sum.weight("own_device") < 0.0;
            for d in units[i].devices.iter().filter(|_| !own) {
                with.entry((*d, k)).or_default().push(i);
            }
        }
        if sum.weight("pace") > 0.0 && m.machine_pace(i) {
            paced.insert(who);
        }
    }
    for (i, sum) in base.iter_mut().enumerate().filter(|(_, s)| !planned(s)) {
        let walked = rare_manner(m, i).and_then(|k| by.get(&k));
        let n = walked.map_or(0, BTreeSet::len);
        // Two are enough within a day, with one client that is neither's.
        let u = &units[i];
        let mut alike = (with.iter())
            .filter(|((d, k), _)| u.devices.contains(d) && rare_manner(m, i) == Some(*k))
            .flat_map(|(_, list)| list);
        let two = n == 2
            && alike.any(|j| {
                (units[*j].from - u.from).abs() <= SAME_NIGHT && m.strangers(u, &units[*j])
            });
        if n >= 3 || two && sum.weight("own_device") >= 0.0 {
            // Whoever works account after account in a hurry copies each one's browser too: that is one line.
            let hurried = m.does(i).gap > 0.0 && m.does(i).gap <= HURRY;
            let copied = if hurried {
                -sum.weight("own_device").min(0.0)
            } else {
                0.0
            };
            sum.add(
                "campaign",
                2.5 + copied,
                format!("{n} comptes parcourent l'index de la même façon, d'où nul ne le fait d'ordinaire"),
                format!("{n} accounts walk the index alike, from where nobody usually does"),
            );
        }
        let n = paced.len();
        if n >= 3 && paced.contains(units[i].who) && m.machine_pace(i) {
            sum.add(
                "campaign",
                2.5,
                format!("{n} comptes lisent à ce rythme d'automate, que nul ne tient d'ordinaire"),
                format!("{n} accounts read at this machine's pace, which nobody usually keeps"),
            );
        }
    }
}

/// Who was only refused did not use the account, whoever it was: that accuses no account and nothing else of it.
fn most(u: &Unit<'_>) -> SessionVerdict {
    if u.refused {
        SessionVerdict::Doubtful
    } else {
        SessionVerdict::Intruder
    }
}

/// Verdicts from scores, flowing down tunnels and hops.
fn settle(m: &Model<'_>, sums: &Sums, said: &Said) -> (Vec<SessionVerdict>, Vec<Option<usize>>) {
    let n = m.units.list.len();
    let units = &m.units.list;
    let mut v: Vec<SessionVerdict> = vec![SessionVerdict::Legitimate; n];
    let mut through = vec![None; n];
    for i in 0..n {
        let u = &units[i];
        v[i] = match said[i] {
            Some(true) => SessionVerdict::Intruder,
            Some(false) => SessionVerdict::Legitimate,
            None if m.mute(i) && sums.of(i).weight("beside_intruder") <= 0.0 => {
                SessionVerdict::Legitimate
            }
            None if u.parents.iter().any(|(_, c)| *c >= 0.75) => SessionVerdict::Legitimate,
            // Nobody is known behind it: its own looks alone never make it more than doubtful.
            None if u.who.is_empty() && sums.of(i).weight("shared_origin") <= 0.0 => {
                verdict(sums.of(i).total()).min(SessionVerdict::Doubtful)
            }
            None => verdict(sums.of(i).total()).min(most(u)),
        };
    }
    // Every pass carries a verdict one step further; paths are short.
    for _ in 0..16 {
        let mut moved = false;
        for i in 0..n {
            if said[i].is_some() || units[i].job.is_some() {
                continue;
            }
            let unsure = m.in_mixed(&units[i]);
            for (p, c) in &units[i].parents {
                let c = &if unsure { c.min(0.45) } else { *c };
                let mut given = match v[*p] {
                    SessionVerdict::Intruder if *c >= 0.75 => SessionVerdict::Intruder,
                    SessionVerdict::Intruder | SessionVerdict::Doubtful if *c >= 0.4 => {
                        SessionVerdict::Doubtful
                    }
                    _ => SessionVerdict::Legitimate,
                };
                // Several could have opened the door: an innocent one among them keeps it in doubt, unless only one kind of
                // visitor is ever there when this happens.
                let rivals = units[i]
                    .parents
                    .iter()
                    .any(|(q, d)| *d >= *c && v[*q] == SessionVerdict::Legitimate);
                if v[*p] == SessionVerdict::Intruder && (rivals || *c < 0.75) {
                    given = match present(m, &v, i) {
                        Some(true) => SessionVerdict::Intruder,
                        Some(false) => SessionVerdict::Legitimate,
                        None => SessionVerdict::Doubtful,
                    };
                }
                if given == SessionVerdict::Doubtful && units[i].machine {
                    given = SessionVerdict::Legitimate;
                }
                given = given.min(most(&units[i]));
                if given > v[i] {
                    v[i] = given;
                    through[i] = Some(*p);
                    moved = true;
                }
            }
        }
        if !moved {
            break;
        }
    }
    // One lent address, one tunnel: where only flows name its account, they are of what came out of it.
    for i in (0..n).filter(|i| !units[*i].flow_only && !units[*i].machine) {
        if v[i] == SessionVerdict::Legitimate || !units[i].parents.is_empty() {
            continue;
        }
        for j in m.flows_beside(i) {
            if said[j].is_none() && v[j] < v[i] {
                v[j] = v[i];
                through[j] = Some(i);
            }
        }
    }
    into_desktops(m, said, &mut v, &mut through);
    (v, through)
}

/// What is in doubt comes from a machine whose own log is missing: when somebody's remote desktop into it, always from one and the
/// same place and nobody else's, holds these uses, it is in doubt with them.
fn into_desktops(
    m: &Model<'_>,
    said: &Said,
    v: &mut [SessionVerdict],
    through: &mut [Option<usize>],
) {
    const SLACK: Nanos = 5 * MINUTE;
    let units = &m.units.list;
    for d in m.desktops.values() {
        let bad: Vec<usize> = d
            .uses
            .iter()
            .copied()
            .filter(|i| v[*i] != SessionVerdict::Legitimate && units[*i].parents.is_empty())
            .collect();
        if bad.len() < 3 {
            continue;
        }
        // Place → uses its desktops hold; (desktop, use).
        let mut held: BTreeMap<IpAddr, BTreeSet<usize>> = BTreeMap::new();
        let mut pairs = vec![];
        for f in d.flows.iter().copied() {
            let x = &m.s.list[f];
            let (from, to) = m.s.on_date(f);
            for i in bad.iter().copied() {
                let u = &units[i];
                if let Some(a) = x.origin.address
                    && from - SLACK <= u.from
                    && u.to <= to + SLACK
                {
                    held.entry(a).or_default().insert(i);
                    pairs.push((f, a, i));
                }
            }
        }
        let mut all = held.iter().filter(|(_, h)| h.len() * 10 >= bad.len() * 9);
        let (Some((place, _)), None) = (all.next(), all.next()) else {
            continue;
        };
        for (f, a, i) in pairs {
            let j = m.units.of[f];
            let u = &units[j];
            let open = u.flow_only && u.who.is_empty() && !u.machine && said[j].is_none();
            if a == *place && open && v[j] == SessionVerdict::Legitimate {
                v[j] = SessionVerdict::Doubtful;
                through[j] = Some(i);
            }
        }
    }
}

/// Who is always there when units like `i` (account, programs, origin) happen: `Some(true)` only bad visitors, `Some(false)`
/// only good ones, `None` when it cannot be told. A machine works at any time, whoever is there.
fn present(m: &Model<'_>, v: &[SessionVerdict], i: usize) -> Option<bool> {
    let units = &m.units.list;
    let u = &units[i];
    if u.machine {
        return None;
    }
    let (mut all, mut bad, mut good) = (0u32, 0u32, 0u32);
    for j in m.units_of(u.whose) {
        let x = &units[j];
        let like = x.who == u.who
            && x.address == u.address
            && x.programs == u.programs
            && x.flow_only == u.flow_only;
        if !like || x.job.is_some() || x.parents.iter().all(|(_, c)| *c < 0.4) {
            continue;
        }
        // Tickets of one moment are one occasion.
        if j != i && (x.from - u.from).abs() < 6 * HOUR {
            continue;
        }
        all += 1;
        bad += u32::from(
            x.parents
                .iter()
                .any(|(p, c)| *c >= 0.4 && v[*p] == SessionVerdict::Intruder),
        );
        good += u32::from(
            x.parents
                .iter()
                .any(|(p, c)| *c >= 0.4 && v[*p] == SessionVerdict::Legitimate),
        );
    }
    if all < 2 {
        return None;
    }
    match (bad * 10 >= all * 9, good * 10 >= all * 9) {
        (true, false) if good * 10 <= all * 6 => Some(true),
        (false, true) if bad * 10 <= all * 6 => Some(false),
        _ => None,
    }
}

/// The base of units that share something with bad ones, with that added.
fn share(
    m: &Model<'_>,
    sums: &Sums,
    owners: &Owners<'_>,
    wandering: &BTreeSet<usize>,
    verdicts: &[SessionVerdict],
) -> BTreeMap<usize, Sum> {
    let units = &m.units.list;
    let base = &sums.base[..];
    // With nobody who is bad nothing is shared.
    if !verdicts.contains(&SessionVerdict::Intruder) {
        return BTreeMap::new();
    }
    let root = |i: usize| !units[i].parents.iter().any(|(_, c)| *c >= 0.5);
    // Bad units at an address: under which account each, and whether it is bad by more than its place and its account.
    let mut addresses: BTreeMap<IpAddr, Vec<(usize, &str, bool)>> = BTreeMap::new();
    let mut devices: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    let mut methods: BTreeSet<(u32, Method)> = BTreeSet::new();
    let mut tokens: BTreeSet<&str> = BTreeSet::new();
    let mut accounts: BTreeSet<&str> = BTreeSet::new();
    let mut taken: BTreeMap<(&str, IpAddr), Vec<_>> = BTreeMap::new();
    let mut manners: BTreeSet<Manner> = BTreeSet::new();
    let mut walked: BTreeSet<(&str, Manner)> = BTreeSet::new();
    // Programs on machines inside under which technical accounts are the intruder's, and when.
    let mut hands: BTreeMap<(IpAddr, String), Vec<(&str, Nanos)>> = BTreeMap::new();
    for (i, u) in units.iter().enumerate() {
        let bad = verdicts[i] == SessionVerdict::Intruder;
        if bad && root(i) {
            if let Some(a) = u
                .address
                .filter(|a| m.trust[i] <= Trust::Habit && !m.on_site(*a))
            {
                let sum = sums.of(i);
                let firm = sum.total()
                    - sum.weight("shared_origin").max(0.0)
                    - sum.weight("usurped_account").max(0.0);
                let by_itself = firm >= INTRUDER || sum.reasons().is_empty();
                addresses.entry(a).or_default().push((i, u.who, by_itself));
            }
            if !u.who.is_empty() {
                accounts.insert(u.who);
            }
            tokens.extend(&u.tokens);
            manners.extend(rare_manner(m, i));
            walked.extend(m.does(i).manner().map(|k| (u.who, k)));
        }
        if bad && technical(u) && !u.flow_only && !m.usual_way(i) {
            for t in tools(u) {
                hands.entry(t).or_default().push((u.who, u.from));
            }
        }
        if bad
            && u.service
            && !u.flow_only
            && m.trust[i] != Trust::Declared
            && let Some(a) = u.address
        {
            let when = taken.entry((u.who, a)).or_default();
            when.push((u.from, u.to, root(i)));
        }
        if bad {
            for d in u.devices.iter().filter(|d| specific(m, **d)) {
                devices.entry(*d).or_default().insert(u.who);
                methods.extend(Method::of(m.does(i)).map(|k| (*d, k)));
            }
        }
    }
    // A browser many have tells nobody apart, unless it is new to the account and keeps a machine's pace.
    let paced = |i: usize| base[i].weight("pace") > 0.0 && m.trust[i] == Trust::None;
    let mut browsers: BTreeMap<u32, Browser<'_>> = BTreeMap::new();
    for (i, u) in units
        .iter()
        .enumerate()
        .filter(|(i, u)| paced(*i) && own_use(u))
    {
        let bad = verdicts[i] == SessionVerdict::Intruder;
        let new = bad || base[i].weight("new_device") > 0.0;
        for d in u.devices.iter().filter(|d| new && !specific(m, **d)) {
            let (whos, methods) = browsers.entry(*d).or_default();
            whos.insert(u.who);
            methods.extend(Method::of(m.does(i)).filter(|_| bad).map(|k| (*d, k)));
        }
    }
    // Places somebody is at home in, or at with a device of the own: others may be too.
    let mut homes: BTreeSet<IpAddr> = BTreeSet::new();
    for (i, u) in units.iter().enumerate() {
        if verdicts[i] != SessionVerdict::Intruder
            && (m.trust[i] > Trust::None || base[i].weight("own_device") < 0.0)
        {
            homes.extend(u.address.filter(|a| addresses.contains_key(a)));
        }
    }
    // Who else has the devices of bad units, lawfully; those somebody has on ground that is known.
    let mut clean_devices: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    let mut owned: BTreeSet<u32> = BTreeSet::new();
    for (i, u) in units.iter().enumerate() {
        if verdicts[i] != SessionVerdict::Legitimate || u.who.is_empty() {
            continue;
        }
        for d in u.devices.iter().filter(|d| devices.contains_key(d)) {
            clean_devices.entry(*d).or_default().insert(u.who);
            if m.trust[i] >= Trust::Habit {
                owned.insert(*d);
            }
        }
    }
    // Who else lawfully uses a machine on which the intruder has a program: nobody of whom something there is in doubt.
    // A machine from which one is used day after day serves a house.
    let mut neighbours: BTreeMap<IpAddr, BTreeMap<&str, bool>> = BTreeMap::new();
    let mut serving: BTreeSet<IpAddr> = BTreeSet::new();
    for (a, _) in hands.keys() {
        neighbours.entry(*a).or_default();
    }
    for (i, u) in units.iter().enumerate() {
        if !u.who.is_empty()
            && !u.machine
            && let Some(whos) = u.address.and_then(|a| neighbours.get_mut(&a))
        {
            *whos.entry(u.who).or_insert(true) &= verdicts[i] == SessionVerdict::Legitimate;
            if technical(u) && !u.flow_only && m.usual_way(i) {
                serving.extend(u.address);
            }
        }
    }
    // Machines the intruder works on from elsewhere, and when.
    let mut seized: BTreeMap<IpAddr, Vec<(Nanos, Nanos)>> = BTreeMap::new();
    for (host, d) in &m.desktops {
        for f in &d.flows {
            if verdicts[m.units.of[*f]] == SessionVerdict::Intruder {
                seized.entry(*host).or_default().push(m.s.on_date(*f));
            }
        }
    }
    let mut out = BTreeMap::new();
    for (i, u) in units.iter().enumerate() {
        if u.machine
            || u.job.is_some()
            || !root(i)
            || (u.flow_only && u.who.is_empty() && u.address.is_none())
        {
            continue;
        }
        let own = &base[i];
        if own.weight("ticket") < 0.0 {
            continue;
        }
        let mut shared = Sum::default();
        let sum = &mut shared;
        let known = own.weight("own_device") < 0.0;
        if let Some(a) = u.address {
            // Two visits of one account do not vouch against each other: both may be its owner's.
            let there = addresses.get(&a).map_or(&[][..], Vec::as_slice);
            let others =
                (there.iter()).any(|(j, who, by_itself)| *j != i && (*by_itself || *who != u.who));
            if others
                && m.trust[i] < Trust::Peers
                && !(known && m.trust[i] == Trust::Habit)
                && !m.on_site(a)
            {
                // What is let to many is a place of many: with his own device, or none that is told, at no machine's pace and on an
                // account that nothing else usurps, the owner may be a customer of it too.
                let own_device = known || owners.stand_at(u);
                let of_many =
                    m.rented(u) && own_device && !works(own) && !owners.robbed.contains(u.who);
                // Three other accounts are usurped from a place where nobody is at home: whoever comes from there is the same.
                let whos: BTreeSet<&str> = there.iter().map(|at| at.1).collect();
                let whos = (whos.iter())
                    .filter(|w| !w.is_empty() && **w != u.who)
                    .count();
                let w = if of_many {
                    (DOUBTFUL + 1.0 - own.total()).clamp(0.1, 4.0)
                } else if whos >= 3
                    && m.trust[i] == Trust::None
                    && !own_device
                    && !homes.contains(&a)
                {
                    6.0
                } else {
                    4.0
                };
                sum.add(
                    "shared_origin",
                    w,
                    format!("même origine qu'une session de l'intrus : {a}"),
                    format!("same origin as a session of the intruder: {a}"),
                );
            }
        }
        // A technical account used from the machine where the intruder used it, at a time that is none of its daily ones: that may
        // be an administrator's errand; while the intruder is using it there it is nobody else.
        if u.service
            && m.trust[i] != Trust::Declared
            && verdicts[i] != SessionVerdict::Intruder
            && let Some(when) = u.address.and_then(|a| taken.get(&(u.who, a)))
            && !m.daily(i)
        {
            let beside = when.iter().any(|(a, b, _)| u.from <= *b && u.to >= *a);
            if beside || when.iter().any(|w| w.2) {
                sum.add(
                    "same_way",
                    if beside { 7.0 } else { 5.0 },
                    "même compte technique, même machine que l'intrus".into(),
                    "same technical account, same machine as the intruder".into(),
                );
            }
        }
        // Another technical account, with the program the intruder has there: where others work too it may be one of them.
        if technical(u)
            && !u.flow_only
            && verdicts[i] != SessionVerdict::Intruder
            && !m.usual_way(i)
            && let Some(a) = u.address
            && tools(u)
                .filter_map(|t| hands.get(&t))
                .flatten()
                .any(|(who, t)| *who != u.who && (u.from - t).abs() <= 14 * DAY)
        {
            let alone = !serving.contains(&a)
                && neighbours
                    .get(&a)
                    .is_some_and(|w| w.iter().all(|(who, clean)| *who == u.who || !clean));
            let w = if alone {
                5.0
            } else {
                DOUBTFUL + 0.5 - own.total()
            };
            if w > 0.0 {
                sum.add(
                    "same_way",
                    w,
                    "même programme, même machine que l'intrus sous un autre compte technique"
                        .into(),
                    "same program, same machine as the intruder under another technical account"
                        .into(),
                );
            }
        }
        // The same without a log of that machine: the intruder has its screen when the account begins there. The place clears
        // nobody then, but a batch without a plan may begin at any time: this alone never makes it more than doubtful.
        if u.service
            && verdicts[i] != SessionVerdict::Intruder
            && let Some(when) = u.address.and_then(|a| seized.get(&a))
            && when.iter().any(|(a, b)| *a <= u.from && u.from <= *b)
            && !m.daily(i)
        {
            let ground = own.weight("declared_network") + own.weight("usual_way");
            sum.add(
                "beside_intruder",
                5.0 - ground,
                "compte technique employé depuis une machine où l'intrus est à l'écran".into(),
                "technical account used from a machine whose screen the intruder has".into(),
            );
        }
        if verdicts[i] != SessionVerdict::Intruder && paced(i) && own.weight("new_device") > 0.0 {
            let method = Method::of(m.does(i));
            let alike = u
                .devices
                .iter()
                .filter_map(|d| Some((d, browsers.get(d)?, method?)));
            let whos = alike
                .filter(|(d, (_, methods), k)| k.is_among(**d, methods))
                .map(|(_, (whos, _), _)| whos.len())
                .max();
            if let Some(n) = whos {
                sum.add(
                    "shared_device",
                    if n >= 3 { 3.5 } else { 2.5 },
                    "navigateur de l'intrus, nouveau pour ce compte, au même rythme d'automate"
                        .into(),
                    "the intruder's browser, new to this account, at the same machine's pace"
                        .into(),
                );
            }
        }
        // What is behind a tunnel shows its machine only in what the tunnel made possible.
        let mine: BTreeSet<u32> = m
            .units
            .reach(i)
            .into_iter()
            .flat_map(|r| units[r].devices.iter().copied())
            .collect();
        for d in mine {
            let bad = devices.get(&d).is_some_and(|w| {
                w.len() > 1 || !w.contains(u.who) || verdicts[i] != SessionVerdict::Intruder
            });
            let clean = clean_devices
                .get(&d)
                .is_some_and(|w| w.len() > 1 || !w.contains(u.who))
                || owned.contains(&d);
            if bad && !clean && m.trust[i] < Trust::Peers {
                // A tool that several usurped accounts share and no lawful one uses is a sign of its own.
                let several = devices.get(&d).is_some_and(|w| w.len() >= 2);
                // And so is one that asks for the same kind of thing at the same pace.
                let alike = Method::of(m.does(i)).is_some_and(|k| k.is_among(d, &methods));
                let d = m.device(d);
                let w = match (d.automated, several || alike) {
                    (true, false) => 1.5,
                    (true, true) => 2.5,
                    // The very machine.
                    _ if d.machine => 4.5,
                    _ => 3.0,
                };
                sum.add(
                    "shared_device",
                    w,
                    format!("même appareil ou outil que l'intrus : {}", d.text),
                    format!("same device or tool as the intruder: {}", d.text),
                );
            }
        }
        // A few questions are a manner too where the same account is walked like that from another place nobody knows.
        let again = wandering.contains(&i)
            && m.does(i)
                .manner()
                .is_some_and(|k| walked.contains(&(u.who, k)));
        if verdicts[i] != SessionVerdict::Intruder
            && (again || rare_manner(m, i).is_some_and(|k| manners.contains(&k)))
        {
            sum.add(
                "same_manner",
                2.0,
                "parcourt l'index comme l'intrus".into(),
                "walks the index as the intruder does".into(),
            );
        }
        if m.trust[i] == Trust::None && !known && verdicts[i] != SessionVerdict::Intruder {
            if accounts.contains(u.who) && !owners.settled(m, u) {
                // On a device the owner has, from a place nobody knows, it may well be the owner.
                let stranger = own.weight("new_device") > 0.0;
                let w: f32 = if stranger { 2.0 } else { 1.2 };
                // A place alone, and a device not seen before: an owner who travels has both. More than doubt takes something done.
                let so_far = own.total() + sum.reasons().iter().map(|r| r.weight).sum::<f32>();
                let w = if does(own) || so_far >= INTRUDER {
                    w
                } else {
                    w.min(INTRUDER - 0.1 - so_far).max(0.0)
                };
                sum.add(
                    "usurped_account",
                    w,
                    "compte employé par l'intrus, origine inconnue".into(),
                    "account used by the intruder, unknown origin".into(),
                );
            }
            if u.tokens.iter().any(|t| tokens.contains(t)) {
                sum.add(
                    "shared_token",
                    3.0,
                    "même jeton qu'une session de l'intrus".into(),
                    "same token as a session of the intruder".into(),
                );
            }
        }
        if !shared.reasons().is_empty() {
            let mut all = own.clone();
            for x in shared.reasons() {
                all.share(x.code, x.weight, &x.fr, &x.en);
            }
            out.insert(i, all);
        }
    }
    out
}

/// Whose place an address may be: the account or person, the device, the days.
type Home = (u32, Small<u32>, BTreeSet<i64>);

/// A browser that is new to these accounts, and the manners in which the intruder asks with it.
type Browser<'u> = (BTreeSet<&'u str>, BTreeSet<(u32, Method)>);

/// Where somebody was seen with a device of the owner's.
pub(crate) struct Owners<'m> {
    seen: FxHashSet<(u32, IpAddr)>,
    /// Accounts of which a use shows by itself, by what was done, that it is not the owner's.
    robbed: BTreeSet<&'m str>,
    /// Where an account works as ever but for the place and the device, day after day.
    settled: BTreeSet<(u32, IpAddr)>,
}

impl<'m> Owners<'m> {
    pub fn of(units: &'m [Unit<'_>], base: &[Sum]) -> Owners<'m> {
        let with = units.iter().zip(base);
        let root = |u: &Unit| !u.parents.iter().any(|(_, c)| *c >= 0.5);
        // One client on three days and more, at the hours of the account, and nobody else and nothing odd ever from there.
        const DAYS: usize = 3;
        let quiet = |u: &Unit<'_>, s: &Sum| {
            let usual = |c: &str| QUIET.contains(&c);
            u.devices.len() <= 1 && s.reasons().iter().all(|r| r.weight <= 0.0 || usual(r.code))
        };
        let mut at: BTreeMap<IpAddr, Option<Home>> = BTreeMap::new();
        for (u, s) in with.clone().filter(|(u, _)| own_use(u) && !u.refused) {
            let Some(a) = u.address else { continue };
            let first = || Some((u.whose, u.devices.clone(), BTreeSet::new()));
            let lives = at.entry(a).or_insert_with(first);
            let same = |of: &Home| {
                let told = u.devices.is_empty() || of.1.is_empty() || u.devices == of.1;
                of.0 == u.whose && told && quiet(u, s)
            };
            match lives {
                Some(of) if same(of) => {
                    if of.1.is_empty() {
                        of.1.clone_from(&u.devices);
                    }
                    of.2.extend(u.days.first());
                }
                _ => *lives = None,
            }
        }
        let settled = at.into_iter().filter_map(|(a, of)| {
            let (whose, devices, days) = of?;
            (days.len() >= DAYS && !devices.is_empty()).then_some((whose, a))
        });
        Owners {
            settled: settled.collect(),
            seen: (with.clone())
                .filter(|(_, s)| s.weight("own_device") < 0.0)
                .filter_map(|(u, _)| Some((u.whose, u.address?)))
                .collect(),
            robbed: with
                .filter(|(_, s)| s.total() >= INTRUDER && works(s))
                .filter(|(u, _)| root(u) && !u.who.is_empty())
                .map(|(u, _)| u.who)
                .collect(),
        }
    }
    /// The owner works here as ever, at another place with another device: what somebody does under the account elsewhere, and in another
    /// way, says nothing of it.
    fn settled(&self, m: &Model<'_>, u: &Unit<'_>) -> bool {
        m.at_home(u)
            && !m.rented(u)
            && u.address
                .is_some_and(|a| self.settled.contains(&(u.whose, a)))
    }
    /// A log that tells no device has him where another one shows his: nothing there speaks against its being him.
    pub fn stand_at(&self, u: &Unit<'_>) -> bool {
        u.devices.is_empty() && u.address.is_some_and(|a| self.seen.contains(&(u.whose, a)))
    }
}

/// How a tool works: what kind of questions it asks, and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Method {
    prefix: bool,
    range: bool,
    exact: bool,
    /// Natural logarithm of the seconds between two questions.
    pace: i64,
}

impl Method {
    /// `None` when too little was asked.
    fn of(b: &Behaviour) -> Option<Method> {
        (b.asks >= METHOD && b.gap > 0.0).then(|| Method {
            prefix: b.prefix >= 0.5,
            range: b.range >= 0.5,
            exact: b.exact >= 0.5,
            pace: b.gap.ln().round() as i64,
        })
    }
    /// The tool works like that, hardly faster or slower.
    fn is_among(self, tool: u32, known: &BTreeSet<(u32, Method)>) -> bool {
        let paces = self.pace - 1..=self.pace + 1;
        paces
            .into_iter()
            .any(|pace| known.contains(&(tool, Method { pace, ..self })))
    }
}

/// Reasons an owner gives who works at home on a machine of his own.
const QUIET: [&str; 3] = ["new_device", "new_network", "undeclared_network"];

/// Something in what was done speaks for an outsider, not only the place, the hour and the device it was done from.
pub(crate) fn does(s: &Sum) -> bool {
    DONE.iter().any(|c| s.weight(c) > 0.0)
}

/// The same, or the device it was done with.
pub(crate) fn works(s: &Sum) -> bool {
    does(s) || s.weight("new_device") > 0.0
}

const DONE: [&str; 14] = [
    "another_account",
    "automated_client",
    "beyond_reach",
    "campaign",
    "enumeration",
    "export",
    "guessing",
    "id_walk",
    "mass_writing",
    "outflow",
    "pace",
    "spread",
    "unlike_owner",
    "volume",
];

/// A device that tells somebody apart: a machine's own name or a tool; never a common browser, never one of the hospital's machines.
fn specific(m: &Model<'_>, d: u32) -> bool {
    let d = m.device(d);
    !d.text.is_empty() && (!common_browser(d.text) || d.automated) && !d.housed && !d.serves
}

/// One label per stranger: units joined by address, own machine, token, chain, or one tool with one manner.
pub(crate) fn label(m: &Model<'_>, verdicts: &[SessionVerdict]) -> Vec<Option<Arc<str>>> {
    let units: &Units<'_> = m.units;
    let n = units.list.len();
    let bad: Vec<usize> = (0..n)
        .filter(|i| verdicts[*i] != SessionVerdict::Legitimate)
        .collect();
    let mut root: Vec<usize> = (0..n).collect();
    fn find(root: &mut [usize], mut i: usize) -> usize {
        while root[i] != i {
            root[i] = root[root[i]];
            i = root[i];
        }
        i
    }
    fn join(root: &mut [usize], a: usize, b: usize) {
        let (a, b) = (find(root, a), find(root, b));
        root[a.max(b)] = a.min(b);
    }
    let mut keys: BTreeMap<String, usize> = BTreeMap::new();
    for i in &bad {
        let u = &units.list[*i];
        for (p, c) in &u.parents {
            if *c >= 0.5 && verdicts[*p] != SessionVerdict::Legitimate {
                join(&mut root, *p, *i);
            }
        }
        let outer = !u.parents.iter().any(|(_, c)| *c >= 0.5);
        let mut mine: Vec<String> = vec![];
        if let Some(a) = u
            .address
            .filter(|a| outer && !m.on_site(*a) && m.trust[*i] < Trust::Peers)
        {
            mine.push(format!("a {a}"));
            if let (Some(n), true) = (u.asn, !u.who.is_empty()) {
                mine.push(format!("n {n} {}", u.who));
            }
        } else if outer && !u.who.is_empty() {
            mine.push(format!(
                "w {} {}",
                u.who,
                u.address.map_or_else(String::new, |a| a.to_string())
            ));
        }
        // At a machine's pace the name of a browser is that of a tool.
        let paced = m.machine_pace(*i);
        let tells = |d: &u32| specific(m, *d) || paced && common_browser(m.device(*d).text);
        for d in u.devices.iter().filter(|d| tells(d)) {
            let d = m.device(*d);
            let (tool, d) = (d.automated || paced && common_browser(d.text), d.text);
            if tool {
                // A tool is no person: the manner must agree too.
                let b = m.does(*i);
                let manner = (
                    b.prefix >= 0.5,
                    b.range >= 0.5,
                    b.walk >= crate::units::WALK,
                    if b.asks >= 8 && b.gap > 0.0 {
                        b.gap.ln().round() as i64
                    } else {
                        -99
                    },
                );
                if b.asks >= 8 {
                    for near in [manner.3 - 1, manner.3, manner.3 + 1] {
                        let k = format!("t {d} {} {} {} {near}", manner.0, manner.1, manner.2);
                        if near == manner.3 {
                            mine.push(k);
                        } else if let Some(o) = keys.get(&k) {
                            join(&mut root, *o, *i);
                        }
                    }
                } else {
                    mine.push(format!("t {d} {}", u.who));
                }
            } else {
                mine.push(format!("d {d}"));
            }
        }
        for t in u.tokens.iter() {
            mine.push(format!("k {t}"));
        }
        for k in mine {
            match keys.get(&k) {
                Some(o) => join(&mut root, *o, *i),
                None => {
                    keys.insert(k, *i);
                }
            }
        }
    }
    let mut names: BTreeMap<usize, Arc<str>> = BTreeMap::new();
    let mut out = vec![None; n];
    let mut order = bad.clone();
    order.sort_by_key(|i| (units.list[*i].from, *i));
    for i in order {
        let r = find(&mut root, i);
        let next = names.len() + 1;
        out[i] = Some(
            names
                .entry(r)
                .or_insert_with(|| next.to_string().into())
                .clone(),
        );
    }
    out
}
