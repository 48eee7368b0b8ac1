//! The region: establishments, people with French names, identity records that change from day to day, staff with accounts,
//! networks. Everything is made up; networks are documentation and benchmark ranges, identifiers use example arcs.
use crate::civil::{self, DAY, Ms};
use crate::rng::Rng;
use ampleur_event::{Category, category::CategorySet};
use std::io::{self, BufWriter, Write};
use std::path::Path;

pub const INS: &str = "urn:oid:1.2.250.1.213.1.4.8";
pub const REGIONAL: &str = "urn:oid:2.16.840.1.113883.19.70.1";
const NEVER: Ms = Ms::MAX;

pub const FAMILIES: &[&str] = &[
    "ABADIE",
    "ALLARD",
    "AMIOT",
    "ANDRIEU",
    "ARNAULT",
    "ASTRUC",
    "AUBRY",
    "AUGER",
    "AZOULAY",
    "BAILLY",
    "BARBIER",
    "BAUDRY",
    "BAZIN",
    "BÉRARD",
    "BERGER",
    "BESNARD",
    "BIGOT",
    "BLANCHET",
    "BOISSEAU",
    "BONNEFOY",
    "BOUCHARD",
    "BOULAY",
    "BOURDON",
    "BRÉMOND",
    "BRETON",
    "BRUNEL",
    "BUISSON",
    "CADIOU",
    "CAILLOT",
    "CARON",
    "CARRÉ",
    "CASTEL",
    "CHABERT",
    "CHAMPION",
    "CHAUVIN",
    "CHEVALIER",
    "COLAS",
    "CORDIER",
    "COSTE",
    "COULON",
    "COURTOIS",
    "CROS",
    "DAGUERRE",
    "DANIEL",
    "DELAUNAY",
    "DELMAS",
    "DESCHAMPS",
    "DEVAUX",
    "DIALLO",
    "DOUCET",
    "DROUET",
    "DUCLOS",
    "DUFOUR",
    "DUMAS",
    "DURANTON",
    "ESNAULT",
    "EVRARD",
    "FABIEN",
    "FAURE",
    "FÉRAUD",
    "FERREIRA",
    "FLEURY",
    "FONTAINE",
    "FORESTIER",
    "FRANÇOIS",
    "GAILLARD",
    "GARNIER",
    "GAUDIN",
    "GERVAIS",
    "GIRAUD",
    "GODARD",
    "GOSSELIN",
    "GRANDJEAN",
    "GRÉGOIRE",
    "GUÉRIN",
    "GUICHARD",
    "HAMON",
    "HERVIEU",
    "HUBERT",
    "HUET",
    "IMBERT",
    "JACQUEMIN",
    "JAMET",
    "JOLIVET",
    "JOUBERT",
    "KACI",
    "KERVELLA",
    "LACROIX",
    "LAFON",
    "LAMBERT",
    "LANGLOIS",
    "LARCHER",
    "LEBLANC",
    "LECOMTE",
    "LEFÈVRE",
    "LEGRAND",
    "LELIÈVRE",
    "LEMOINE",
    "LOISEAU",
    "LUCAS",
    "MAILLARD",
    "MALLET",
    "MARCHAND",
    "MARTINEAU",
    "MASSON",
    "MENARD",
    "MERCIER",
    "MEUNIER",
    "MILLET",
    "MONIER",
    "MOREAU",
    "MOULIN",
    "MULLER",
    "NAVARRO",
    "NGUYEN",
    "NICOLAS",
    "NOËL",
    "OLIVE",
    "PAGÈS",
    "PARMENTIER",
    "PASQUIER",
    "PELLETIER",
    "PERRIN",
    "PICARD",
    "PINEAU",
    "POIRIER",
    "PONS",
    "POULAIN",
    "PRÉVOST",
    "PRUVOST",
    "QUENTIN",
    "RAYNAUD",
    "RENARD",
    "REYNAUD",
    "RICHARD",
    "RIVIÈRE",
    "ROCHE",
    "ROLLAND",
    "ROUSSEAU",
    "ROUX",
    "SALMON",
    "SAUVAGE",
    "SCHMITT",
    "SERRE",
    "SIMONET",
    "SOULIER",
    "TANGUY",
    "TESSIER",
    "THIERRY",
    "TOUZET",
    "TRAORÉ",
    "VALLÉE",
    "VASSEUR",
    "VERDIER",
    "VIDAL",
    "VINCENT",
    "VOISIN",
    "WEBER",
    "YVON",
    "ZIEGLER",
    "D'ARTOIS",
    "D'HONDT",
    "L'HOSTIS",
    "LE GALL",
    "LE ROUX",
    "DE LA TOUR",
    "SAINT-MARTIN",
    "MARTIN-DUPRÉ",
    "VAN DE WALLE",
    "BEN AMAR",
    "GARCIA-LOPEZ",
];
pub const WOMEN: &[&str] = &[
    "MARIE",
    "JEANNE",
    "FRANÇOISE",
    "MONIQUE",
    "CATHERINE",
    "NATHALIE",
    "ISABELLE",
    "SYLVIE",
    "MARTINE",
    "JACQUELINE",
    "ANNE",
    "NICOLE",
    "CHRISTINE",
    "SOPHIE",
    "VALÉRIE",
    "CÉLINE",
    "AURÉLIE",
    "ÉMILIE",
    "LÉA",
    "CHLOÉ",
    "MANON",
    "CAMILLE",
    "INÈS",
    "JADE",
    "LOUISE",
    "ZOÉ",
    "ANAÏS",
    "MAËLYS",
    "FATIMA",
    "AÏCHA",
    "MARIE-CLAIRE",
    "ANNE-SOPHIE",
    "MARIE-THÉRÈSE",
    "GENEVIÈVE",
    "HÉLÈNE",
    "THI MAI",
];
pub const MEN: &[&str] = &[
    "JEAN",
    "PIERRE",
    "MICHEL",
    "ANDRÉ",
    "PHILIPPE",
    "RENÉ",
    "LOUIS",
    "ALAIN",
    "JACQUES",
    "BERNARD",
    "MARCEL",
    "DANIEL",
    "ROGER",
    "ROBERT",
    "PAUL",
    "CLAUDE",
    "CHRISTIAN",
    "GEORGES",
    "HENRI",
    "NICOLAS",
    "JULIEN",
    "THOMAS",
    "FRANÇOIS",
    "ÉTIENNE",
    "RÉMI",
    "LÉO",
    "HUGO",
    "NOÉ",
    "GAËL",
    "MOHAMED",
    "KÉVIN",
    "JEAN-PIERRE",
    "JEAN-BAPTISTE",
    "YANN",
    "STÉPHANE",
    "JÉRÔME",
];
const STREETS: &[&str] = &[
    "rue des Lilas",
    "rue du Port",
    "avenue de l'Église",
    "chemin du Lavoir",
    "place du Marché",
    "rue d'En-Haut",
    "allée des Tilleuls",
];
const TOWNS: &[&str] = &[
    "Ville-aux-Bois",
    "Saint-Aubin-le-Neuf",
    "Bourg-l'Évêque",
    "Montreuil-sous-Lys",
    "Pont-d'Arc",
    "La Haie-Neuve",
];
const PLACES: &[&str] = &[
    "Valmont",
    "Sainte-Odile",
    "Belleroche",
    "l'Aubrière",
    "Montclair",
    "Fontenelle",
    "Rochebrune",
    "Saint-Cyr-en-Lys",
    "la Touque",
    "Grandpré",
    "Hautefeuille",
    "l'Étang-Neuf",
    "Brévannes",
    "Clairval",
    "Orval",
    "Pontarmé",
    "Saint-Élier",
    "Vauclair",
    "Mirebel",
    "Chantenay",
    "Les Oliviers",
    "Kerdavid",
    "Beauséjour",
    "Roc-Amour",
];

