//! Words for people: numbers, dates, sizes, labels, in both languages.
use crate::Lang;
use ampleur_event::Interval;

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Both {
    pub fr: String,
    pub en: String,
}

impl Both {
    pub fn new(fr: impl Into<String>, en: impl Into<String>) -> Self {
        Both {
            fr: fr.into(),
            en: en.into(),
        }
    }
    /// The same text in both languages (names, addresses, codes).
    pub fn same(text: impl Into<String>) -> Self {
        let t = text.into();
        Both {
            en: t.clone(),
            fr: t,
        }
    }
    /// Each language made by one function.
    pub fn of(f: impl Fn(Lang) -> String) -> Self {
        Both {
            fr: f(Lang::Fr),
            en: f(Lang::En),
        }
    }
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::Fr => &self.fr,
            Lang::En => &self.en,
        }
    }
}

impl From<(&str, &str)> for Both {
    fn from((fr, en): (&str, &str)) -> Self {
        Both::new(fr, en)
    }
}

/// Groups of three digits: U+202F in French, a comma in English; `∞` for a bound nobody knows.
pub fn number(n: u64, lang: Lang) -> String {
    let between = match lang {
        Lang::Fr => "\u{202f}",
        Lang::En => ",",
    };
    ampleur_extent::statements::grouped(n, between)
}

/// `1 204`, or `1 204 – 1 390`.
pub fn interval(i: Interval, lang: Lang) -> String {
    if i.is_exact() {
        number(i.at_least, lang)
    } else {
        format!(
            "{}\u{a0}–\u{a0}{}",
            number(i.at_least, lang),
            number(i.at_most, lang)
        )
    }
}

/// `1 personne`, `2 personnes`: French counts 0 and 1 as singular, English only 1.
pub fn count(n: u64, lang: Lang, fr: (&str, &str), en: (&str, &str)) -> String {
    let word = match lang {
        Lang::Fr if n < 2 => fr.0,
        Lang::Fr => fr.1,
        Lang::En if n == 1 => en.0,
        Lang::En => en.1,
    };
    format!("{}\u{a0}{word}", number(n, lang))
}

/// Decimal sizes with one digit: `1,2 Go`, `1.2 GB`.
pub fn bytes(n: u64, lang: Lang) -> String {
    let units = match lang {
        Lang::Fr => ["o", "ko", "Mo", "Go", "To", "Po"],
        Lang::En => ["B", "kB", "MB", "GB", "TB", "PB"],
    };
    let tenths = |unit: u32| {
        let d = 1000u128.pow(unit);
        (u128::from(n) * 10 + d / 2) / d
    };
    let mut unit = 0;
    while tenths(unit as u32) >= 10_000 && unit + 1 < units.len() {
        unit += 1;
    }
    let scaled = tenths(unit as u32);
    let (whole, tenth) = (scaled / 10, scaled % 10);
    if unit > 0 && whole >= 100 {
        format!("{}\u{a0}{}", (scaled + 5) / 10, units[unit])
    } else if unit == 0 || tenth == 0 {
        format!("{whole}\u{a0}{}", units[unit])
    } else {
        let point = match lang {
            Lang::Fr => ',',
            Lang::En => '.',
        };
        format!("{whole}{point}{tenth}\u{a0}{}", units[unit])
    }
}

const MONTHS: [(&str, &str); 12] = [
    ("janv.", "Jan"),
    ("févr.", "Feb"),
    ("mars", "Mar"),
    ("avr.", "Apr"),
    ("mai", "May"),
    ("juin", "Jun"),
    ("juil.", "Jul"),
    ("août", "Aug"),
    ("sept.", "Sep"),
    ("oct.", "Oct"),
    ("nov.", "Nov"),
    ("déc.", "Dec"),
];

/// An RFC 3339 text as an instant; `None` when empty or unreadable.
pub fn instant(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok()
}

fn month(m: i8, lang: Lang) -> &'static str {
    let (fr, en) = MONTHS[(m.clamp(1, 12) - 1) as usize];
    match lang {
        Lang::Fr => fr,
        Lang::En => en,
    }
}

