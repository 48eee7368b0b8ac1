//! The range: real servers nobody here wrote, on network namespaces this run makes and removes itself.
//!
//! OpenVPN, PostgreSQL with pgaudit, Samba with full_audit and nginx (all from Debian's packages) serve a small hospital. A
//! "foreign" namespace plays an intruder with a stolen vendor account through the real VPN while the vendor and a doctor work
//! at the same time. Their traffic is scripted, so the truth is known; `ampleur investigate` on the logs those servers wrote
//! must return exactly that truth: the same persons, and no session of the vendor or the doctor called the intruder's.

use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PACKAGES: &[(&str, &str)] = &[
    ("openvpn", "/usr/sbin/openvpn"),
    ("samba", "/usr/sbin/smbd"),
    // full_audit stands in a package of its own, which `samba` only recommends.
    (
        "samba-vfs-modules",
        "/usr/lib/{arch}-linux-gnu/samba/vfs/full_audit.so",
    ),
    ("smbclient", "/usr/bin/smbclient"),
    ("nginx-light", "/usr/sbin/nginx"),
    ("postgresql-15", "/usr/lib/postgresql/15/bin/initdb"),
    ("postgresql-client-15", "/usr/bin/psql"),
    (
        "postgresql-15-pgaudit",
        "/usr/lib/postgresql/15/lib/pgaudit.so",
    ),
    ("rsyslog", "/usr/sbin/rsyslogd"),
    ("iproute2", "/usr/bin/ip"),
    ("openssl", "/usr/bin/openssl"),
    ("curl", "/usr/bin/curl"),
];

const GATEWAY: &str = "amp-gateway";
const FOREIGN: &str = "amp-foreign";
const VENDOR: &str = "amp-vendor";
const DOCTOR: &str = "amp-doctor";
const LAN: &str = "amp-lan";
const ALL: &[&str] = &[GATEWAY, FOREIGN, VENDOR, DOCTOR, LAN];
const SERVER: &str = "10.59.20.10";
const FINESS: &str = "finess:350000001";
const AUTHORITY: &str = "urn:oid:1.2.250.1.999.77.1";
const SMB_USER: &str = "amprange";

/// Runs the range. `Ok(true)`: passed. `Ok(false)`: this machine forbids namespaces or servers; the reason was said loudly.
pub fn run(ampleur: &Path) -> Result<bool> {
    if let Some(reason) = forbidden() {
        eprintln!(
            "\n!!! RANGE SKIPPED: {reason}\n!!! Nothing was proven against real servers in this run.\n"
        );
        return Ok(false);
    }
    let top = std::env::temp_dir().join(format!("ampleur-range-{}", std::process::id()));
    fs::create_dir_all(&top)?;
    // Servers drop their privileges and must still reach their folders.
    shell(&format!("chmod 755 {}", top.display()))?;
    let range = Range {
        top: top.clone(),
        case: top.join("case"),
    };
    let result = range.play().and_then(|truth| range.judge(ampleur, &truth));
    range.tear_down();
    match &result {
        Ok(()) => drop(fs::remove_dir_all(&top)),
        Err(_) => eprintln!("the range is kept for inspection in {}", top.display()),
    }
    result.map(|()| true)
}

/// Why the range cannot run here, after trying to install what is missing.
fn forbidden() -> Option<String> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(_, p)| !Path::new(&p.replace("{arch}", std::env::consts::ARCH)).exists())
        .map(|(n, _)| *n)
        .collect();
    if !missing.is_empty() {
        eprintln!("range: installing {}", missing.join(" "));
        let install = format!(
            "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends {}",
            missing.join(" ")
        );
        if let Err(e) = shell(&install) {
            return Some(format!(
                "packages {} are missing and cannot be installed ({e:#})",
                missing.join(", ")
            ));
        }
    }
    if let Err(e) = shell("ip netns add amp-probe && ip netns del amp-probe") {
        return Some(format!("network namespaces are forbidden here ({e:#})"));
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("no /dev/net/tun on this machine".into());
    }
    None
}