/// A place in the genitive, as French joins it: `d'Orval`, `des Oliviers`, `de Clairval`.
fn of_place(place: &str) -> String {
    if let Some(rest) = place.strip_prefix("Les ") {
        return format!("des {rest}");
    }
    match place.starts_with(['A', 'E', 'I', 'O', 'U', 'É', 'Î']) {
        true => format!("d'{place}"),
        false => format!("de {place}"),
    }
}

/// Upper-case ASCII form used to compare names: case and accents do not count, everything else does.
pub fn fold(s: &str) -> String {
    s.chars()
        .map(|c| match c {
            'É' | 'È' | 'Ê' | 'Ë' | 'é' | 'è' | 'ê' | 'ë' => 'E',
            'À' | 'Â' | 'à' | 'â' => 'A',
            'Ç' | 'ç' => 'C',
            'Ï' | 'Î' | 'ï' | 'î' => 'I',
            'Ô' | 'Ö' | 'ô' | 'ö' => 'O',
            'Ù' | 'Û' | 'Ü' | 'ù' | 'û' | 'ü' => 'U',
            c => c.to_ascii_uppercase(),
        })
        .collect()
}

/// A hospital or practice: a controller of its own.
#[derive(Debug, Clone)]
pub struct Est {
    pub id: String,
    pub finess: String,
    pub name: String,
    /// Authority of patient identifiers.
    pub authority: String,
    /// Authority of staff numbers.
    pub staff_authority: String,
    /// Second octet of its private network.
    pub net: u8,
    /// The one public address everybody inside goes out by.
    pub egress: String,
}