/// `14 sept. 2025, 03:51`.
pub fn moment(t: jiff::Timestamp, zone: &jiff::tz::TimeZone, lang: Lang) -> String {
    let z = t.to_zoned(zone.clone());
    format!(
        "{}\u{a0}{}\u{a0}{}, {:02}:{:02}",
        z.day(),
        month(z.month(), lang),
        z.year(),
        z.hour(),
        z.minute()
    )
}

/// `14 sept.`.
pub fn day(t: jiff::Timestamp, zone: &jiff::tz::TimeZone, lang: Lang) -> String {
    let z = t.to_zoned(zone.clone());
    format!("{}\u{a0}{}", z.day(), month(z.month(), lang))
}

/// `14 sept. 2025`.
pub fn date(t: jiff::Timestamp, zone: &jiff::tz::TimeZone, lang: Lang) -> String {
    let z = t.to_zoned(zone.clone());
    format!(
        "{}\u{a0}{}\u{a0}{}",
        z.day(),
        month(z.month(), lang),
        z.year()
    )
}

/// `03:51`.
pub fn clock(t: jiff::Timestamp, zone: &jiff::tz::TimeZone) -> String {
    let z = t.to_zoned(zone.clone());
    format!("{:02}:{:02}", z.hour(), z.minute())
}

/// An RFC 3339 text for people; a dash when unknown.
pub fn moment_text(text: &str, zone: &jiff::tz::TimeZone, lang: Lang) -> String {
    instant(text).map_or_else(|| "—".into(), |t| moment(t, zone, lang))
}

/// `3 j 4 h`, `2 h 05 min`, `40 s`: the two largest units.
pub fn duration(seconds: i64, lang: Lang) -> String {
    let s = seconds.max(0);
    let d = match lang {
        Lang::Fr => "j",
        Lang::En => "d",
    };
    let (days, hours, minutes) = (s / 86_400, s % 86_400 / 3600, s % 3600 / 60);
    if days > 0 && hours > 0 && days < 10 {
        format!("{days}\u{a0}{d} {hours}\u{a0}h")
    } else if days > 0 {
        format!("{days}\u{a0}{d}")
    } else if hours > 0 {
        format!("{hours}\u{a0}h\u{a0}{minutes:02}")
    } else if minutes > 0 {
        format!("{minutes}\u{a0}min")
    } else {
        format!("{s}\u{a0}s")
    }
}

/// One unit only: `5 j`, `7 h`.
pub fn duration_short(seconds: i64, lang: Lang) -> String {
    let s = seconds.max(0);
    let d = match lang {
        Lang::Fr => "j",
        Lang::En => "d",
    };
    if s >= 86_400 {
        format!("{}\u{a0}{d}", s / 86_400)
    } else if s >= 3600 {
        format!("{}\u{a0}h", s / 3600)
    } else {
        format!("{}\u{a0}min", s / 60)
    }
}

