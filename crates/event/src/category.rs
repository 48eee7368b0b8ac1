//! The closed list of data categories, and the patterns that select some of them (`HEALTH.*`).

macro_rules! categories {
    ($($variant:ident = $code:literal, $class:literal, $special:literal, $fr:literal, $en:literal;)+) => {
        /// A category of personal data. Order is the order of the published list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Category { $($variant,)+ }
        impl Category {
            pub const ALL: &'static [Category] = &[$(Category::$variant,)+];
            /// The code used in every file: `ID.NAME`.
            pub const fn code(self) -> &'static str { match self { $(Category::$variant => $code,)+ } }
            /// ENISA base class 1 (simple) to 4 (sensitive).
            pub const fn class(self) -> u8 { match self { $(Category::$variant => $class,)+ } }
            /// Special category of GDPR art. 9, or art. 10.
            pub const fn special(self) -> bool { match self { $(Category::$variant => $special,)+ } }
            /// Words for a person, French.
            pub const fn fr(self) -> &'static str { match self { $(Category::$variant => $fr,)+ } }
            /// Words for a person, English.
            pub const fn en(self) -> &'static str { match self { $(Category::$variant => $en,)+ } }
        }
    };
}

categories! {
    IdName = "ID.NAME", 1, false, "vos nom et prénoms", "your names";
    IdSex = "ID.SEX", 1, false, "votre sexe", "your sex";
    IdDob = "ID.DOB", 1, false, "votre date de naissance", "your date of birth";
    IdBirthplace = "ID.BIRTHPLACE", 1, false, "votre lieu de naissance", "your place of birth";
    IdDeath = "ID.DEATH", 1, false, "la date de décès", "the date of death";
    IdCivil = "ID.CIVIL", 1, false, "votre situation familiale", "your family status";
    IdPhoto = "ID.PHOTO", 1, false, "votre photo", "your photo";
    IdNir = "ID.NIR", 1, false, "votre numéro de sécurité sociale", "your social security number";
    IdLocal = "ID.LOCAL", 1, false, "votre numéro de dossier", "your record number";
    IdDoc = "ID.DOC", 2, false, "copie de vos papiers", "copies of your documents";
    ContactPhone = "CONTACT.PHONE", 1, false, "votre téléphone", "your phone number";
    ContactEmail = "CONTACT.EMAIL", 1, false, "votre adresse e-mail", "your e-mail address";
    ContactPostal = "CONTACT.POSTAL", 1, false, "votre adresse", "your address";
    ContactMssante = "CONTACT.MSSANTE", 1, false, "votre messagerie Mon espace santé", "your secure health mail address";
    CredLogin = "CRED.LOGIN", 2, false, "votre identifiant", "your user name";
    CredSecret = "CRED.SECRET", 3, false, "votre mot de passe", "your password";
    CoverRights = "COVER.RIGHTS", 2, false, "vos droits à l’assurance maladie", "your insurance rights";
    CoverStatus = "COVER.STATUS", 4, true, "votre statut de prise en charge (ALD, C2S, AME…)", "your cover status (long-term illness, state aid…)";
    FinBank = "FIN.BANK", 3, false, "vos coordonnées bancaires", "your bank details";
    FinBill = "FIN.BILL", 3, false, "vos factures", "your bills";
    CareExistence = "CARE.EXISTENCE", 4, true, "le fait d’avoir été pris en charge", "the fact that you were treated here";
    CareReason = "CARE.REASON", 4, true, "l’objet de votre consultation", "the reason for your visit";
    CarePlace = "CARE.PLACE", 4, true, "le lieu de votre prise en charge", "the place of your care";
    CareDate = "CARE.DATE", 4, true, "les dates de votre prise en charge", "the dates of your care";
    CarePro = "CARE.PRO", 4, true, "le professionnel consulté", "the professional you saw";
    CareUnit = "CARE.UNIT", 4, true, "le service", "the department";
    HealthState = "HEALTH.STATE", 4, true, "votre état de santé", "your state of health";
    HealthResult = "HEALTH.RESULT", 4, true, "vos résultats", "your results";
    HealthImage = "HEALTH.IMAGE", 4, true, "vos images médicales", "your medical images";
    HealthDrug = "HEALTH.DRUG", 4, true, "vos traitements", "your medicines";
    HealthAct = "HEALTH.ACT", 4, true, "vos actes et vaccins", "your procedures";
    HealthAllergy = "HEALTH.ALLERGY", 4, true, "vos allergies", "your allergies";
    HealthDoc = "HEALTH.DOC", 4, true, "vos comptes rendus", "your medical letters";
    HealthGen = "HEALTH.GEN", 4, true, "vos données génétiques", "your genetic data";
    HealthBio = "HEALTH.BIO", 4, true, "vos données biométriques", "your biometric data";
    HealthVuln = "HEALTH.VULN", 4, true, "des informations de santé particulièrement sensibles", "particularly sensitive health information";
    SensSex = "SENS.SEX", 4, true, "vie ou orientation sexuelle", "sex life or orientation";
    SensReligion = "SENS.RELIGION", 4, true, "convictions religieuses", "religious beliefs";
    SensOrigin = "SENS.ORIGIN", 4, true, "origine", "origin";
    SensOpinion = "SENS.OPINION", 4, true, "opinions", "opinions";
    SensUnion = "SENS.UNION", 4, true, "appartenance syndicale", "trade-union membership";
    SensJustice = "SENS.JUSTICE", 4, true, "infractions et condamnations", "offences and convictions";
    SocLife = "SOC.LIFE", 2, false, "votre situation sociale", "your social situation";
    KinName = "KIN.NAME", 1, false, "l’identité de vos proches", "your relatives' names";
    KinContact = "KIN.CONTACT", 1, false, "les coordonnées de vos proches", "your relatives' details";
    Loc = "LOC", 2, false, "votre localisation", "your location";
    FreeText = "FREE.TEXT", 4, true, "des notes libres", "free notes";
    FreeFile = "FREE.FILE", 4, true, "des documents", "documents";
    MetaTrace = "META.TRACE", 2, false, "des traces d’accès", "access logs";
    StaffId = "STAFF.ID", 1, false, "votre identité", "your identity";
    StaffContact = "STAFF.CONTACT", 1, false, "vos coordonnées", "your contact details";
    StaffNir = "STAFF.NIR", 1, false, "votre numéro de sécurité sociale", "your social security number";
    StaffBank = "STAFF.BANK", 3, false, "vos coordonnées bancaires", "your bank details";
    StaffPay = "STAFF.PAY", 3, false, "vos bulletins de paie", "your payslips";
    StaffCareer = "STAFF.CAREER", 2, false, "votre carrière", "your career";
    StaffSick = "STAFF.SICK", 4, true, "vos arrêts maladie", "your sick leave";
    StaffUnion = "STAFF.UNION", 4, true, "votre appartenance syndicale", "your trade-union membership";
    StaffCred = "STAFF.CRED", 3, false, "vos identifiants professionnels", "your work credentials";
    StaffFamily = "STAFF.FAMILY", 1, false, "votre famille", "your family";
    ProId = "PRO.ID", 1, false, "votre identité professionnelle", "your professional identity";
    ProContact = "PRO.CONTACT", 1, false, "vos coordonnées professionnelles", "your professional contact details";
}