#[derive(Debug, Clone)]
pub struct Person {
    pub family: u16,
    pub usual: Option<u16>,
    pub given: u16,
    pub woman: bool,
    /// Birth date, days since 1970.
    pub birth: i32,
    /// INS matricule (13 digits and key), 0 without one.
    pub ins: u64,
    pub phone: Option<u32>,
    pub email: bool,
    pub postal: bool,
    pub dead: bool,
    pub rri: u32,
    pub records: [u32; 4],
    pub count: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The telephone number appears.
    Phone,
    /// The e-mail address appears.
    Email,
    /// The family name is corrected; before, it was this one.
    Family(u16),
    /// The record was found to double another and points to it from now on.
    Merge(u32),
}

/// What one establishment holds about one person. At most one change inside the window.
#[derive(Debug, Clone)]
pub struct Record {
    pub person: u32,
    pub est: u8,
    pub ipp: u32,
    pub fid: u64,
    pub created: Ms,
    pub change: Option<(Ms, Change)>,
}

/// A member of staff.
#[derive(Debug, Clone)]
pub struct Staff {
    pub login: String,
    pub display: String,
    pub rpps: String,
    pub est: u8,
    /// Staff number: `authority|M…`.
    pub matricule: u32,
    pub role: Role,
    pub uuid: String,
    pub rid: u32,
    pub pc: String,
    pub pc_ip: String,
    pub home_ip: String,
    pub agent: u8,
    pub family: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Doctor,
    Nurse,
    Social,
    Clerk,
    Engineer,
}

pub const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
];

/// How big the world is.
#[derive(Debug, Clone)]
pub struct Plan {
    pub establishments: usize,
    pub persons: usize,
    pub staff: usize,
    pub from: Ms,
    pub to: Ms,
    /// "CH", "cabinet"…
    pub kind: &'static str,
    /// Share of records that change each day.
    pub churn: f64,
    /// Staff number of the first practice, so that families differ.
    pub several: f64,
}

/// Everything and everybody.
pub struct World {
    pub ests: Vec<Est>,
    pub persons: Vec<Person>,
    pub records: Vec<Record>,
    pub staff: Vec<Staff>,
    /// Local midnights with a snapshot, ascending.
    pub snapshots: Vec<Ms>,
    /// Records by family name (also former and usual names), ordered by birth.
    by_family: Vec<Vec<u32>>,
    pub folded: Vec<String>,
}

fn key(n13: u64) -> u64 {
    97 - n13 % 97
}

impl World {
    pub fn build(plan: &Plan, rng: &mut Rng) -> World {
        let mut ests = Vec::new();
        let first = rng.below(PLACES.len() as u64) as usize;
        for i in 0..plan.establishments {
            let finess = format!("{:09}", 990_100_000 + rng.below(9_000) * 10 + i as u64 % 10);
            let place = PLACES[(first + i) % PLACES.len()];
            let name = match plan.kind {
                "cabinet" => format!("Cabinet médical {place} {}", i + 1),
                k => format!("{k} {}", of_place(place)),
            };
            ests.push(Est {
                id: format!("finess:{finess}"),
                finess,
                name,
                authority: format!("urn:oid:2.16.840.1.113883.19.71.{}", i + 1),
                staff_authority: format!("urn:oid:2.16.840.1.113883.19.72.{}", i + 1),
                net: (70 + i) as u8,
                egress: format!("203.0.113.{}", 20 + i % 200),
            });
        }
        let mut w = World {
            ests,
            persons: Vec::with_capacity(plan.persons),
            records: Vec::with_capacity(plan.persons * 5 / 4),
            staff: Vec::new(),
            snapshots: Vec::new(),
            by_family: vec![Vec::new(); FAMILIES.len()],
            folded: FAMILIES.iter().map(|f| fold(f)).collect(),
        };
        w.people(plan, rng);
        w.hire(plan, rng);
        w
    }

    fn family(rng: &mut Rng) -> u16 {
        // Frequent names are much more frequent than rare ones.
        let u = rng.unit();
        (u * u * FAMILIES.len() as f64) as u16
    }