/// The neutral name of a data category. An unknown code (from a later version) is shown as it is.
pub fn category(code: &str) -> Both {
    let (fr, en) = match code {
        "ID.NAME" => ("nom et prénoms", "names"),
        "ID.SEX" => ("sexe", "sex"),
        "ID.DOB" => ("date de naissance", "date of birth"),
        "ID.BIRTHPLACE" => ("lieu de naissance", "place of birth"),
        "ID.DEATH" => ("décès", "death"),
        "ID.CIVIL" => ("situation familiale", "family status"),
        "ID.PHOTO" => ("photo", "photo"),
        "ID.NIR" => ("numéro de sécurité sociale", "social security number"),
        "ID.LOCAL" => ("numéro de dossier", "record number"),
        "ID.DOC" => ("papiers d’identité", "identity documents"),
        "CONTACT.PHONE" => ("téléphone", "phone number"),
        "CONTACT.EMAIL" => ("adresse e-mail", "e-mail address"),
        "CONTACT.POSTAL" => ("adresse postale", "postal address"),
        "CONTACT.MSSANTE" => ("messagerie Mon espace santé", "secure health mail"),
        "CRED.LOGIN" => ("identifiant de connexion", "user name"),
        "CRED.SECRET" => ("mot de passe", "password"),
        "COVER.RIGHTS" => ("droits à l’assurance maladie", "insurance rights"),
        "COVER.STATUS" => (
            "statut de prise en charge (ALD, C2S, AME…)",
            "cover status (long illness, state aid…)",
        ),
        "FIN.BANK" => ("coordonnées bancaires", "bank details"),
        "FIN.BILL" => ("factures", "bills"),
        "CARE.EXISTENCE" => ("fait d’avoir été soigné ici", "having been treated here"),
        "CARE.REASON" => ("motif de venue", "reason for the visit"),
        "CARE.PLACE" => ("lieu de prise en charge", "place of care"),
        "CARE.DATE" => ("dates de prise en charge", "dates of care"),
        "CARE.PRO" => ("professionnel consulté", "professional seen"),
        "CARE.UNIT" => ("service", "department"),
        "HEALTH.STATE" => ("état de santé", "state of health"),
        "HEALTH.RESULT" => ("résultats d’examens", "test results"),
        "HEALTH.IMAGE" => ("images médicales", "medical images"),
        "HEALTH.DRUG" => ("traitements", "medicines"),
        "HEALTH.ACT" => ("actes et vaccins", "procedures and vaccines"),
        "HEALTH.ALLERGY" => ("allergies", "allergies"),
        "HEALTH.DOC" => ("comptes rendus", "medical letters"),
        "HEALTH.GEN" => ("données génétiques", "genetic data"),
        "HEALTH.BIO" => ("données biométriques", "biometric data"),
        "HEALTH.VULN" => (
            "santé particulièrement sensible",
            "particularly sensitive health data",
        ),
        "SENS.SEX" => ("vie ou orientation sexuelle", "sex life or orientation"),
        "SENS.RELIGION" => ("convictions religieuses", "religious beliefs"),
        "SENS.ORIGIN" => ("origine", "origin"),
        "SENS.OPINION" => ("opinions", "opinions"),
        "SENS.UNION" => ("appartenance syndicale", "trade-union membership"),
        "SENS.JUSTICE" => ("infractions, condamnations", "offences, convictions"),
        "SOC.LIFE" => ("situation sociale", "social situation"),
        "KIN.NAME" => ("identité des proches", "relatives’ names"),
        "KIN.CONTACT" => ("coordonnées des proches", "relatives’ contact details"),
        "LOC" => ("localisation", "location"),
        "FREE.TEXT" => ("notes libres, non relues", "free notes, unread"),
        "FREE.FILE" => ("documents, non relus", "documents, unread"),
        "META.TRACE" => ("traces d’accès", "access logs"),
        "STAFF.ID" => ("personnel : identité", "staff: identity"),
        "STAFF.CONTACT" => ("personnel : coordonnées", "staff: contact details"),
        "STAFF.NIR" => (
            "personnel : numéro de sécurité sociale",
            "staff: social security number",
        ),
        "STAFF.BANK" => ("personnel : coordonnées bancaires", "staff: bank details"),
        "STAFF.PAY" => ("personnel : bulletins de paie", "staff: payslips"),
        "STAFF.CAREER" => ("personnel : carrière", "staff: career"),
        "STAFF.SICK" => ("personnel : arrêts maladie", "staff: sick leave"),
        "STAFF.UNION" => ("personnel : syndicat", "staff: union membership"),
        "STAFF.CRED" => ("personnel : identifiants", "staff: credentials"),
        "STAFF.FAMILY" => ("personnel : famille", "staff: family"),
        "PRO.ID" => (
            "professionnel de santé : identité",
            "health professional: identity",
        ),
        "PRO.CONTACT" => (
            "professionnel de santé : coordonnées",
            "health professional: contact details",
        ),
        other => return Both::same(other),
    };
    Both::new(fr, en)
}

/// A verdict on data, for a table head.
pub fn verdict(word: &str) -> Both {
    match word {
        "leaked" => ("publiées", "leaked").into(),
        "exfiltrated" => ("copiées hors de l’hôpital", "exfiltrated").into(),
        "consulted" => ("consultées", "consulted").into(),
        "exposed" => ("exposées, sans trace", "exposed, no trace").into(),
        "ruled_out" => ("exclues", "ruled out").into(),
        other => Both::same(other),
    }
}

pub fn session_verdict(word: &str) -> Both {
    match word {
        "intruder" => ("intrus", "intruder").into(),
        "doubtful" => ("douteuse", "doubtful").into(),
        "legitimate" => ("légitime", "legitimate").into(),
        other => Both::same(other),
    }
}