struct Range {
    top: PathBuf,
    case: PathBuf,
}

/// What the script did as the intruder: the persons whose data it was served.
struct Truth {
    touched: BTreeSet<String>,
    innocent_addresses: Vec<&'static str>,
}

struct Patient {
    ipp: String,
    family: String,
    given: String,
    birth: String,
    phone: String,
}

impl Range {
    fn play(&self) -> Result<Truth> {
        clean_namespaces();
        let patients = population();
        self.write_case(&patients)?;
        self.network().context("make the network")?;
        self.start_openvpn().context("start OpenVPN")?;
        self.start_postgres(&patients).context("start PostgreSQL")?;
        self.start_syslog().context("start rsyslog")?;
        self.start_samba(&patients).context("start Samba")?;
        self.start_nginx(&patients).context("start nginx")?;

        let mut touched = BTreeSet::new();
        let ids = |f: &dyn Fn(&Patient) -> bool| -> Vec<String> {
            patients
                .iter()
                .filter(|p| f(p))
                .map(|p| p.ipp.clone())
                .collect()
        };

        // The doctor, all the time, with an account of her own.
        self.tunnel(DOCTOR, "mdupont")?;
        for ipp in ids(&|p| p.family == "PETIT").iter().take(4) {
            self.portal(DOCTOR, "mdupont", ipp)?;
        }
        // The vendor, from its declared network, and the intruder with the same account, in the same minute.
        self.tunnel(VENDOR, "editeur-lis")?;
        self.tunnel(FOREIGN, "editeur-lis")?;
        for round in 0..3 {
            let vendor = ids(&|p| p.family == "ROUX");
            if let Some(ipp) = vendor.get(round) {
                self.portal(VENDOR, "editeur-lis", ipp)?;
            }
            let bernard = ids(&|p| p.family == "BERNARD");
            if let Some(ipp) = bernard.get(round) {
                self.portal(FOREIGN, "editeur-lis", ipp)?;
                touched.insert(format!("{AUTHORITY}|{ipp}"));
            }
        }
        self.sql(
            FOREIGN,
            "lis",
            "SELECT nom, prenom, date_naissance FROM patient WHERE nom LIKE 'MAR%'",
        )?;
        touched.extend(
            ids(&|p| p.family.starts_with("MAR"))
                .iter()
                .map(|i| format!("{AUTHORITY}|{i}")),
        );
        // A statement that fails returns nobody; the audit line was written all the same.
        drop(self.sql(
            FOREIGN,
            "lis",
            "SELECT nom, telephone FROM patient WHERE nom LIKE 'D%' AND 1/0 = 1",
        ));
        self.sql(FOREIGN, "lis", "SELECT ipp, telephone FROM patient WHERE date_naissance BETWEEN '1950-01-01' AND '1951-12-31'")?;
        touched.extend(
            ids(&|p| p.birth.as_str() >= "1950-01-01" && p.birth.as_str() <= "1951-12-31")
                .iter()
                .map(|i| format!("{AUTHORITY}|{i}")),
        );
        self.sql(DOCTOR, "dpi", "SELECT nom FROM patient WHERE nom = 'LEROY'")?;
        self.fetch_file(FOREIGN, "resultats-2.csv")?;
        touched.extend(file_subjects(&patients, 2));
        self.fetch_file(VENDOR, "resultats-1.csv")?;

        self.stop_servers();
        self.collect()?;
        Ok(Truth {
            touched,
            innocent_addresses: vec!["192.0.2.10", "203.0.113.20"],
        })
    }