impl Category {
    pub fn from_code(code: &str) -> Option<Category> {
        Category::ALL.iter().copied().find(|c| c.code() == code)
    }
    /// The categories a pattern selects: a code, or a prefix with a star (`HEALTH.*`, `KIN.*`). Empty when none.
    pub fn matching(pattern: &str) -> Vec<Category> {
        match pattern.strip_suffix('*') {
            Some(prefix) => Category::ALL
                .iter()
                .copied()
                .filter(|c| c.code().starts_with(prefix))
                .collect(),
            None => Category::from_code(pattern).into_iter().collect(),
        }
    }
    /// A category of the hospital's own people, not of patients.
    pub fn is_staff(self) -> bool {
        self.code().starts_with("STAFF.") || self.code().starts_with("PRO.")
    }
    /// Written because of what another category carries (`data-categories` §5): the ones this category always brings.
    pub fn derives(self) -> &'static [Category] {
        match self {
            Category::IdNir => &[Category::IdSex, Category::IdDob, Category::IdBirthplace],
            Category::ContactMssante => &[
                Category::IdNir,
                Category::IdSex,
                Category::IdDob,
                Category::IdBirthplace,
            ],
            Category::CoverStatus => &[Category::HealthState],
            Category::FinBill => &[Category::CareDate, Category::HealthAct],
            _ => &[],
        }
    }
}

impl std::fmt::Display for Category {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

/// A set of categories; iteration is in list order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CategorySet(u128);

impl CategorySet {
    pub const EMPTY: CategorySet = CategorySet(0);
    pub fn of(categories: &[Category]) -> Self {
        categories.iter().copied().collect()
    }
    pub fn insert(&mut self, c: Category) {
        self.0 |= 1 << (c as u8);
    }
    pub fn remove(&mut self, c: Category) {
        self.0 &= !(1 << (c as u8));
    }
    pub const fn contains(self, c: Category) -> bool {
        self.0 & (1 << (c as u8)) != 0
    }
    pub const fn union(self, o: Self) -> Self {
        CategorySet(self.0 | o.0)
    }
    pub const fn intersect(self, o: Self) -> Self {
        CategorySet(self.0 & o.0)
    }
    pub const fn without(self, o: Self) -> Self {
        CategorySet(self.0 & !o.0)
    }
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }
    pub fn iter(self) -> impl Iterator<Item = Category> {
        Category::ALL
            .iter()
            .copied()
            .filter(move |c| self.contains(*c))
    }
    /// Reads codes and patterns; the first unknown one is the error.
    pub fn parse<S: AsRef<str>>(patterns: &[S]) -> Result<Self, String> {
        let mut set = CategorySet::EMPTY;
        for p in patterns {
            let found = Category::matching(p.as_ref());
            if found.is_empty() {
                return Err(p.as_ref().to_string());
            }
            found.into_iter().for_each(|c| set.insert(c));
        }
        Ok(set)
    }
}

impl FromIterator<Category> for CategorySet {
    fn from_iter<T: IntoIterator<Item = Category>>(iter: T) -> Self {
        let mut s = CategorySet::EMPTY;
        iter.into_iter().for_each(|c| s.insert(c));
        s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn codes_are_unique_and_read_back() {
        for c in Category::ALL {
            assert_eq!(Category::from_code(c.code()), Some(*c));
        }
    }
    #[test]
    fn patterns_select_by_prefix() {
        assert_eq!(
            Category::matching("KIN.*"),
            [Category::KinName, Category::KinContact]
        );
        assert_eq!(Category::matching("ID.NIR"), [Category::IdNir]);
        assert!(Category::matching("HELTH.*").is_empty());
    }
}