pub fn account_verdict(word: &str) -> Both {
    match word {
        "usurped" => ("usurpé", "usurped").into(),
        "doubtful" => ("douteux", "doubtful").into(),
        "clean" => ("sain", "clean").into(),
        other => Both::same(other),
    }
}

pub fn claim_verdict(word: &str) -> Both {
    match word {
        "refuted" => ("réfutée", "refuted").into(),
        "supported" => ("confirmée", "supported").into(),
        "undecidable" => ("indécidable", "undecidable").into(),
        other => Both::same(other),
    }
}

/// Why a source fell short, for people.
pub fn gap_kind(word: &str) -> Both {
    match word {
        "silence" => ("silence anormal", "unusual silence").into(),
        "sequence" => ("numéros manquants", "missing numbers").into(),
        "rotation" => (
            "avant le premier enregistrement conservé",
            "before the first record kept",
        )
            .into(),
        "tamper" => ("lignes supprimées ou modifiées", "lines removed or edited").into(),
        "clock" => ("horloge décalée", "clock offset").into(),
        "audit_off" => ("audit coupé", "auditing switched off").into(),
        "seal" => ("preuve illisible", "unreadable evidence").into(),
        "" => ("couverture inconnue", "coverage unknown").into(),
        other => Both::same(other),
    }
}

pub fn state(word: &str) -> Both {
    match word {
        "complete" => ("complet", "complete").into(),
        "gap" => ("trou", "gap").into(),
        "unknown" => ("inconnu", "unknown").into(),
        other => Both::same(other),
    }
}

/// What is added to the kind of a gap; nothing where it says the same again.
pub fn gap_because(gap: &ampleur_extent::model::CoverageRow) -> Option<Both> {
    let said = gap_kind(&gap.kind);
    let b = gap.because.as_ref()?;
    (b.en != said.en && b.fr != said.fr).then(|| Both::new(b.fr.as_str(), b.en.as_str()))
}

/// What stands before a colon in this language: a blank that does not break in French, nothing in English.
pub fn colon(lang: Lang) -> &'static str {
    match lang {
        Lang::Fr => "\u{a0}:",
        Lang::En => ":",
    }
}

/// French as it is set: no line ends before a sign that belongs to the word it follows, or behind an opening quotation mark.
pub fn french(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        out.push(match (c, next) {
            (' ', Some(':' | '»' | '%')) => '\u{a0}',
            (' ', Some(';' | '!' | '?')) => '\u{202f}',
            (' ', _) if out.ends_with('«') => '\u{a0}',
            _ => c,
        });
    }
    out
}

/// What an employee's access looks like.
pub fn internal(code: &str) -> Both {
    match code {
        "shared_curiosity" => (
            "dossier ouvert par de nombreux agents, sans acte de celui-ci sur ce dossier",
            "record opened by many employees, with no act of this one on it",
        )
            .into(),
        other => Both::same(other),
    }
}

