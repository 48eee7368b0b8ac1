//! The signs of an outsider in a few words each, without a name, address or number: for alarms, which hold none.

/// What speaks for an outsider, in words without names: (code, French, English).
pub const SIGNS: &[(&str, &str, &str)] = &[
    (
        "always_beside",
        "toujours pendant les sessions d'un suspect",
        "always during a suspect's sessions",
    ),
    (
        "again_and_again",
        "plusieurs fois depuis des serveurs loués",
        "several times from rented servers",
    ),
    (
        "alike_by_night",
        "de nuit, comme un autre compte sans rapport",
        "by night, as another account is used",
    ),
    (
        "all_new",
        "appareil, lieu et volume nouveaux",
        "new device, place and volume",
    ),
    (
        "another_account",
        "ouvre un autre compte",
        "opens another account",
    ),
    ("automated_client", "client automatique", "automated client"),
    (
        "behind_bastion",
        "pendant que l'intrus est dans le bastion",
        "while the intruder is in the bastion",
    ),
    (
        "beside_intruder",
        "depuis une machine que l'intrus tient",
        "from a machine the intruder has",
    ),
    (
        "beyond_reach",
        "hors de ce que le compte doit atteindre",
        "beyond what the account may reach",
    ),
    (
        "campaign",
        "même parcours sous plusieurs comptes",
        "the same walk under several accounts",
    ),
    (
        "device_of_several",
        "machine inconnue sous plusieurs comptes",
        "unknown machine under several accounts",
    ),
    (
        "dormant",
        "compte technique inemployé",
        "idle technical account",
    ),
    ("enumeration", "parcourt l'index", "walks the index"),
    ("export", "fonction d'export", "export function"),
    (
        "first_use",
        "compte technique jamais employé",
        "technical account never used before",
    ),
    (
        "guessing",
        "échecs répétés avant d'entrer",
        "repeated failures before getting in",
    ),
    ("hosting", "loueur de serveurs", "rented servers"),
    ("hours", "heures inhabituelles", "unusual hours"),
    (
        "hurried_walks",
        "parcours hâtifs sous plusieurs comptes",
        "hurried walks under several accounts",
    ),
    (
        "walks_by_program",
        "un programme parcourt l'index",
        "a program walks the index",
    ),
    (
        "walks_elsewhere",
        "parcours d'un lieu inconnu",
        "walks from an unknown place",
    ),
    (
        "by_hand",
        "outil à main sous un compte technique",
        "tool for hands under a technical account",
    ),
    (
        "roaming",
        "change d'adresse à chaque question",
        "another address with every question",
    ),
    ("id_walk", "parcourt les identifiants", "walks identifiers"),
    (
        "in_campaign",
        "pendant une série d'usurpations",
        "during a series of usurpations",
    ),
    ("left", "personne partie", "person who has left"),
    ("mass_writing", "écritures en masse", "mass writing"),
    ("new_country", "depuis l'étranger", "from abroad"),
    ("new_device", "appareil jamais vu", "device never seen"),
    ("new_machine", "machine inhabituelle", "unusual machine"),
    ("new_network", "réseau inhabituel", "unusual network"),
    ("new_program", "programme inhabituel", "unusual program"),
    ("new_servers", "serveurs inhabituels", "unusual servers"),
    (
        "not_the_job",
        "hors du traitement prévu",
        "not the scheduled batch",
    ),
    (
        "one_address",
        "une adresse pour plusieurs comptes",
        "one address for several accounts",
    ),
    (
        "one_tool",
        "un programme sous plusieurs comptes techniques",
        "one program under several technical accounts",
    ),
    (
        "only_beside",
        "toujours pendant que l'intrus est à l'œuvre",
        "always while the intruder is at work",
    ),
    ("outflow", "envoi vers l'extérieur", "data sent outside"),
    (
        "beside_tunnel",
        "pendant un tunnel suspect du même nom",
        "during an odd tunnel of the same name",
    ),
    ("nameless", "nul ne sait qui", "nobody knows who"),
    (
        "night_after_night",
        "programme étranger au compte, plusieurs nuits",
        "a program the account never uses, several nights",
    ),
    (
        "no_tunnel",
        "adresse de tunnel, sans tunnel",
        "a tunnel's address without a tunnel",
    ),
    (
        "odd_place",
        "lieu inconnu de plusieurs comptes",
        "unknown place under several accounts",
    ),
    ("pace", "rythme d'automate", "a machine's pace"),
    (
        "reached_through",
        "ouverte depuis une session jugée de même",
        "opened from a session judged alike",
    ),
    (
        "same_manner",
        "parcourt comme l'intrus",
        "walks as the intruder does",
    ),
    (
        "same_stranger",
        "même lieu inconnu qu'une session douteuse",
        "same unknown place as a session in doubt",
    ),
    (
        "same_way",
        "même machine que l'intrus",
        "same machine as the intruder",
    ),
    (
        "service_by_hand",
        "compte technique employé à la main",
        "technical account used by hand",
    ),
    (
        "service_elsewhere",
        "compte technique hors de sa place",
        "technical account out of place",
    ),
    (
        "service_logon",
        "ouverture interactive d'un compte technique",
        "interactive logon of a technical account",
    ),
    ("several_countries", "plusieurs pays", "several countries"),
    (
        "shared_device",
        "même appareil que l'intrus",
        "same device as the intruder",
    ),
    (
        "shared_origin",
        "même origine que l'intrus",
        "same origin as the intruder",
    ),
    (
        "shared_token",
        "même jeton que l'intrus",
        "same token as the intruder",
    ),
    (
        "spread",
        "bien plus d'objets que d'ordinaire",
        "many more objects than usual",
    ),
    (
        "strange_questions",
        "questions que ce compte ne pose jamais",
        "questions this account never asks",
    ),
    (
        "tampering",
        "journal effacé ou audit coupé",
        "log cleared or auditing off",
    ),
    (
        "two_desks",
        "le titulaire consulte ailleurs",
        "the owner is reading elsewhere",
    ),
    (
        "two_places",
        "le titulaire travaille ailleurs",
        "the owner works elsewhere",
    ),
    (
        "undeclared_network",
        "réseau non déclaré",
        "undeclared network",
    ),
    (
        "unlike_owner",
        "bien plus ou bien plus vite que le titulaire",
        "far more or far faster than the owner",
    ),
    (
        "usurped_account",
        "compte employé par l'intrus",
        "account used by the intruder",
    ),
    (
        "volume",
        "bien plus d'octets que d'ordinaire",
        "many more bytes than usual",
    ),
    ("absent", "titulaire absent", "owner absent"),
    ("analyst", "dit par l'analyste", "said by the analyst"),
];

#[cfg(test)]
mod tests {
    use super::SIGNS;
    /// Every sign that can speak for an outsider has its words, and no words are left over.
    #[test]
    fn every_sign_has_words() {
        let code = [
            include_str!("score.rs"),
            include_str!("pivot.rs"),
            include_str!("places.rs"),
            include_str!("lib.rs"),
        ];
        let given = |sign: &str| code.iter().any(|c| c.contains(&format!("\"{sign}\"")));
        for s in SIGNS {
            assert!(given(s.0), "{} is no sign", s.0);
        }
        // `add(` and the code on the next line, as the formatter writes it; a weight that may be above zero.
        for part in code.iter().flat_map(|c| c.split("sum.add(").skip(1)) {
            let mut lines = part.trim_start().splitn(3, ',');
            let (name, weight) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
            let name = name.trim().trim_matches('"');
            if weight.trim().starts_with('-') {
                continue;
            }
            assert!(SIGNS.iter().any(|s| s.0 == name), "no words for {name}");
        }
    }
}
