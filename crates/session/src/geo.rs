//! Country and autonomous system of an address, from the case's own MaxMind-format files.
use ampleur_sources::case::Case;
use std::net::IpAddr;

pub(crate) struct Geo {
    readers: Vec<maxminddb::Reader<Vec<u8>>>,
}

impl Geo {
    /// Opens what `geoip` lists, relative to the case. A file that cannot be read gives no answers; it never stops a run.
    pub(crate) fn open(case: &Case) -> Geo {
        let mut files = case.context.geoip.clone();
        files.sort();
        Geo {
            readers: files
                .iter()
                .filter_map(|f| std::fs::read(case.root.join(f)).ok())
                .filter_map(|b| maxminddb::Reader::from_source(b).ok())
                .collect(),
        }
    }
    /// Country code, autonomous system number and the name of its operator.
    pub(crate) fn find(&self, a: IpAddr) -> (Option<&str>, Option<u32>, Option<&str>) {
        use maxminddb::PathElement::Key;
        let (mut country, mut asn, mut org) = (None, None, None);
        for r in &self.readers {
            let Ok(found) = r.lookup(a) else { continue };
            let text = |path: &[maxminddb::PathElement<'_>]| {
                found.decode_path::<&str>(path).ok().flatten()
            };
            country = country
                .or_else(|| text(&[Key("country"), Key("iso_code")]))
                .or_else(|| text(&[Key("registered_country"), Key("iso_code")]));
            asn = asn.or_else(|| {
                found
                    .decode_path::<u32>(&[Key("autonomous_system_number")])
                    .ok()
                    .flatten()
            });
            org = org.or_else(|| text(&[Key("autonomous_system_organization")]));
        }
        (country, asn, org)
    }
}

/// ISO 3166-1 alpha-2 code of a country as a source writes it, code or English name; `None` for `Reserved` and unknown words.
pub(crate) fn country_code(word: &str) -> Option<String> {
    let w = word.trim();
    if w.len() == 2 && w.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Some(w.to_ascii_uppercase()).filter(|w| w != "ZZ");
    }
    COUNTRIES
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(w))
        .map(|(_, c)| (*c).to_string())
}

/// English short names of ISO 3166-1 as firewalls write them.
const COUNTRIES: &[(&str, &str)] = &[
    ("Afghanistan", "AF"),
    ("Albania", "AL"),
    ("Algeria", "DZ"),
    ("Andorra", "AD"),
    ("Argentina", "AR"),
    ("Armenia", "AM"),
    ("Australia", "AU"),
    ("Austria", "AT"),
    ("Azerbaijan", "AZ"),
    ("Bahrain", "BH"),
    ("Bangladesh", "BD"),
    ("Belarus", "BY"),
    ("Belgium", "BE"),
    ("Belize", "BZ"),
    ("Benin", "BJ"),
    ("Bolivia", "BO"),
    ("Bosnia and Herzegovina", "BA"),
    ("Brazil", "BR"),
    ("Bulgaria", "BG"),
    ("Burkina Faso", "BF"),
    ("Cambodia", "KH"),
    ("Cameroon", "CM"),
    ("Canada", "CA"),
    ("Chad", "TD"),
    ("Chile", "CL"),
    ("China", "CN"),
    ("Colombia", "CO"),
    ("Congo", "CG"),
    ("Costa Rica", "CR"),
    ("Croatia", "HR"),
    ("Cuba", "CU"),
    ("Cyprus", "CY"),
    ("Czech Republic", "CZ"),
    ("Czechia", "CZ"),
    ("Denmark", "DK"),
    ("Dominican Republic", "DO"),
    ("Ecuador", "EC"),
    ("Egypt", "EG"),
    ("Estonia", "EE"),
    ("Finland", "FI"),
    ("France", "FR"),
    ("French Guiana", "GF"),
    ("French Polynesia", "PF"),
    ("Gabon", "GA"),
    ("Georgia", "GE"),
    ("Germany", "DE"),
    ("Ghana", "GH"),
    ("Greece", "GR"),
    ("Guadeloupe", "GP"),
    ("Guinea", "GN"),
    ("Hong Kong", "HK"),
    ("Hungary", "HU"),
    ("Iceland", "IS"),
    ("India", "IN"),
    ("Indonesia", "ID"),
    ("Iran", "IR"),
    ("Iran, Islamic Republic of", "IR"),
    ("Iraq", "IQ"),
    ("Ireland", "IE"),
    ("Israel", "IL"),
    ("Italy", "IT"),
    ("Ivory Coast", "CI"),
    ("Japan", "JP"),
    ("Jordan", "JO"),
    ("Kazakhstan", "KZ"),
    ("Kenya", "KE"),
    ("Korea, Republic of", "KR"),
    ("South Korea", "KR"),
    ("Kosovo", "XK"),
    ("Kuwait", "KW"),
    ("Latvia", "LV"),
    ("Lebanon", "LB"),
    ("Libya", "LY"),
    ("Lithuania", "LT"),
    ("Luxembourg", "LU"),
    ("Madagascar", "MG"),
    ("Malaysia", "MY"),
    ("Mali", "ML"),
    ("Malta", "MT"),
    ("Martinique", "MQ"),
    ("Mauritius", "MU"),
    ("Mayotte", "YT"),
    ("Mexico", "MX"),
    ("Moldova", "MD"),
    ("Moldova, Republic of", "MD"),
    ("Monaco", "MC"),
    ("Mongolia", "MN"),
    ("Montenegro", "ME"),
    ("Morocco", "MA"),
    ("Netherlands", "NL"),
    ("New Caledonia", "NC"),
    ("New Zealand", "NZ"),
    ("Niger", "NE"),
    ("Nigeria", "NG"),
    ("North Macedonia", "MK"),
    ("Norway", "NO"),
    ("Pakistan", "PK"),
    ("Panama", "PA"),
    ("Peru", "PE"),
    ("Philippines", "PH"),
    ("Poland", "PL"),
    ("Portugal", "PT"),
    ("Qatar", "QA"),
    ("Reunion", "RE"),
    ("Romania", "RO"),
    ("Russia", "RU"),
    ("Russian Federation", "RU"),
    ("Saudi Arabia", "SA"),
    ("Senegal", "SN"),
    ("Serbia", "RS"),
    ("Seychelles", "SC"),
    ("Singapore", "SG"),
    ("Slovakia", "SK"),
    ("Slovenia", "SI"),
    ("South Africa", "ZA"),
    ("Spain", "ES"),
    ("Sweden", "SE"),
    ("Switzerland", "CH"),
    ("Syria", "SY"),
    ("Taiwan", "TW"),
    ("Thailand", "TH"),
    ("Togo", "TG"),
    ("Tunisia", "TN"),
    ("Turkey", "TR"),
    ("Turkiye", "TR"),
    ("Ukraine", "UA"),
    ("United Arab Emirates", "AE"),
    ("United Kingdom", "GB"),
    ("United States", "US"),
    ("Uruguay", "UY"),
    ("Uzbekistan", "UZ"),
    ("Venezuela", "VE"),
    ("Vietnam", "VN"),
    ("Viet Nam", "VN"),
];

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn names_and_codes_are_one() {
        assert_eq!(country_code("Netherlands").as_deref(), Some("NL"));
        assert_eq!(country_code("fr").as_deref(), Some("FR"));
        assert_eq!(country_code("Reserved"), None);
    }
}
