//! Tables and columns as the operator declared them, and what a column shows of a record.
use super::super::{AddressPart, ColumnPath};
use crate::{
    fold,
    identity::{IdKind, IdentityBase, NIR_SYSTEM, TelecomKind, Use, VersionId},
};
use ampleur_event::context::{Column, Table};

/// The declared table of a name: equal, or equal in its last part when only one of both has a schema.
pub fn find_table<'a>(tables: &'a [Table], name: &str) -> Option<&'a Table> {
    let name = name.to_lowercase();
    let last = |s: &str| s.rsplit('.').next().unwrap_or(s).to_string();
    tables
        .iter()
        .find(|t| t.name.to_lowercase() == name)
        .or_else(|| {
            tables.iter().find(|t| {
                let n = t.name.to_lowercase();
                let (a, b) = (n.matches('.').count(), name.matches('.').count());
                if a == b {
                    false
                } else if a > b {
                    n.ends_with(&format!(".{name}"))
                } else {
                    name.ends_with(&format!(".{n}")) || (a > 0 && last(&n) == name)
                }
            })
        })
}

pub(super) fn maps_identity(t: &Table) -> bool {
    t.columns.values().any(|c| matches!(c, Column::Path(_)))
}

/// The place of a column in a record: as declared, else by its name.
pub fn table_column(table: Option<&Table>, column: &str) -> Option<ColumnPath> {
    if let Some(t) = table {
        let hit = t
            .columns
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(column));
        match hit {
            Some((_, Column::Path(p))) => return parse_path(p),
            Some((_, Column::Category { .. })) => return None,
            None if !t.columns.is_empty() => return None,
            None => {}
        }
    }
    guess_path(column)
}

/// `identifier:<authority>`, `name.family:official`, `telecom:phone`, `birthDate` … (contract §D).
pub fn parse_path(path: &str) -> Option<ColumnPath> {
    let (head, tail) = path.split_once(':').unwrap_or((path, ""));
    let usage = match tail {
        "official" => Some(Use::Official),
        "usual" => Some(Use::Usual),
        "maiden" => Some(Use::Maiden),
        "nickname" => Some(Use::Nickname),
        _ => None,
    };
    Some(match head {
        "identifier" => ColumnPath::Identifier(match tail {
            "" | "*" => None,
            a => Some(crate::identity::oid(a)),
        }),
        "name.family" => ColumnPath::Family(usage),
        "name.given" => ColumnPath::Given(usage),
        "name" => ColumnPath::Family(usage),
        "birthDate" => ColumnPath::Birth,
        "gender" => ColumnPath::Gender,
        "telecom" => ColumnPath::Telecom(match tail {
            "phone" | "mobile" => Some(TelecomKind::Phone),
            "email" => Some(TelecomKind::Email),
            "mssante" => Some(TelecomKind::Mssante),
            _ => None,
        }),
        "address.city" => ColumnPath::Address(AddressPart::City),
        "address.postalCode" => ColumnPath::Address(AddressPart::Postal),
        "address.line" => ColumnPath::Address(AddressPart::Line),
        "address.state" => ColumnPath::Address(AddressPart::State),
        "address.country" => ColumnPath::Address(AddressPart::Country),
        h if h.starts_with("address") => ColumnPath::Address(AddressPart::Any),
        h if h.starts_with("deceased") => ColumnPath::Death,
        "id" => ColumnPath::LogicalId,
        "active" => ColumnPath::Active,
        h if h.starts_with("managingOrganization") => ColumnPath::Organization,
        "birthPlace" => ColumnPath::BirthPlace,
        _ => return None,
    })
}

pub(super) fn guess_path(column: &str) -> Option<ColumnPath> {
    let c = fold::name(column);
    Some(match c.as_str() {
        "nom" | "nom_naissance" | "nom_usuel" | "lastname" | "last_name" | "family" => {
            ColumnPath::Family(None)
        }
        "prenom" | "firstname" | "first_name" | "given" => ColumnPath::Given(None),
        "ddn" | "date_naissance" | "date_naiss" | "birthdate" | "birth_date" | "dob" => {
            ColumnPath::Birth
        }
        "ipp" => ColumnPath::Identifier(None),
        "nir" | "ins" | "numss" => ColumnPath::Identifier(Some(NIR_SYSTEM.to_string())),
        "sexe" | "sex" | "gender" => ColumnPath::Gender,
        "tel" | "telephone" | "mobile" | "portable" => {
            ColumnPath::Telecom(Some(TelecomKind::Phone))
        }
        "mail" | "email" | "courriel" => ColumnPath::Telecom(Some(TelecomKind::Email)),
        "ville" => ColumnPath::Address(AddressPart::City),
        "cp" | "code_postal" => ColumnPath::Address(AddressPart::Postal),
        _ => return None,
    })
}

/// Values a column shows for a version.
pub fn column_values(b: &IdentityBase, v: VersionId, path: &ColumnPath) -> Vec<String> {
    let row = b.version(v);
    let some = |s: &str| {
        if s.is_empty() {
            vec![]
        } else {
            vec![s.to_string()]
        }
    };
    match path {
        ColumnPath::Identifier(authority) => b
            .id_rows(v)
            .iter()
            .filter(|i| match authority {
                Some(a) => b.text(i.system) == a,
                None => matches!(i.kind, IdKind::Pi | IdKind::Rri | IdKind::Other),
            })
            .map(|i| b.text(i.value).to_string())
            .collect(),
        ColumnPath::Family(u) => {
            let rows = b.name_rows(v);
            let official = rows.iter().any(|n| n.usage == Use::Official);
            rows.iter()
                .filter(|n| match u {
                    Some(u) => n.usage == *u,
                    None => !official || n.usage == Use::Official,
                })
                .map(|n| b.names.text(n.family).to_string())
                .filter(|s| !s.is_empty())
                .collect()
        }
        ColumnPath::Given(u) => {
            let official = b.name_rows(v).iter().any(|n| n.usage == Use::Official);
            b.given_rows(v)
                .filter(|(n, g)| {
                    !g.birth_list
                        && match u {
                            Some(u) => n == u,
                            None => !official || *n == Use::Official,
                        }
                })
                .map(|(_, g)| b.names.text(g.given).to_string())
                .filter(|s| !s.is_empty())
                .collect()
        }
        ColumnPath::Birth => some(&row.birth.text()),
        ColumnPath::Gender => some(row.gender.word()),
        ColumnPath::Telecom(kind) => b
            .telecom_rows(v)
            .iter()
            .filter(|t| kind.is_none_or(|k| k == t.kind))
            .map(|t| b.text(t.value).to_string())
            .collect(),
        ColumnPath::Address(part) => b
            .address_rows(v)
            .iter()
            .flat_map(|a| match part {
                AddressPart::City => vec![a.city],
                AddressPart::Postal => vec![a.postal],
                AddressPart::State => vec![a.state],
                AddressPart::Country => vec![a.country],
                AddressPart::Line => vec![a.line],
                AddressPart::Any => vec![a.line, a.postal, a.city],
            })
            .map(|s| b.text(s).to_string())
            .filter(|s| !s.is_empty())
            .collect(),
        ColumnPath::Death => some(b.text(row.death)),
        ColumnPath::LogicalId => some(b.logical_id(row.record)),
        ColumnPath::Active => some(if row.active { "true" } else { "false" }),
        ColumnPath::Organization => some(b.text(row.organization).trim_start_matches("finess:")),
        ColumnPath::BirthPlace => some(b.text(row.birthplace)),
    }
}