    fn people(&mut self, plan: &Plan, rng: &mut Rng) {
        let days = (plan.to - plan.from) / DAY;
        let mut perm: Vec<u16> = (0..FAMILIES.len() as u16).collect();
        rng.shuffle(&mut perm);
        let old = plan.from - 900 * DAY;
        let mut ipp = vec![0u32; self.ests.len()];
        while self.persons.len() < plan.persons {
            let n = self.persons.len() as u32;
            let woman = rng.chance(0.53);
            let age = ((rng.unit() + rng.unit() + rng.unit()) / 3.0 * 104.0) as i64;
            let birth = (plan.from / DAY - age * 365 - rng.range(0, 365)) as i32;
            let family = perm[Self::family(rng) as usize];
            let mut p = Person {
                family,
                usual: (woman && age > 24 && rng.chance(0.3))
                    .then(|| perm[Self::family(rng) as usize]),
                given: rng.below(if woman { WOMEN.len() } else { MEN.len() } as u64) as u16,
                woman,
                birth,
                ins: 0,
                phone: rng.chance(0.8).then(|| rng.below(100_000_000) as u32),
                email: rng.chance(0.44),
                postal: rng.chance(0.97),
                dead: age > 60 && rng.chance(0.05),
                rri: n,
                records: [u32::MAX; 4],
                count: 0,
            };
            // Twins share name and birth; a namesake shares the name only.
            if n > 0 && rng.chance(0.006) {
                let q = self.persons[n as usize - 1].clone();
                p.family = q.family;
                p.usual = None;
                if rng.chance(0.6) {
                    p.birth = q.birth;
                    p.woman = q.woman;
                    let list = if q.woman { WOMEN.len() } else { MEN.len() } as u16;
                    p.given = (q.given + 1) % list;
                } else {
                    p.woman = q.woman;
                    p.given = q.given;
                }
            }
            if rng.chance(0.86) {
                let (y, m, _) = civil::civil_from_days(i64::from(p.birth));
                // Department 96 does not exist today; order numbers make every matricule unique.
                let n13 = ((if p.woman { 2 } else { 1 }) * 1_000_000_000_000u64)
                    + (y % 100) as u64 * 10_000_000_000
                    + m as u64 * 100_000_000
                    + 96 * 1_000_000
                    + u64::from(n) % 1_000_000;
                p.ins = n13 * 100 + key(n13);
            }
            let home = rng.below(self.ests.len() as u64);
            let mut at = vec![home as u8];
            if self.ests.len() > 1 && rng.chance(plan.several) {
                at.push(
                    ((home + 1 + rng.below(self.ests.len() as u64 - 1)) % self.ests.len() as u64)
                        as u8,
                );
                if self.ests.len() > 2 && rng.chance(0.2) {
                    let third = (home + 2) as u8 % self.ests.len() as u8;
                    if !at.contains(&third) {
                        at.push(third);
                    }
                }
            }
            let newcomer = rng.chance(plan.churn * 0.5 * days as f64);
            let double = rng.chance(0.012);
            for e in at {
                let mut r = self.record(n, e, &mut ipp, old, rng);
                if newcomer {
                    r.created = plan.from + rng.range(0, days * DAY);
                } else if rng.chance(plan.churn * days as f64) {
                    let t = plan.from + rng.range(0, days * DAY);
                    let kind = match rng.below(10) {
                        0..5 if p.phone.is_some() => Change::Phone,
                        5..8 if p.email => Change::Email,
                        _ => {
                            let before = perm[Self::family(rng) as usize];
                            if before == p.family {
                                Change::Phone
                            } else {
                                Change::Family(before)
                            }
                        }
                    };
                    if !(kind == Change::Phone && p.phone.is_none()) {
                        r.change = Some((t, kind));
                    }
                }
                self.attach(&mut p, r);
                if double && p.count < 4 {
                    // The same person was once registered twice; one record now points to the other, some since today.
                    let main = self.records.len() as u32 - 1;
                    let mut r = self.record(n, e, &mut ipp, old, rng);
                    let t = if rng.chance(0.2) {
                        plan.from + rng.range(0, days * DAY)
                    } else {
                        old + 400 * DAY
                    };
                    r.created = self.records[main as usize]
                        .created
                        .min(t - DAY)
                        .min(old + 300 * DAY);
                    if self.records[main as usize].created < plan.from {
                        r.change = Some((t, Change::Merge(main)));
                        self.attach(&mut p, r);
                    }
                }
            }
            self.persons.push(p);
        }
        for (i, r) in self.records.iter().enumerate() {
            let p = &self.persons[r.person as usize];
            let mut f = vec![p.family];
            f.extend(p.usual);
            if let Some((_, Change::Family(before))) = r.change {
                f.push(before);
            }
            f.sort_unstable();
            f.dedup();
            f.into_iter()
                .for_each(|f| self.by_family[f as usize].push(i as u32));
        }
        for list in &mut self.by_family {
            list.sort_by_key(|r| {
                (
                    self.persons[self.records[*r as usize].person as usize].birth,
                    *r,
                )
            });
        }
    }