    fn write_case(&self, patients: &[Patient]) -> Result<()> {
        for d in [
            "logs/vpn",
            "logs/db",
            "logs/files",
            "logs/portal",
            "identities",
            "inventory",
        ] {
            fs::create_dir_all(self.case.join(d))?;
        }
        let context = format!(
            r#"version = 1
timezone = "UTC"
home_countries = ["FR"]
geoip = ["geo/city.mmdb", "geo/asn.mmdb"]

[[establishment]]
id = "{FINESS}"
name = "CH de la Plage"
networks = ["10.59.0.0/16"]
authorities = ["{AUTHORITY}"]

[[source]]
files = "logs/vpn/*"
establishment = "{FINESS}"

[[source]]
files = "logs/db/*"
establishment = "{FINESS}"
tells = ["ID.NAME", "ID.DOB", "ID.LOCAL", "CONTACT.PHONE"]

[[source]]
files = "logs/files/*"
establishment = "{FINESS}"
tells = ["HEALTH.RESULT"]

[[source]]
files = "logs/portal/*"
establishment = "{FINESS}"
layout = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time'
tells = ["ID.NAME", "ID.DOB", "CONTACT.PHONE"]

[[person]]
id = "p:mdupont"
name = "Dr M. DUPONT"
accounts = ["vpn:mdupont", "web:mdupont", "db:dpi"]

[[account]]
name = "vpn:editeur-lis"
kind = "vendor"
networks = ["192.0.2.0/24"]

[[account]]
name = "vpn:mdupont"
kind = "professional"
networks = ["203.0.113.0/24"]

[[endpoint]]
match = {{ method = "GET", path = "/patient/{{id}}/administratif" }}
subject = {{ path = "{{id}}", authority = "{AUTHORITY}" }}
categories = ["ID.NAME", "ID.DOB", "CONTACT.PHONE"]

[[share]]
path = "\\\\FS01\\Labo"
categories = ["HEALTH.RESULT", "ID.NAME"]

[[table]]
name = "public.patient"
columns = {{ ipp = "identifier:{AUTHORITY}", nom = "name.family:official", prenom = "name.given", date_naissance = "birthDate", telephone = "telecom:phone" }}
"#
        );
        fs::write(self.case.join("ampleur.toml"), context)?;
        let mut snapshot = String::new();
        for p in patients {
            snapshot.push_str(&format!(
                r#"{{"resourceType":"Patient","id":"f{0}","meta":{{"lastUpdated":"2020-01-01T00:00:00Z"}},"identifier":[{{"use":"usual","type":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"PI"}}]}},"system":"{AUTHORITY}","value":"{0}"}}],"active":true,"name":[{{"use":"official","family":"{1}","given":["{2}"]}}],"telecom":[{{"system":"phone","value":"{4}"}}],"gender":"unknown","birthDate":"{3}","managingOrganization":{{"identifier":{{"system":"https://finess.esante.gouv.fr","value":"350000001"}}}}}}"#,
                p.ipp, p.family, p.given, p.birth, p.phone
            ));
            snapshot.push('\n');
        }
        // The base did not change during the exercise: the state of today and of tomorrow.
        for day in [today_plus(0)?, today_plus(1)?] {
            fs::write(
                self.case.join(format!("identities/{day}.ndjson")),
                &snapshot,
            )?;
        }
        let mut inventory = String::new();
        for n in 1..=4 {
            let subjects: Vec<String> = file_subjects(patients, n)
                .iter()
                .map(|s| format!(r#"{{"subject":"{s}","categories":["HEALTH.RESULT","ID.NAME"]}}"#))
                .collect();
            let size = file_body(patients, n).len();
            inventory.push_str(&format!(r#"{{"share":"\\\\FS01\\Labo","path":"resultats-{n}.csv","size":{size},"subjects":[{}]}}"#, subjects.join(",")));
            inventory.push('\n');
        }
        fs::write(self.case.join("inventory/fs01-labo.jsonl"), inventory)?;
        Ok(())
    }

    fn network(&self) -> Result<()> {
        for n in ALL {
            shell(&format!("ip netns add {n} && ip -n {n} link set lo up"))?;
        }
        let pair = |a: &str, b: &str, na: &str, nb: &str, ipa: &str, ipb: &str| {
            shell(&format!(
                "ip link add {a} type veth peer name {b} && ip link set {a} netns {na} && ip link set {b} netns {nb} && \
                 ip -n {na} addr add {ipa} dev {a} && ip -n {nb} addr add {ipb} dev {b} && ip -n {na} link set {a} up && ip -n {nb} link set {b} up"
            ))
        };
        pair(
            "ampgwf",
            "ampfgw",
            GATEWAY,
            FOREIGN,
            "198.51.100.1/24",
            "198.51.100.66/24",
        )?;
        pair(
            "ampgwv",
            "ampvgw",
            GATEWAY,
            VENDOR,
            "192.0.2.1/24",
            "192.0.2.10/24",
        )?;
        pair(
            "ampgwd",
            "ampdgw",
            GATEWAY,
            DOCTOR,
            "203.0.113.1/24",
            "203.0.113.20/24",
        )?;
        pair(
            "ampgwl",
            "amplgw",
            GATEWAY,
            LAN,
            "10.59.20.1/24",
            &format!("{SERVER}/24"),
        )?;
        shell(&format!(
            "ip netns exec {GATEWAY} sysctl -qw net.ipv4.ip_forward=1"
        ))?;
        for (n, via) in [
            (FOREIGN, "198.51.100.1"),
            (VENDOR, "192.0.2.1"),
            (DOCTOR, "203.0.113.1"),
            (LAN, "10.59.20.1"),
        ] {
            shell(&format!("ip -n {n} route add default via {via}"))?;
        }
        Ok(())
    }

    fn start_openvpn(&self) -> Result<()> {
        let d = self.top.join("vpn");
        fs::create_dir_all(&d)?;
        let dd = d.display();
        shell(&format!(
            "cd {dd} && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 3 -subj /CN=range-ca 2>/dev/null"
        ))?;
        for (name, usage) in [
            ("gateway", "serverAuth"),
            ("editeur-lis", "clientAuth"),
            ("mdupont", "clientAuth"),
        ] {
            shell(&format!(
                "cd {dd} && openssl req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name} 2>/dev/null && \
                 printf 'extendedKeyUsage={usage}\\nkeyUsage=digitalSignature,keyEncipherment\\n' > {name}.ext && \
                 openssl x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out {name}.crt -days 3 -extfile {name}.ext 2>/dev/null"
            ))?;
        }
        // Two tunnels of one certificate are allowed: that is how a stolen vendor account is used beside its owner.
        fs::write(
            d.join("server.conf"),
            format!(
                "port 1194\nproto udp\ndev tun0\nca {dd}/ca.crt\ncert {dd}/gateway.crt\nkey {dd}/gateway.key\ndh none\ntopology subnet\n\
                 server 10.8.0.0 255.255.255.0\npush \"route 10.59.20.0 255.255.255.0\"\nduplicate-cn\nkeepalive 5 20\nverb 3\nlog-append {dd}/openvpn.log\nwritepid {dd}/server.pid\n"
            ),
        )?;
        shell(&format!(
            "ip netns exec {GATEWAY} openvpn --config {dd}/server.conf --daemon"
        ))?;
        wait("the VPN gateway", || {
            contains(&d.join("openvpn.log"), "Initialization Sequence Completed")
        })
    }

    fn tunnel(&self, namespace: &str, name: &str) -> Result<()> {
        let dd = self.top.join("vpn");
        let remote = match namespace {
            FOREIGN => "198.51.100.1",
            VENDOR => "192.0.2.1",
            _ => "203.0.113.1",
        };
        let log = dd.join(format!("client-{namespace}.log"));
        shell(&format!(
            "ip netns exec {namespace} openvpn --client --dev tun0 --proto udp --remote {remote} 1194 --nobind --ca {0}/ca.crt --cert {0}/{name}.crt --key {0}/{name}.key \
             --remote-cert-tls server --explicit-exit-notify 1 --verb 3 --log {1} --writepid {0}/client-{namespace}.pid --daemon",
            dd.display(),
            log.display()
        ))?;
        wait("the tunnel", || {
            contains(&log, "Initialization Sequence Completed")
        })
    }

    fn start_postgres(&self, patients: &[Patient]) -> Result<()> {
        let d = self.top.join("db");
        fs::create_dir_all(d.join("log"))?;
        let dd = d.display();
        shell(&format!(
            "chown -R postgres {dd} && su postgres -s /bin/sh -c '/usr/lib/postgresql/15/bin/initdb -D {dd}/data -A trust -U postgres -E UTF8 --locale=C.UTF-8 >/dev/null'"
        ))?;
        let conf = format!(
            "listen_addresses='*'\nshared_preload_libraries='pgaudit'\npgaudit.log='read,write'\nlogging_collector=on\nlog_destination='csvlog'\nlog_directory='{dd}/log'\n\
             log_filename='postgresql.log'\nlog_timezone='UTC'\nlog_connections=on\nlog_disconnections=on\nunix_socket_directories='{dd}'\n"
        );
        shell(&format!(
            "cat >> {dd}/data/postgresql.conf <<'CONF'\n{conf}CONF\necho 'host all all 0.0.0.0/0 trust' >> {dd}/data/pg_hba.conf"
        ))?;
        shell(&format!(
            "ip netns exec {LAN} su postgres -s /bin/sh -c '/usr/lib/postgresql/15/bin/pg_ctl -D {dd}/data -w start -l {dd}/start.log' >/dev/null"
        ))?;
        let mut sql = String::from(
            "CREATE EXTENSION pgaudit; CREATE ROLE lis LOGIN; CREATE ROLE dpi LOGIN; CREATE TABLE patient(ipp text, nom text, prenom text, date_naissance date, telephone text); GRANT SELECT ON patient TO lis, dpi;\n",
        );
        for p in patients {
            sql.push_str(&format!(
                "INSERT INTO patient VALUES ('{}','{}','{}','{}','{}');\n",
                p.ipp, p.family, p.given, p.birth, p.phone
            ));
        }
        // Loading the base is the installer's work; it is not part of the exercise and is not audited.
        fs::write(
            d.join("load.sql"),
            format!("SET pgaudit.log = 'none';\n{sql}"),
        )?;
        shell(&format!(
            "ip netns exec {LAN} psql -q -h 127.0.0.1 -U postgres -d postgres -v ON_ERROR_STOP=1 -f {dd}/load.sql >/dev/null"
        ))
    }

    fn sql(&self, namespace: &str, user: &str, statement: &str) -> Result<()> {
        let status = Command::new("ip")
            .args([
                "netns",
                "exec",
                namespace,
                "psql",
                "-q",
                "-h",
                SERVER,
                "-U",
                user,
                "-d",
                "postgres",
                "-v",
                "ON_ERROR_STOP=1",
                "-c",
                statement,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        ensure!(status.success(), "a statement failed");
        Ok(())
    }

    fn start_syslog(&self) -> Result<()> {
        fs::create_dir_all(self.top.join("files"))?;
        let t = self.top.display();
        fs::write(
            self.top.join("rsyslog.conf"),
            format!(
                "module(load=\"imuxsock\" SysSock.Name=\"{t}/syslog\")\nlocal5.* action(type=\"omfile\" file=\"{t}/files/samba.log\" template=\"RSYSLOG_FileFormat\")\n"
            ),
        )?;
        shell(&format!(
            "ip netns exec {LAN} rsyslogd -f {t}/rsyslog.conf -i {t}/rsyslog.pid"
        ))?;
        wait("the syslog socket", || self.top.join("syslog").exists())
    }

    fn start_samba(&self, patients: &[Patient]) -> Result<()> {
        let d = self.top.join("files");
        let share = d.join("Labo");
        fs::create_dir_all(&share)?;
        fs::create_dir_all(d.join("state"))?;
        for n in 1..=4 {
            fs::write(
                share.join(format!("resultats-{n}.csv")),
                file_body(patients, n),
            )?;
        }
        let dd = d.display();
        fs::write(
            d.join("smb.conf"),
            format!(
                "[global]\nworkgroup = CHU\nserver role = standalone server\nnetbios name = FS01\ninterfaces = {SERVER}/24\nbind interfaces only = yes\nprivate dir = {dd}/state\n\
                 state directory = {dd}/state\ncache directory = {dd}/state\nlock directory = {dd}/state\npid directory = {dd}/state\nncalrpc dir = {dd}/state\nlog file = {dd}/state/log\n\
                 disable netbios = yes\npassdb backend = tdbsam\n[Labo]\npath = {dd}/Labo\nread only = no\nvfs objects = full_audit\nfull_audit:prefix = %u|%I|%m|%S\n\
                 full_audit:success = connect disconnect openat read pread write pwrite unlinkat renameat\nfull_audit:failure = connect openat\nfull_audit:facility = LOCAL5\nfull_audit:priority = NOTICE\n"
            ),
        )?;
        shell(&format!(
            "chmod -R a+rX {dd}/Labo; id {SMB_USER} >/dev/null 2>&1 || useradd -M -s /usr/sbin/nologin {SMB_USER}"
        ))?;
        shell(&format!(
            "(echo range; echo range) | smbpasswd -c {dd}/smb.conf -s -a {SMB_USER} >/dev/null"
        ))?;
        // `ip netns exec` has a mount namespace of its own: this server alone sees our socket as its syslog.
        shell(&format!(
            "[ -e /dev/log ] || touch /dev/log; ip netns exec {LAN} sh -c 'mount --bind {}/syslog /dev/log && exec smbd -D -s {dd}/smb.conf'",
            self.top.display()
        ))?;
        wait("Samba", || {
            shell(&format!("ip netns exec {LAN} smbclient -c ls //{SERVER}/Labo -U {SMB_USER}%range >/dev/null 2>&1")).is_ok()
        })
    }

    fn fetch_file(&self, namespace: &str, name: &str) -> Result<()> {
        let to = self.top.join(format!("got-{namespace}"));
        shell(&format!(
            "ip netns exec {namespace} smbclient -n {namespace} //{SERVER}/Labo -U {SMB_USER}%range -c 'get {name} {}' >/dev/null 2>&1",
            to.display()
        ))
    }

    fn start_nginx(&self, patients: &[Patient]) -> Result<()> {
        let d = self.top.join("portal");
        for p in patients {
            let dir = d.join("www/patient").join(&p.ipp);
            fs::create_dir_all(&dir)?;
            fs::write(
                dir.join("administratif"),
                format!(
                    "{{\"nom\":\"{}\",\"prenom\":\"{}\",\"naissance\":\"{}\",\"telephone\":\"{}\"}}",
                    p.family, p.given, p.birth, p.phone
                ),
            )?;
        }
        let dd = d.display();
        for user in ["editeur-lis", "mdupont"] {
            shell(&format!(
                "printf '{user}:%s\\n' \"$(openssl passwd -apr1 range)\" >> {dd}/users"
            ))?;
        }
        fs::write(
            d.join("nginx.conf"),
            format!(
                "worker_processes 1;\nuser root;\npid {dd}/nginx.pid;\nerror_log {dd}/error.log;\nevents {{}}\nhttp {{\n\
                 log_format portal '$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\" $request_time';\n\
                 access_log {dd}/access.log portal;\ndefault_type application/json;\nserver {{ listen {SERVER}:80; root {dd}/www; auth_basic portail; auth_basic_user_file {dd}/users; }}\n}}\n"
            ),
        )?;
        shell(&format!(
            "ip netns exec {LAN} env TZ=UTC nginx -c {dd}/nginx.conf"
        ))?;
        wait("the portal", || {
            Command::new("ip")
                .args([
                    "netns",
                    "exec",
                    LAN,
                    "curl",
                    "-s",
                    "-o",
                    "/dev/null",
                    &format!("http://{SERVER}/"),
                ])
                .status()
                .is_ok_and(|s| s.success())
        })
    }

    fn portal(&self, namespace: &str, user: &str, ipp: &str) -> Result<()> {
        shell(&format!(
            "ip netns exec {namespace} curl -sf -A 'Mozilla/5.0 ({namespace})' -u {user}:range -o /dev/null http://{SERVER}/patient/{ipp}/administratif"
        ))
    }

    fn stop_servers(&self) {
        let t = self.top.display();
        // Clients first, so that the gateway logs their end.
        drop(shell(&format!(
            "cat {t}/vpn/client-*.pid 2>/dev/null | xargs -r kill"
        )));
        drop(wait("tunnels to end", || {
            fs::read_to_string(self.top.join("vpn/openvpn.log"))
                .is_ok_and(|l| l.matches("client-instance exiting").count() >= 3)
        }));
        drop(shell(&format!(
            "[ -f {t}/db/data/postmaster.pid ] && su postgres -s /bin/sh -c '/usr/lib/postgresql/15/bin/pg_ctl -D {t}/db/data -m fast -w stop' >/dev/null"
        )));
        for pid in [
            "portal/nginx.pid",
            "files/state/smbd.pid",
            "vpn/server.pid",
            "rsyslog.pid",
        ] {
            drop(shell(&format!("[ -f {t}/{pid} ] && kill $(cat {t}/{pid})")));
        }
    }

    fn collect(&self) -> Result<()> {
        let copy = |from: &str, to: &str| {
            fs::copy(self.top.join(from), self.case.join("logs").join(to))
                .with_context(|| format!("collect {from}"))
        };
        copy("vpn/openvpn.log", "vpn/openvpn.log")?;
        copy("db/log/postgresql.csv", "db/postgresql.csv")?;
        copy("files/samba.log", "files/samba.log")?;
        copy("portal/access.log", "portal/access.log")?;
        Ok(())
    }

    /// Documentation addresses have no country; the simulated hospital's tables give them one.
    fn countries(&self, ampleur: &Path) -> Result<()> {
        let made = self.top.join("simulated");
        let run = Command::new(ampleur)
            .args(["simulate", "S1"])
            .arg(&made)
            .args(["--scale", "0.001"])
            .output()
            .context("run ampleur simulate")?;
        ensure!(
            run.status.success(),
            "simulate ended with {}:\n{}",
            run.status,
            String::from_utf8_lossy(&run.stderr)
        );
        fs::create_dir_all(self.case.join("geo"))?;
        for table in ["geo/city.mmdb", "geo/asn.mmdb"] {
            fs::copy(made.join("case").join(table), self.case.join(table))
                .with_context(|| format!("copy {table}"))?;
        }
        Ok(())
    }

    fn judge(&self, ampleur: &Path, truth: &Truth) -> Result<()> {
        self.countries(ampleur)?;
        let out = self.top.join("out");
        let run = Command::new(ampleur)
            .args([
                "investigate".as_ref(),
                self.case.as_os_str(),
                "--out".as_ref(),
                out.as_os_str(),
                "--subjects".as_ref(),
                "clear".as_ref(),
            ])
            .output()
            .context("run ampleur investigate")?;
        ensure!(
            matches!(run.status.code(), Some(0 | 1)),
            "investigate ended with {}:\n{}",
            run.status,
            String::from_utf8_lossy(&run.stderr)
        );
        let csv = fs::read_to_string(out.join("persons.csv"))?;
        let mut said = BTreeSet::new();
        for line in csv.lines().skip(1) {
            let mut f = line.split(',');
            let (subject, verdict) = (f.next().unwrap_or(""), f.nth(2).unwrap_or(""));
            if matches!(verdict, "consulted" | "exfiltrated" | "leaked") {
                said.insert(subject.to_string());
            }
        }
        let missing: Vec<_> = truth.touched.difference(&said).collect();
        let extra: Vec<_> = said.difference(&truth.touched).collect();
        if !missing.is_empty() || !extra.is_empty() {
            bail!(
                "the answer is not the truth: {} of {} persons missing {missing:?}, {} too many {extra:?}",
                missing.len(),
                truth.touched.len(),
                extra.len()
            );
        }
        let sessions = fs::read_to_string(out.join("sessions.csv"))?;
        let mut intruder_seen = false;
        for line in sessions
            .lines()
            .skip(1)
            .filter(|l| l.contains(",intruder,"))
        {
            ensure!(
                !truth.innocent_addresses.iter().any(|a| line.contains(a)),
                "an innocent session is called the intruder's: {line}"
            );
            intruder_seen |= line.contains("198.51.100.66");
        }
        ensure!(
            intruder_seen,
            "no session from the foreign address is called the intruder's"
        );
        println!(
            "range: passed; {} persons served to the intruder through OpenVPN, nginx, PostgreSQL and Samba, all named, nobody else",
            truth.touched.len()
        );
        Ok(())
    }

    fn tear_down(&self) {
        self.stop_servers();
        clean_namespaces();
        drop(shell(&format!(
            "id {SMB_USER} >/dev/null 2>&1 && userdel {SMB_USER}; [ -f /dev/log ] && rm -f /dev/log"
        )));
    }
}

fn clean_namespaces() {
    for n in ALL {
        drop(shell(&format!(
            "ip netns pids {n} 2>/dev/null | xargs -r kill -9; ip netns del {n} 2>/dev/null"
        )));
    }
}

fn population() -> Vec<Patient> {
    let families = [
        "MARTIN", "BERNARD", "DUBOIS", "THOMAS", "ROBERT", "PETIT", "DURAND", "LEROY", "MOREL",
        "MARCHAND", "ROUX", "MARIE",
    ];
    let given = ["ANNE", "LUC", "JEANNE", "PAUL", "ZOE", "HUGO", "CLAIRE"];
    (0..180usize)
        .map(|i| Patient {
            ipp: format!("7700{:04}", i * 7 + 11),
            family: families[i % families.len()].into(),
            given: given[(i / 3) % given.len()].into(),
            birth: format!(
                "{}-{:02}-{:02}",
                1940 + (i * 13) % 70,
                1 + i % 12,
                1 + (i * 5) % 28
            ),
            phone: format!("+331990{:05}", i * 37),
        })
        .collect()
}

fn file_subjects(patients: &[Patient], n: usize) -> Vec<String> {
    patients
        .iter()
        .skip(n * 20)
        .take(15)
        .map(|p| format!("{AUTHORITY}|{}", p.ipp))
        .collect()
}

fn file_body(patients: &[Patient], n: usize) -> String {
    let mut s = String::from("ipp;nom;examen;resultat\n");
    for p in patients.iter().skip(n * 20).take(15) {
        s.push_str(&format!("{};{};GLUCOSE;{}\n", p.ipp, p.family, 4 + n));
    }
    s
}

fn today_plus(days: i64) -> Result<String> {
    let out = Command::new("date")
        .args(["-u", "-d", &format!("{days} days"), "+%F"])
        .output()?;
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_string())
}

fn contains(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|s| s.contains(text))
}

/// Polls a real condition until it holds, for at most ninety seconds.
fn wait(what: &str, holds: impl Fn() -> bool) -> Result<()> {
    let start = Instant::now();
    while !holds() {
        ensure!(
            start.elapsed() < Duration::from_secs(90),
            "{what} did not come up in 90 s"
        );
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(())
}

fn shell(command: &str) -> Result<()> {
    let out = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .output()?;
    ensure!(
        out.status.success(),
        "`{command}` ended with {}: {}",
        out.status,
        String::from_utf8_lossy(&out.stderr).trim()
    );
    Ok(())
}