/// Reasons of statements and claims as `extent.json` writes them, `{}` for what differs, and how they are read in French.
const REASONS: &[(&str, &str)] = &[
    ("{} sessions of an intruder", "{} sessions d’un intrus"),
    (
        "{} writes in doubtful sessions",
        "{} modifications dans des sessions douteuses",
    ),
    ("{} doubtful sessions", "{} sessions douteuses"),
    ("{} writes by the intruder", "{} modifications par l’intrus"),
    (
        "{} unreadable records may be accesses",
        "{} enregistrements illisibles peuvent être des accès",
    ),
    (
        "{} accesses name nobody known",
        "{} accès ne nomment personne de connu",
    ),
    (
        "{} files could not be read",
        "{} fichiers n’ont pas pu être lus",
    ),
    ("{} was never handed over", "{} n’a jamais été remis"),
    (
        "{} was entered and does not tell",
        "{} a été atteint et ne dit pas ce qui y est vu",
    ),
    (
        "{} has no running numbers and no second log repeats it",
        "{} n’est pas numéroté et aucun autre journal ne le répète",
    ),
    (
        "{} has no running numbers, and records are missing at {}",
        "{} n’est pas numéroté, et il manque des enregistrements à {}",
    ),
    (
        "{}, closed only by a log without running numbers",
        "{}, comblé seulement par un journal sans numéros",
    ),
    (
        "first sign {}, doors complete before",
        "premier signe {}, entrées complètes avant",
    ),
    (
        "only {} days of logs before the first sign {}",
        "{} jours de journaux seulement avant le premier signe {}",
    ),
    (
        "published lists examined, no match",
        "listes publiées examinées, rien de commun",
    ),
    (
        "published lists examined without an inventory of every share",
        "listes publiées examinées sans inventaire de tous les partages",
    ),
    (
        "no published list was examined",
        "aucune liste publiée n’a été examinée",
    ),
    (
        "no source tells these categories",
        "aucune source ne dit ces catégories",
    ),
    (
        "no source entered would show a write",
        "aucune source atteinte ne montrerait une modification",
    ),
    ("no source tells {}", "aucune source ne dit {}"),
    ("no source tells", "aucune source ne dit ce qui est vu"),
    ("no source", "aucune source"),
    ("no identity base", "pas de base d’identités"),
    ("no activity known", "aucune activité connue"),
    ("no door was logged", "aucune entrée n’est journalisée"),
    (
        "no door and no telling source is complete",
        "aucune entrée et aucune source qui dise ce qui est vu n’est complète",
    ),
    (
        "every door complete, no session of an outsider",
        "toutes les entrées complètes, aucune session d’un tiers",
    ),
    (
        "every door complete, no doubtful session",
        "toutes les entrées complètes, aucune session douteuse",
    ),
    (
        "every telling source complete, no access",
        "toutes les sources complètes, aucun accès",
    ),
    (
        "every log is numbered or repeated by another, and nothing is missing",
        "chaque journal est numéroté ou répété par un autre, et rien ne manque",
    ),
    (
        "only what was named was looked at",
        "seul ce qui a été nommé a été examiné",
    ),
    ("CARE.DATE with CARE.UNIT", "CARE.DATE avec CARE.UNIT"),
    ("complete {}", "complet : {}"),
    ("subjects at most {}", "{} personnes au plus"),
    ("subjects {}..{}", "personnes : {} à {}"),
    ("subjects {}", "{} personnes"),
    ("unaffected {}..{}", "non concernés : {} à {}"),
    ("unaffected {}", "{} non concernés"),
    ("claimed {}, at most {}", "affirmé : {}, au plus {}"),
    ("at least {}", "au moins {}"),
    ("between {} and {}", "entre {} et {}"),
    ("{} is not possible", "{} n’est pas possible"),
    ("{} is not established", "{} n’est pas établi"),
    ("gap {} silence {}", "trou {} silence {}"),
    ("gap {} sequence {}", "trou {} numéros manquants {}"),
    (
        "gap {} rotation {}",
        "trou {} avant le premier enregistrement conservé {}",
    ),
    (
        "gap {} behind {} tamper {}",
        "trou {} derrière {}, lignes peut-être supprimées {}",
    ),
    (
        "gap {} tamper {}",
        "trou {} lignes supprimées ou modifiées {}",
    ),
    ("gap {} audit_off {}", "trou {} audit coupé {}"),
    ("gap {} seal {}", "trou {} preuve illisible {}"),
    (
        "unknown {} rotation {}",
        "inconnu {} avant le premier enregistrement conservé {}",
    ),
    ("unknown {} silence {}", "inconnu {} silence {}"),
    ("unknown {} {}", "inconnu {} {}"),
    ("{} leaked {}..{}", "{} publiées {} à {}"),
    ("{} exfiltrated {}..{}", "{} copiées {} à {}"),
    ("{} consulted {}..{}", "{} consultées {} à {}"),
    ("{} exposed {}..{}", "{} exposées {} à {}"),
];

/// What stands behind a sentence, without the word that says how it was refused.
pub fn reason(text: &str) -> Both {
    let bare = ["untrue: ", "unsupported: "]
        .iter()
        .find_map(|p| text.strip_prefix(p))
        .unwrap_or(text);
    REASONS
        .iter()
        .find_map(|(en, fr)| {
            let held = held(en, bare)?;
            let filled = |pattern: &str, lang| {
                let mut parts = pattern.split("{}");
                let mut out = parts.next().unwrap_or_default().to_string();
                for (h, rest) in held.iter().zip(parts) {
                    // A count is written as everywhere else; what is no bare number stays as it is.
                    match h.parse::<u64>() {
                        Ok(n) => out.push_str(&number(n, lang)),
                        Err(_) => out.push_str(h),
                    }
                    out.push_str(rest);
                }
                out
            };
            Some(Both::new(
                filled(fr, Lang::Fr).replace(" missing ", ", manquants : "),
                filled(en, Lang::En),
            ))
        })
        .unwrap_or_else(|| Both::same(bare))
}