    fn record(&self, person: u32, est: u8, ipp: &mut [u32], old: Ms, rng: &mut Rng) -> Record {
        ipp[est as usize] += 1;
        Record {
            person,
            est,
            ipp: 40_000_000 + u32::from(est) * 3_000_000 + ipp[est as usize],
            fid: rng.bits() & 0xffff_ffff_ffff,
            created: old + rng.range(0, 800 * DAY),
            change: None,
        }
    }
    fn attach(&mut self, p: &mut Person, r: Record) {
        if p.count < 4 {
            p.records[p.count as usize] = self.records.len() as u32;
            p.count += 1;
            self.records.push(r);
        }
    }

    fn hire(&mut self, plan: &Plan, rng: &mut Rng) {
        let mut used = std::collections::BTreeMap::new();
        for i in 0..plan.staff {
            let woman = rng.chance(0.7);
            let given = if woman {
                rng.pick(WOMEN)
            } else {
                rng.pick(MEN)
            };
            let family = Self::family(rng);
            let letters = |s: &str| {
                fold(s)
                    .to_lowercase()
                    .chars()
                    .filter(char::is_ascii_lowercase)
                    .collect::<String>()
            };
            let base = format!(
                "{}.{}",
                &letters(given)[..1],
                letters(FAMILIES[family as usize])
            );
            let n = used
                .entry(base.clone())
                .and_modify(|n| *n += 1)
                .or_insert(0);
            let login = if *n == 0 { base } else { format!("{base}{n}") };
            let role = match i % 10 {
                0..3 => Role::Doctor,
                3..7 => Role::Nurse,
                7 => Role::Social,
                8 => Role::Clerk,
                _ => Role::Engineer,
            };
            let title = if role == Role::Doctor { "Dr " } else { "" };
            let est = (i % self.ests.len()) as u8;
            let e = &self.ests[est as usize];
            // RPPS of the test range, with a Luhn key.
            let stem = 9_980_000_000 + i as u64 * 13 % 9_999_999;
            self.staff.push(Staff {
                display: format!("{title}{} {}", capital(given), FAMILIES[family as usize]),
                rpps: format!("{stem}{}", luhn(stem)),
                est,
                matricule: 20_100 + i as u32 * 3,
                role,
                uuid: rng.uuid(),
                rid: 1_105 + i as u32 * 2,
                pc: format!("PC{:02}-{:05}", e.net, 100 + i * 7),
                pc_ip: format!("10.{}.{}.{}", e.net, 16 + i / 200 % 100, 10 + i % 200),
                home_ip: format!("198.18.{}.{}", rng.below(60), 1 + rng.below(250)),
                agent: rng.below(4) as u8,
                family,
                login,
            });
        }
    }

    /// The state of a record at an instant: family name, telephone there, e-mail there, merged into.
    pub fn state(&self, record: u32, t: Ms) -> (u16, bool, bool, Option<u32>) {
        let r = &self.records[record as usize];
        let p = &self.persons[r.person as usize];
        let (mut family, mut phone, mut email, mut merged) =
            (p.family, p.phone.is_some(), p.email, None);
        if let Some((at, c)) = r.change {
            match c {
                Change::Phone if t < at => phone = false,
                Change::Email if t < at => email = false,
                Change::Family(before) if t < at => family = before,
                Change::Merge(into) if t >= at => merged = Some(into),
                _ => {}
            }
        }
        (family, phone, email, merged)
    }

    /// What a full answer about this record shows.
    pub fn shown(&self, record: u32, t: Ms) -> CategorySet {
        let p = &self.persons[self.records[record as usize].person as usize];
        let (_, phone, email, _) = self.state(record, t);
        let mut s = CategorySet::of(&[
            Category::IdName,
            Category::IdSex,
            Category::IdDob,
            Category::IdLocal,
        ]);
        for (on, c) in [
            (p.ins != 0, Category::IdNir),
            (phone, Category::ContactPhone),
            (email, Category::ContactEmail),
            (p.postal, Category::ContactPostal),
        ] {
            if on {
                s.insert(c);
            }
        }
        s
    }
    /// What follows from a full answer without being shown.
    pub fn implied(&self, record: u32) -> CategorySet {
        let p = &self.persons[self.records[record as usize].person as usize];
        let mut s = CategorySet::of(&[Category::CareExistence]);
        if p.ins != 0 {
            s.insert(Category::IdBirthplace);
        }
        if p.dead {
            s.insert(Category::IdDeath);
        }
        if p.usual.is_some() {
            s.insert(Category::IdCivil);
        }
        s
    }

