//! Closed vocabularies of a row: what was done ([`Verb`]) and whether it worked ([`Outcome`]).

macro_rules! closed {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $code:literal => $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(u8)]
        pub enum $name { #[default] $($(#[$vmeta])* $variant = $code,)+ }
        impl $name {
            /// Every value, in order of its stored code.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];
            /// The word written in files and on the command line.
            pub const fn word(self) -> &'static str { match self { $($name::$variant => $word,)+ } }
            /// The value with this stored code; the first (unknown) one when the code is from a later version.
            pub const fn from_code(code: u8) -> Self { match code { $($code => $name::$variant,)+ _ => $name::ALL[0] } }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.word()) }
        }
    };
}
pub(crate) use closed;

closed! {
    /// What a row says was done. The source's own word stays in `Event::action`; this is ours, and decides.
    Verb {
        Other = 0 => "other",
        /// A logon or authentication attempt; `outcome` tells whether it succeeded.
        Login = 1 => "login",
        Logout = 2 => "logout",
        /// A VPN or remote-access tunnel came up; `inner_ip` is the address lent to it.
        TunnelUp = 3 => "tunnel-up",
        TunnelDown = 4 => "tunnel-down",
        /// A running total for a live tunnel; never added to another of the same tunnel.
        TunnelStats = 5 => "tunnel-stats",
        /// A token was issued, refreshed or exchanged.
        Token = 6 => "token",
        /// An address was leased to a device (DHCP).
        Lease = 7 => "lease",
        /// A network flow: addresses, ports and bytes, no content.
        Flow = 8 => "flow",
        /// An HTTP request as a proxy or web server saw it; what it showed is decided by the endpoint.
        Request = 9 => "request",
        /// A record was served or shown.
        Read = 10 => "read",
        /// A search was asked; who was in the answer may be unknown.
        Search = 11 => "search",
        Create = 12 => "create",
        Update = 13 => "update",
        Delete = 14 => "delete",
        /// A bulk function or a copy to a medium (DICOM 110106, `$export`, download).
        Export = 15 => "export",
        /// A share was connected to (Windows 5140, SMB tree connect).
        ShareConnect = 16 => "share-connect",
        /// A file was opened with a mask that allows reading; counts as consulted.
        FileRead = 17 => "file-read",
        /// A file was opened for writing only, or written.
        FileWrite = 18 => "file-write",
        FileDelete = 19 => "file-delete",
        FileRename = 20 => "file-rename",
        /// A folder was listed, attributes were read: names seen, no content.
        FileList = 21 => "file-list",
        /// A database statement, as sent (before its result is known).
        Query = 22 => "query",
        /// A database statement or request failed: the one before it in the same backend returned nobody.
        QueryError = 23 => "query-error",
        /// A process was started.
        Process = 24 => "process",
        /// The source speaks about itself: statistics, health checks, uptime.
        Heartbeat = 25 => "heartbeat",
        /// Auditing was switched off, reduced, or its policy was changed.
        AuditOff = 26 => "audit-off",
        AuditOn = 27 => "audit-on",
        /// The log itself was cleared (Windows 1102).
        AuditClear = 28 => "audit-clear",
        /// A setting, right, group or account was changed.
        Config = 29 => "config",
        /// Emergency access ("bris de glace", DICOM 110127).
        BreakGlass = 30 => "break-glass",
        /// A database or service session was opened to a named database (connection authorised, disconnection).
        Connect = 31 => "connect",
        Disconnect = 32 => "disconnect",
        /// A service started, or its log began anew: ids of an earlier life do not link across it.
        Restart = 33 => "restart",
        Print = 34 => "print",
        Mail = 35 => "mail",
    }
}

impl Verb {
    /// True for verbs that may show data to the session.
    pub const fn may_show(self) -> bool {
        matches!(
            self,
            Verb::Request
                | Verb::Read
                | Verb::Search
                | Verb::Export
                | Verb::FileRead
                | Verb::FileList
                | Verb::Query
                | Verb::Print
                | Verb::BreakGlass
        )
    }
    /// True for verbs that change a field, record or file.
    pub const fn writes(self) -> bool {
        matches!(
            self,
            Verb::Create
                | Verb::Update
                | Verb::Delete
                | Verb::FileWrite
                | Verb::FileDelete
                | Verb::FileRename
        )
    }
}

closed! {
    /// Whether the act succeeded, in the source's own judgement.
    Outcome {
        Unknown = 0 => "unknown",
        Success = 1 => "success",
        Failure = 2 => "failure",
    }
}