/// What stands in the holes of a pattern; `None` when the text is another one.
pub fn held<'t>(pattern: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut parts = pattern.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut out = vec![];
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let at = if parts.peek().is_none() {
            rest.len()
                .checked_sub(part.len())
                .filter(|_| rest.ends_with(part))?
        } else {
            rest.find(part)?
        };
        out.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    (rest.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn signs_stay_with_their_words() {
        assert_eq!(
            french("dit : « non » ; 9 % ? 12:30 a:b"),
            "dit\u{a0}: «\u{a0}non\u{a0}»\u{202f}; 9\u{a0}%\u{202f}? 12:30 a:b"
        );
    }
    #[test]
    fn reasons_are_read_in_french() {
        for (text, fr) in [
            (
                "untrue: 54 sessions of an intruder",
                "54 sessions d’un intrus",
            ),
            (
                "unsupported: no source tells these categories",
                "aucune source ne dit ces catégories",
            ),
            ("no source tells FIN.BANK", "aucune source ne dit FIN.BANK"),
            (
                "claimed 8220, at most 219",
                "affirmé : 8\u{202f}220, au plus 219",
            ),
            (
                "finess:1 ID.NAME consulted 3..9",
                "finess:1 ID.NAME consultées 3 à 9",
            ),
            (
                "gap logs/a/* silence 2025-01-01T00:00:00Z/2025-01-02T00:00:00Z missing 4",
                "trou logs/a/* silence 2025-01-01T00:00:00Z/2025-01-02T00:00:00Z, manquants : 4",
            ),
            ("+3", "+3"),
        ] {
            assert_eq!(reason(text).get(Lang::Fr), fr);
        }
        assert_eq!(
            reason("untrue: 2 doubtful sessions").get(Lang::En),
            "2 doubtful sessions"
        );
        // Each pattern is met by itself and by none before it.
        for (k, (en, fr)) in REASONS.iter().enumerate() {
            let text = en.replace("{}", "7");
            let first = REASONS.iter().position(|r| held(r.0, &text).is_some());
            assert_eq!(first, Some(k), "{en}");
            assert_eq!(en.matches("{}").count(), fr.matches("{}").count(), "{fr}");
        }
    }
    #[test]
    fn numbers_are_grouped_by_language() {
        assert_eq!(number(1_234_567, Lang::Fr), "1\u{202f}234\u{202f}567");
        assert_eq!(number(1_234_567, Lang::En), "1,234,567");
        assert_eq!(number(999, Lang::En), "999");
        assert_eq!(number(Interval::UNBOUNDED, Lang::Fr), "∞");
        assert_eq!(
            interval(Interval::new(1, 1200), Lang::En),
            "1\u{a0}–\u{a0}1,200"
        );
    }
    #[test]
    fn sizes_are_decimal() {
        assert_eq!(bytes(999, Lang::Fr), "999\u{a0}o");
        assert_eq!(bytes(1_250_000_000, Lang::Fr), "1,3\u{a0}Go");
        assert_eq!(bytes(320_000_000_000, Lang::En), "320\u{a0}GB");
        assert_eq!(bytes(999_999, Lang::En), "1\u{a0}MB");
        assert_eq!(bytes(u64::MAX, Lang::En), "18447\u{a0}PB");
    }
    #[test]
    fn every_category_has_words() {
        for c in ampleur_event::Category::ALL {
            assert_ne!(category(c.code()).fr, c.code(), "{c}");
        }
    }
    #[test]
    fn durations_keep_two_units() {
        assert_eq!(
            duration(3 * 86_400 + 4 * 3600, Lang::Fr),
            "3\u{a0}j 4\u{a0}h"
        );
        assert_eq!(duration(59, Lang::En), "59\u{a0}s");
        assert_eq!(duration(7500, Lang::En), "2\u{a0}h\u{a0}05");
    }
}