    /// True when the snapshots around `t` show this record alike, so that what it held at `t` is certain.
    pub fn settled(&self, record: u32, t: Ms) -> bool {
        let r = &self.records[record as usize];
        let before = self.snapshots.iter().rev().find(|s| **s <= t);
        let after = self.snapshots.iter().find(|s| **s > t);
        let (Some(a), Some(b)) = (before, after) else {
            return false;
        };
        r.created < *a && r.change.is_none_or(|(at, _)| at < *a || at >= *b)
    }

    /// Records whose family name starts with `prefix` (folded) and whose birth is in `[from, to)` days, at `t`; in record order.
    pub fn search(&self, prefix: &str, birth: std::ops::Range<i32>, t: Ms) -> Vec<u32> {
        let mut hits = Vec::new();
        for (f, name) in self.folded.iter().enumerate() {
            if !name.starts_with(prefix) {
                continue;
            }
            let list = &self.by_family[f];
            let b = |r: &u32| self.persons[self.records[*r as usize].person as usize].birth;
            let lo = list.partition_point(|r| b(r) < birth.start);
            for r in &list[lo..] {
                if b(r) >= birth.end {
                    break;
                }
                let rec = &self.records[*r as usize];
                let (family, ..) = self.state(*r, t);
                let usual = self.persons[rec.person as usize].usual;
                if rec.created <= t && (family as usize == f || usual == Some(f as u16)) {
                    hits.push(*r);
                }
            }
        }
        hits.sort_unstable();
        hits.dedup();
        hits
    }

    /// Prefixes of this length that every reading of "starts with" answers alike: no name has the prefix after a blank,
    /// a hyphen or an apostrophe, or only when those are dropped.
    pub fn prefixes(&self, len: usize) -> Vec<String> {
        let mut all: Vec<String> = self
            .folded
            .iter()
            .map(|f| f.chars().take(len).collect::<String>())
            .collect();
        all.sort();
        all.dedup();
        all.retain(|p| {
            p.chars().all(|c| c.is_ascii_uppercase())
                && self.folded.iter().all(|f| {
                    let inner = f
                        .split(|c: char| !c.is_ascii_alphabetic())
                        .skip(1)
                        .any(|w| w.starts_with(p.as_str()));
                    let squeezed: String = f.chars().filter(char::is_ascii_alphabetic).collect();
                    !inner && f.starts_with(p.as_str()) == squeezed.starts_with(p.as_str())
                })
        });
        all
    }

    /// The record that stands for `record` in its establishment at the end.
    pub fn surviving(&self, record: u32) -> u32 {
        match self.records[record as usize].change {
            Some((_, Change::Merge(into))) => into,
            _ => record,
        }
    }

