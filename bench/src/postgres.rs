//! A PostgreSQL of our own, from Debian's package, in a folder of its own and on a socket only.
use crate::servers;
use anyhow::{Result, ensure};
use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const BIN: &str = "/usr/lib/postgresql/15/bin";

pub struct Server {
    dir: PathBuf,
    root: bool,
}

pub fn shell(script: &str) -> Result<String> {
    let out = Command::new("sh").args(["-ec", script]).output()?;
    ensure!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

impl Server {
    /// Starts it in `dir`; `None` when the package is not there.
    pub fn start(dir: &Path) -> Result<Option<Server>> {
        if !Path::new(BIN).join("initdb").exists() {
            return Ok(None);
        }
        let s = Server {
            dir: dir.join("pg"),
            // It refuses to run as root; then the package's own user runs it.
            root: shell("id -u")?.trim() == "0",
        };
        let d = s.dir.display();
        shell(&format!(
            "chmod 755 {} && mkdir -m 777 {d} && if [ $(id -u) = 0 ]; then chown postgres {d}; fi",
            dir.display()
        ))?;
        s.run(&format!(
            "{BIN}/initdb -D {d}/data -A trust -U postgres -E UTF8 --locale=C.UTF-8 >/dev/null"
        ))?;
        std::fs::OpenOptions::new()
            .append(true)
            .open(s.dir.join("data/postgresql.conf"))?
            .write_all(
                format!(
                    "listen_addresses=''\nunix_socket_directories='{d}'\nshared_buffers='1GB'\nwork_mem='256MB'\n\
                     maintenance_work_mem='1GB'\nmax_wal_size='16GB'\nfsync=off\nfull_page_writes=off\njit=off\n"
                )
                .as_bytes(),
            )?;
        s.run(&format!(
            "{BIN}/pg_ctl -D {d}/data -w start -l {d}/log >/dev/null"
        ))?;
        Ok(Some(s))
    }
    fn run(&self, command: &str) -> Result<String> {
        if self.root {
            shell(&format!("su postgres -s /bin/sh -c '{command}'"))
        } else {
            shell(command)
        }
    }
    /// The client's command line, without a database.
    pub fn psql(&self) -> Vec<String> {
        let mut c: Vec<String> = ["psql", "-X", "-q", "-t", "-A", "-U", "postgres", "-h"]
            .map(str::to_string)
            .to_vec();
        c.push(self.dir.display().to_string());
        c
    }
    fn client(&self, database: &str, stop: bool) -> Command {
        let psql = self.psql();
        let mut c = Command::new(&psql[0]);
        c.args(&psql[1..]).args(["-d", database]);
        if stop {
            c.args(["-v", "ON_ERROR_STOP=1"]);
        }
        c.stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        c
    }
    fn fed(mut command: Command, script: &str) -> Result<String> {
        let mut child = command.spawn()?;
        let mut input = child.stdin.take();
        let out = std::thread::scope(|s| {
            s.spawn(move || input.as_mut().map(|i| i.write_all(script.as_bytes())));
            child.wait_with_output()
        })?;
        ensure!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }
    /// Runs a script to its end or its first error; fields of its answers stand between `|`.
    pub fn sql(&self, database: &str, script: &str) -> Result<String> {
        Server::fed(self.client(database, true), script)
    }
    /// First column of the answer to each statement; `None` for one that failed.
    pub fn answers(
        &self,
        database: &str,
        statements: &[String],
    ) -> Result<Vec<Option<BTreeSet<String>>>> {
        let text = Server::fed(self.client(database, false), &servers::script(statements))?;
        Ok(servers::read(&text))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let d = self.dir.display();
        // Nothing is lost when it does not answer: its folder is thrown away.
        drop(self.run(&format!(
            "{BIN}/pg_ctl -D {d}/data -m immediate -w stop >/dev/null"
        )));
    }
}