    pub fn pi(&self, record: u32) -> String {
        let r = &self.records[record as usize];
        format!("{}|{}", self.ests[r.est as usize].authority, r.ipp)
    }
    pub fn fhir_id(&self, record: u32) -> String {
        format!("{:012x}", self.records[record as usize].fid)
    }
    /// Every identifier of a person, surviving records first.
    pub fn ids(&self, person: u32) -> Vec<String> {
        let p = &self.persons[person as usize];
        let mut v = Vec::new();
        for r in &p.records[..p.count as usize] {
            v.push(self.pi(*r));
            v.push(format!("Patient/{}", self.fhir_id(*r)));
        }
        if p.ins != 0 {
            v.push(format!("{INS}|{}", p.ins));
        }
        v.push(format!("{REGIONAL}|{}", rri(p.rri)));
        v
    }
    pub fn staff_id(&self, s: usize) -> String {
        let s = &self.staff[s];
        format!(
            "{}|M{}",
            self.ests[s.est as usize].staff_authority, s.matricule
        )
    }
    pub fn given(&self, p: &Person) -> &'static str {
        if p.woman {
            WOMEN[p.given as usize]
        } else {
            MEN[p.given as usize]
        }
    }

    /// Writes `identities/<date>.ndjson` for every snapshot.
    pub fn write_snapshots(&self, case: &Path, compressed: bool) -> io::Result<()> {
        let dir = case.join("identities");
        std::fs::create_dir_all(&dir)?;
        for at in &self.snapshots {
            let name = civil::date_text(civil::local_day(*at));
            let path = dir.join(format!(
                "{name}.ndjson{}",
                if compressed { ".gz" } else { "" }
            ));
            let w = BufWriter::with_capacity(1 << 16, std::fs::File::create(path)?);
            let mut out: Box<dyn Write> = if compressed {
                Box::new(flate2::write::GzEncoder::new(
                    w,
                    flate2::Compression::fast(),
                ))
            } else {
                Box::new(w)
            };
            let mut b = Vec::new();
            for r in 0..self.records.len() as u32 {
                if self.records[r as usize].created < *at {
                    b.clear();
                    self.put_patient(&mut b, r, *at);
                    out.write_all(&b)?;
                }
            }
            out.flush()?;
        }
        Ok(())
    }

    fn put_patient(&self, b: &mut Vec<u8>, record: u32, at: Ms) {
        let r = &self.records[record as usize];
        let p = &self.persons[r.person as usize];
        let e = &self.ests[r.est as usize];
        let (family, phone, email, merged) = self.state(record, at);
        let changed = r
            .change
            .filter(|(t, _)| *t < at)
            .map_or(r.created, |(t, _)| t.max(r.created));
        let given = self.given(p);
        let s = |b: &mut Vec<u8>, t: &str| b.extend_from_slice(t.as_bytes());
        s(
            b,
            &format!(
                "{{\"resourceType\":\"Patient\",\"id\":\"{}\",\"meta\":{{\"versionId\":\"{}\",\"lastUpdated\":\"",
                self.fhir_id(record),
                1 + usize::from(changed != r.created)
            ),
        );
        civil::put_iso_paris(b, changed);
        s(
            b,
            "\"},\"identifier\":[{\"use\":\"usual\",\"type\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v2-0203\",\"code\":\"PI\"}]},\"system\":\"",
        );
        s(b, &e.authority);
        s(b, &format!("\",\"value\":\"{}\"}}", r.ipp));
        if p.ins != 0 {
            s(
                b,
                &format!(
                    ",{{\"use\":\"official\",\"type\":{{\"coding\":[{{\"system\":\"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203\",\"code\":\"INS-NIR\"}}]}},\"system\":\"{INS}\",\"value\":\"{}\"}}",
                    p.ins
                ),
            );
        }
        s(
            b,
            &format!(
                ",{{\"type\":{{\"coding\":[{{\"system\":\"https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203\",\"code\":\"RRI\"}}]}},\"system\":\"{REGIONAL}\",\"value\":\"{}\"}}],\"active\":{},",
                rri(p.rri),
                merged.is_none()
            ),
        );
        s(
            b,
            &format!(
                "\"name\":[{{\"use\":\"official\",\"family\":\"{}\",\"given\":[\"{given}\"]}}",
                FAMILIES[family as usize]
            ),
        );
        if let Some(u) = p.usual {
            s(
                b,
                &format!(
                    ",{{\"use\":\"usual\",\"family\":\"{}\",\"given\":[\"{given}\"]}}",
                    FAMILIES[u as usize]
                ),
            );
        }
        s(b, "]");
        let mut contacts = Vec::new();
        if let (true, Some(n)) = (phone, p.phone) {
            contacts.push(format!("{{\"system\":\"phone\",\"value\":\"+336{n:08}\"}}"));
        }
        if email {
            contacts.push(format!(
                "{{\"system\":\"email\",\"value\":\"p{}@courriel.example\"}}",
                r.person
            ));
        }
        if !contacts.is_empty() {
            s(b, &format!(",\"telecom\":[{}]", contacts.join(",")));
        }
        s(
            b,
            &format!(
                ",\"gender\":\"{}\",\"birthDate\":\"{}\"",
                if p.woman { "female" } else { "male" },
                civil::date_text(i64::from(p.birth))
            ),
        );
        if p.dead {
            s(
                b,
                &format!(
                    ",\"deceasedDateTime\":\"{}\"",
                    civil::date_text(i64::from(p.birth) + 61 * 365)
                ),
            );
        }
        if p.postal {
            let k = r.person as usize;
            s(
                b,
                &format!(
                    ",\"address\":[{{\"line\":[\"{} {}\"],\"city\":\"{}\",\"postalCode\":\"96{:03}\",\"country\":\"FRA\"}}]",
                    1 + k % 80,
                    STREETS[k % STREETS.len()],
                    TOWNS[k % TOWNS.len()],
                    k % 900
                ),
            );
        }
        s(
            b,
            &format!(
                ",\"managingOrganization\":{{\"identifier\":{{\"system\":\"https://finess.esante.gouv.fr\",\"value\":\"{}\"}},\"display\":\"{}\"}}",
                e.finess, e.name
            ),
        );
        if let Some(into) = merged {
            s(
                b,
                &format!(
                    ",\"link\":[{{\"other\":{{\"reference\":\"Patient/{}\"}},\"type\":\"replaced-by\"}}]",
                    self.fhir_id(into)
                ),
            );
        }
        s(b, "}\n");
    }

    /// Persons with a record in the last snapshot, all and per establishment.
    pub fn population(&self) -> (u64, Vec<u64>) {
        let last = self.snapshots.last().copied().unwrap_or(NEVER);
        let mut per = vec![0u64; self.ests.len()];
        let mut all = 0;
        for p in &self.persons {
            let mut seen: Vec<u8> = p.records[..p.count as usize]
                .iter()
                .map(|r| &self.records[*r as usize])
                .filter(|r| r.created < last)
                .map(|r| r.est)
                .collect();
            seen.sort_unstable();
            seen.dedup();
            all += u64::from(!seen.is_empty());
            seen.into_iter().for_each(|e| per[e as usize] += 1);
        }
        (all, per)
    }
}

pub fn rri(n: u32) -> String {
    format!("RR{n:08}")
}
pub fn capital(s: &str) -> String {
    let mut up = true;
    s.chars()
        .map(|c| {
            let o = if up {
                c.to_string()
            } else {
                c.to_lowercase().to_string()
            };
            up = !c.is_alphabetic();
            o
        })
        .collect()
}
fn luhn(n: u64) -> u64 {
    let (mut sum, mut n, mut double) = (0, n, true);
    while n > 0 {
        let mut d = n % 10;
        if double {
            d *= 2;
            if d > 9 {
                d -= 9;
            }
        }
        sum += d;
        double = !double;
        n /= 10;
    }
    (10 - sum % 10) % 10
}

/// Address plan of the outside world: (network, prefix length, country, AS number, AS name).
pub const NETWORKS: &[([u8; 4], u8, &str, u32, &str)] = &[
    ([192, 0, 2, 0], 24, "FR", 64496, "Vendor Line"),
    ([198, 18, 0, 0], 18, "FR", 64500, "Box Residential"),
    ([198, 18, 64, 0], 18, "FR", 64501, "Mobile Operator"),
    ([198, 18, 128, 0], 17, "FR", 64502, "Fibre Residential"),
    ([198, 19, 0, 0], 18, "RO", 64510, "Cheap Hosting"),
    ([198, 19, 64, 0], 18, "NL", 64511, "Anonymous VPS"),
    ([198, 19, 128, 0], 18, "PT", 64512, "Hotel Network"),
    ([198, 19, 192, 0], 18, "FR", 64513, "Backup Provider"),
    ([198, 51, 100, 0], 24, "MD", 64520, "Bulletproof Hosting"),
    ([203, 0, 113, 0], 24, "FR", 64530, "Health Network"),
];

/// Writes `geo/city.mmdb` and `geo/asn.mmdb`.
pub fn write_geo(case: &Path, epoch: u64) -> io::Result<()> {
    use crate::mmdb::{Value, build};
    let dir = case.join("geo");
    std::fs::create_dir_all(&dir)?;
    let city: Vec<_> = NETWORKS
        .iter()
        .map(|(a, l, c, ..)| {
            let iso = Value::Map(vec![("iso_code", Value::text(c))]);
            (*a, *l, Value::Map(vec![("country", iso)]))
        })
        .collect();
    let asn: Vec<_> = NETWORKS
        .iter()
        .map(|(a, l, _, n, name)| {
            let m = vec![
                ("autonomous_system_number", Value::U32(*n)),
                ("autonomous_system_organization", Value::text(name)),
            ];
            (*a, *l, Value::Map(m))
        })
        .collect();
    std::fs::write(dir.join("city.mmdb"), build("GeoLite2-City", &city, epoch))?;
    std::fs::write(dir.join("asn.mmdb"), build("GeoLite2-ASN", &asn, epoch))
}

/// English country name as gateways print it.
pub fn country(address: &str) -> &'static str {
    let mut o = [0u8; 4];
    for (d, p) in o.iter_mut().zip(address.split('.')) {
        *d = p.parse().unwrap_or(0);
    }
    let n = u32::from_be_bytes(o);
    let hit = NETWORKS
        .iter()
        .find(|(a, l, ..)| (u32::from_be_bytes(*a) ^ n) >> (32 - l) == 0);
    match hit.map_or("", |h| h.2) {
        "FR" => "France",
        "RO" => "Romania",
        "NL" => "Netherlands",
        "PT" => "Portugal",
        "MD" => "Moldova",
        _ => "Reserved",
    }
}
