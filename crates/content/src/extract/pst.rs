//! Outlook stores (`.pst`, `.ost`): messages, contacts, appointments and tasks with what is attached to them, node by node.
//!
//! Standards: [MS-PST] §2.2 (header, pages, B-trees, blocks), §2.3 (heap, properties, tables), §2.4 (messages); [MS-OXPROPS] for
//! the tags; [MS-OXRTFCP] for compressed RTF. The form with pages of 4096 bytes that Outlook 2013 and later write for `.ost` is
//! in no standard; its differences stand at [`Form::Wide`].
//! Every message node is read, in whatever folder it lies or in none: what was deleted and not yet overwritten counts too.
//! A store is read in steps that end after a few megabytes, so memory does not grow with the store, and a step is read from a
//! [`Bookmark`]. Nothing here is believed: lengths, levels and keys are checked, work is counted against the file's own length,
//! and what is wrong is told while the rest is read on. Checksums that do not fit are told; their bytes are used all the same.
//! Not here: fields of associated (hidden) messages beyond their text; the store's password, which protects nothing.
use super::{Unit, Why, markup, office};
use crate::text;
use rustc_hash::{FxHashMap, FxHashSet};
use std::{
    io::{Read, Seek, SeekFrom},
    rc::Rc,
};

/// A file that can be read from any place.
pub trait Seekable: Read + Seek {}
impl<T: Read + Seek + ?Sized> Seekable for T {}

/// Where the next step goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bookmark {
    /// First node not yet read.
    pub node: u64,
    /// Pages and blocks looked at so far.
    pub work: u64,
    /// Bytes given so far.
    pub told: u64,
}

/// A step ends after the message that passes this many bytes.
const STEP_BYTES: u64 = 4 << 20;
/// Nodes of one step.
const STEP_NODES: usize = 512;
/// Bytes of one attachment that are read.
const ATTACHMENT_MAX: usize = 256 << 20;
/// Bytes of one message with all inside it.
const MESSAGE_MAX: u64 = 1 << 30;
/// Bytes of one body, and of all text of one message.
const TEXT_MAX: usize = 64 << 20;
/// Bytes of the heap of one node; larger values lie outside it.
const HEAP_MAX: usize = 32 << 20;
/// Blocks of one value.
const BLOCKS_MAX: usize = 40_000;
/// Nodes inside one node.
const INNER_MAX: usize = 1 << 16;
/// Properties of one object; Outlook's largest have some hundreds.
const PROPERTIES_MAX: usize = 4096;
/// Messages inside messages.
const DEPTH_MAX: u32 = 8;
/// Levels of a tree.
const LEVEL_MAX: u8 = 12;
/// Pages kept in memory.
const PAGES_KEPT: usize = 1024;

/// The three layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Version 14 and 15: numbers of four bytes.
    Ansi,
    /// Version 23.
    Unicode,
    /// Version 36: pages of 4096 bytes whose counts have two bytes, blocks on multiples of 512 up to 64 KiB, some of them
    /// packed by zlib, trailers of 24 bytes, heap places of 14 + 13 bits.
    Wide,
}

impl Form {
    fn page(self) -> usize {
        if self == Form::Wide { 4096 } else { 512 }
    }
    /// Bytes of a page before its trailer, which its checksum covers.
    fn page_body(self) -> usize {
        match self {
            Form::Ansi => 500,
            Form::Unicode => 496,
            Form::Wide => 4072,
        }
    }
    /// Bytes of a page that hold entries.
    fn page_entries(self) -> usize {
        match self {
            Form::Ansi => 496,
            Form::Unicode => 488,
            Form::Wide => 4056,
        }
    }
    fn block_trailer(self) -> usize {
        match self {
            Form::Ansi => 12,
            Form::Unicode => 16,
            Form::Wide => 24,
        }
    }
    fn block_unit(self) -> usize {
        if self == Form::Wide { 512 } else { 64 }
    }
    /// Bytes of a number that names a block or place.
    fn number(self) -> usize {
        if self == Form::Ansi { 4 } else { 8 }
    }
    fn number_at(self, b: &[u8], at: usize) -> Option<u64> {
        match self {
            Form::Ansi => u32_at(b, at).map(u64::from),
            _ => u64_at(b, at),
        }
    }
    /// (block, place in it from 1) of a heap id.
    fn heap_place(self, id: u32) -> (usize, usize) {
        match self {
            Form::Wide => ((id >> 19) as usize, (id >> 5 & 0x3fff) as usize),
            _ => ((id >> 16) as usize, (id >> 5 & 0x7ff) as usize),
        }
    }
}

fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(b.get(at..at + 2)?.try_into().ok()?))
}
fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(b.get(at..at + 4)?.try_into().ok()?))
}
fn u64_at(b: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(b.get(at..at + 8)?.try_into().ok()?))
}

/// [MS-PST] §5.3: a CRC-32 that starts from zero and is not turned at its end.
fn checksum(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut t = [0u32; 256];
        let mut i = 0;
        while i < 256 {
            let mut c = i as u32;
            let mut k = 0;
            while k < 8 {
                c = if c & 1 == 1 {
                    c >> 1 ^ 0xedb8_8320
                } else {
                    c >> 1
                };
                k += 1;
            }
            t[i] = c;
            i += 1;
        }
        t
    };
    bytes
        .iter()
        .fold(0, |c, b| TABLE[usize::from(c as u8 ^ b)] ^ c >> 8)
}

/// [MS-PST] §5.1: the first and second of its tables; the third undoes the first.
#[rustfmt::skip]
pub(super) const MIX: [[u8; 256]; 2] = [
    [
        65, 54, 19, 98, 168, 33, 110, 187, 244, 22, 204, 4, 127, 100, 232, 93, 30, 242, 203, 42, 116, 197, 94, 53, 210, 149,
        71, 158, 150, 45, 154, 136, 76, 125, 132, 63, 219, 172, 49, 182, 72, 95, 246, 196, 216, 57, 139, 231, 35, 59, 56, 142,
        200, 193, 223, 37, 177, 32, 165, 70, 96, 78, 156, 251, 170, 211, 86, 81, 69, 124, 85, 0, 7, 201, 43, 157, 133, 155,
        9, 160, 143, 173, 179, 15, 99, 171, 137, 75, 215, 167, 21, 90, 113, 102, 66, 191, 38, 74, 107, 152, 250, 234, 119, 83,
        178, 112, 5, 44, 253, 89, 58, 134, 126, 206, 6, 235, 130, 120, 87, 199, 141, 67, 175, 180, 28, 212, 91, 205, 226, 233,
        39, 79, 195, 8, 114, 128, 207, 176, 239, 245, 40, 109, 190, 48, 77, 52, 146, 213, 14, 60, 34, 50, 229, 228, 249, 159,
        194, 209, 10, 129, 18, 225, 238, 145, 131, 118, 227, 151, 230, 97, 138, 23, 121, 164, 183, 220, 144, 122, 92, 140, 2, 166,
        202, 105, 222, 80, 26, 17, 147, 185, 82, 135, 88, 252, 237, 29, 55, 73, 27, 106, 224, 41, 51, 153, 189, 108, 217, 148,
        243, 64, 84, 111, 240, 198, 115, 184, 214, 62, 101, 24, 68, 31, 221, 103, 16, 241, 12, 25, 236, 174, 3, 161, 20, 123,
        169, 11, 255, 248, 163, 192, 162, 1, 247, 46, 188, 36, 104, 117, 13, 254, 186, 47, 181, 208, 218, 61,
    ],
    [
        20, 83, 15, 86, 179, 200, 122, 156, 235, 101, 72, 23, 22, 21, 159, 2, 204, 84, 124, 131, 0, 13, 12, 11, 162, 98,
        168, 118, 219, 217, 237, 199, 197, 164, 220, 172, 133, 116, 214, 208, 167, 155, 174, 154, 150, 113, 102, 195, 99, 153, 184, 221,
        115, 146, 142, 132, 125, 165, 94, 209, 93, 147, 177, 87, 81, 80, 128, 137, 82, 148, 79, 78, 10, 107, 188, 141, 127, 110,
        71, 70, 65, 64, 68, 1, 17, 203, 3, 63, 247, 244, 225, 169, 143, 60, 58, 249, 251, 240, 25, 48, 130, 9, 46, 201,
        157, 160, 134, 73, 238, 111, 77, 109, 196, 45, 129, 52, 37, 135, 27, 136, 170, 252, 6, 161, 18, 56, 253, 76, 66, 114,
        100, 19, 55, 36, 106, 117, 119, 67, 255, 230, 180, 75, 54, 92, 228, 216, 53, 61, 69, 185, 44, 236, 183, 49, 43, 41,
        7, 104, 163, 14, 105, 123, 24, 158, 33, 57, 190, 40, 26, 91, 120, 245, 35, 202, 42, 176, 175, 62, 254, 4, 140, 231,
        229, 152, 50, 149, 211, 246, 74, 232, 166, 234, 233, 243, 213, 47, 112, 32, 242, 31, 5, 103, 173, 85, 16, 206, 205, 227,
        39, 59, 218, 186, 215, 194, 38, 212, 145, 29, 210, 28, 34, 51, 248, 250, 241, 90, 239, 207, 144, 182, 139, 181, 189, 192,
        191, 8, 151, 30, 108, 226, 97, 224, 198, 193, 89, 171, 187, 88, 222, 95, 223, 96, 121, 126, 178, 138,
    ],
];

/// The table that undoes the first.
const BACK: [u8; 256] = {
    let mut t = [0u8; 256];
    let mut i = 0;
    while i < 256 {
        t[MIX[0][i] as usize] = i as u8;
        i += 1;
    }
    t
};

/// Undoes what keeps a block from being read by eye; with method 2 the same doing hides and shows.
pub(super) fn reveal(method: u8, block: u64, bytes: &mut [u8]) {
    match method {
        1 => {
            for b in bytes {
                *b = BACK[usize::from(*b)];
            }
        }
        2 => {
            let key = block as u32;
            let mut w = (key ^ key >> 16) as u16;
            for b in bytes {
                let (low, high) = (w as u8, (w >> 8) as u8);
                let x = MIX[0][usize::from(b.wrapping_add(low))].wrapping_add(high);
                let x = MIX[1][usize::from(x)].wrapping_sub(high);
                *b = BACK[usize::from(x)].wrapping_sub(low);
                w = w.wrapping_add(1);
            }
        }
        _ => {}
    }
}

/// A node: where its data and the nodes inside it lie.
#[derive(Debug, Clone, Copy)]
struct Node {
    id: u64,
    data: u64,
    inner: u64,
}

impl Node {
    fn kind(self) -> u64 {
        self.id & 0x1f
    }
}

const FOLDER: u64 = 0x02;
const SEARCH: u64 = 0x03;
const MESSAGE: u64 = 0x04;
const ATTACHMENT: u64 = 0x05;
const HIDDEN: u64 = 0x08;
/// The node that names properties.
const NAMES: u64 = 0x61;
/// The table of recipients inside a message.
const RECIPIENTS: u64 = 0x692;

/// A page of a B-tree.
struct Page {
    bytes: Vec<u8>,
    level: u8,
    count: usize,
    size: usize,
}

impl Page {
    fn entry(&self, i: usize) -> &[u8] {
        self.bytes
            .get(i * self.size..(i + 1) * self.size)
            .unwrap_or_default()
    }
}

/// A heap on a node: pieces of up to 3580 bytes.
struct Heap {
    form: Form,
    blocks: Vec<Vec<u8>>,
}

impl Heap {
    fn get(&self, id: u32) -> Option<&[u8]> {
        if id & 0x1f != 0 {
            return None;
        }
        let (block, place) = self.form.heap_place(id);
        let b = self.blocks.get(block)?;
        let map = usize::from(u16_at(b, 0)?);
        let count = usize::from(u16_at(b, map)?);
        if place == 0 || place > count {
            return None;
        }
        let from = usize::from(u16_at(b, map + 2 + place * 2)?);
        let to = usize::from(u16_at(b, map + 4 + place * 2)?);
        b.get(from..to)
    }
    /// The kind of what the heap holds, and where that begins.
    fn root(&self) -> Option<(u8, u32)> {
        let b = self.blocks.first()?;
        (*b.get(2)? == 0xec).then_some(())?;
        Some((*b.get(3)?, u32_at(b, 4)?))
    }
    /// Records of a B-tree on the heap: (bytes of a record, all records one after the other, whether all were there).
    fn records(&self, header: u32, most: usize) -> Option<(usize, Vec<u8>, bool)> {
        let h = self.get(header)?;
        let (key, entry, levels) = match h {
            [0xb5, key, entry, levels, ..] => (usize::from(*key), usize::from(*entry), *levels),
            _ => return None,
        };
        let size = key + entry;
        if levels > LEVEL_MAX || key == 0 {
            return None;
        }
        let mut out = vec![];
        let mut whole = true;
        let mut looks = 0;
        let mut todo = vec![(u32_at(h, 4)?, levels)];
        while let Some((id, level)) = todo.pop() {
            if id == 0 {
                continue;
            }
            looks += 1;
            if looks > most {
                whole = false;
                break;
            }
            let Some(b) = self.get(id) else {
                whole = false;
                continue;
            };
            if level == 0 {
                let room = (most * size).saturating_sub(out.len());
                let fits = b.len() / size * size;
                whole &= fits <= room;
                out.extend_from_slice(&b[..fits.min(room)]);
                continue;
            }
            // Last first, so that the first is taken first.
            for e in b.chunks_exact(key + 4).rev().take(most) {
                todo.push((u32_at(e, key)?, level - 1));
            }
        }
        Some((size, out, whole))
    }
}

/// A property: tag, type, and its value or where that lies.
#[derive(Debug, Clone, Copy)]
struct Property {
    id: u16,
    kind: u16,
    value: u32,
}

/// A node opened: its heap, its properties, the nodes inside it.
struct Object {
    heap: Heap,
    properties: Vec<Property>,
    inner: Vec<Node>,
}

impl Object {
    fn property(&self, id: u16) -> Option<Property> {
        self.properties.iter().find(|p| p.id == id).copied()
    }
    /// A whole number of up to four bytes.
    fn number(&self, id: u16) -> Option<u32> {
        self.property(id)
            .filter(|p| matches!(p.kind, 2 | 3 | 11))
            .map(|p| p.value)
    }
}

const TEXT8: u16 = 0x001e;
const TEXT16: u16 = 0x001f;
const OBJECT: u16 = 0x000d;
const TIME: u16 = 0x0040;
const BINARY: u16 = 0x0102;
/// Several of a kind.
const MANY: u16 = 0x1000;

struct Store<'f> {
    file: &'f mut dyn Seekable,
    len: u64,
    form: Form,
    method: u8,
    nodes: u64,
    blocks: u64,
    /// By place and kind.
    pages: FxHashMap<(u64, u8), Rc<Page>>,
    /// Named properties that repeat lines of the transport.
    transport: FxHashSet<u16>,
    work: u64,
    /// Work after which the message at hand is left.
    enough: u64,
    damaged: bool,
    limit: bool,
    told: u64,
    /// Bytes the message at hand may still give.
    room: u64,
}

/// Reads the step that begins at `from`. Returns where the next begins, `None` at the end.
///
/// # Errors
/// Why nothing more can be read; what was told before stays told.
pub fn step(
    file: &mut dyn Seekable,
    len: u64,
    from: Bookmark,
    out: &mut dyn FnMut(Unit<'_>),
) -> Result<Option<Bookmark>, Why> {
    let mut store = Store::open(file, len, from)?;
    // Whoever looks at the same pages again and again is led in circles; a good store needs a tenth of this.
    let most = (len / 8).saturating_add(1 << 20);
    // Nor does a good store give many times what it is: RTF and blocks packed by zlib grow, attachments do not.
    let most_told = len.saturating_mul(16).saturating_add(16 << 20);
    let enough = store.told.saturating_add(STEP_BYTES);
    store.name_transport();
    let nodes = store.nodes_from(from.node);
    let full = nodes.len() == STEP_NODES;
    let mut next = nodes.last().filter(|_| full).map(|n| n.id + 1);
    for n in nodes {
        if store.work > most || store.told > most_told {
            store.limit = true;
            next = None;
            break;
        }
        store.enough = store.work.saturating_add(len / 64 + (1 << 16));
        store.room = MESSAGE_MAX.min(most_told.saturating_sub(store.told));
        match n.kind() {
            FOLDER | SEARCH => store.folder(n, out),
            MESSAGE => store.message(n, true, 0, out),
            HIDDEN => store.message(n, false, 0, out),
            _ => continue,
        }
        if store.told >= enough {
            next = Some(n.id + 1);
            break;
        }
    }
    if store.damaged {
        out(Unit::Why(Why::Damaged));
    }
    if store.limit {
        out(Unit::Why(Why::Limit));
    }
    Ok(next.map(|node| Bookmark {
        node,
        work: store.work,
        told: store.told,
    }))
}

impl<'f> Store<'f> {
    fn open(file: &'f mut dyn Seekable, len: u64, from: Bookmark) -> Result<Store<'f>, Why> {
        let mut head = vec![];
        file.seek(SeekFrom::Start(0)).map_err(|_| Why::Damaged)?;
        (&mut *file)
            .take(564)
            .read_to_end(&mut head)
            .map_err(|_| Why::Damaged)?;
        let version = u16_at(&head, 10).ok_or(Why::Damaged)?;
        let form = match version {
            14 | 15 => Form::Ansi,
            23 => Form::Unicode,
            36 => Form::Wide,
            // Locked by Windows for one organisation.
            37 => return Err(Why::Encrypted),
            _ => return Err(Why::Unknown),
        };
        // "SM" a store, "SO" one that mirrors a server, "AB" a book of addresses in another layout.
        if head.get(8..10) == Some(b"AB") {
            return Err(Why::Unknown);
        }
        let (nodes, blocks, method) = match form {
            Form::Ansi => (188, 196, 461),
            _ => (224, 240, 513),
        };
        let method = *head.get(method).ok_or(Why::Damaged)?;
        if method == 0x10 {
            return Err(Why::Encrypted);
        }
        if method > 2 {
            return Err(Why::Damaged);
        }
        let mut s = Store {
            nodes: form.number_at(&head, nodes).ok_or(Why::Damaged)?,
            blocks: form.number_at(&head, blocks).ok_or(Why::Damaged)?,
            file,
            len,
            form,
            method,
            pages: FxHashMap::default(),
            transport: FxHashSet::default(),
            work: from.work,
            enough: u64::MAX,
            damaged: false,
            limit: false,
            told: from.told,
            room: MESSAGE_MAX,
        };
        // Without its two roots a store is a heap of blocks.
        let (n, b) = (s.nodes, s.blocks);
        if s.page(n, NODE_PAGE).is_none() || s.page(b, BLOCK_PAGE).is_none() {
            return Err(Why::Damaged);
        }
        Ok(s)
    }

    /// The message at hand has taken all the work it may.
    fn tired(&self) -> bool {
        self.work > self.enough
    }

    /// Something does not fit, unless it was only too much.
    fn amiss(&mut self) {
        self.damaged |= !self.tired();
    }
    fn wrong<T>(&mut self) -> Option<T> {
        self.amiss();
        None
    }

    fn bytes(&mut self, at: u64, n: usize) -> Option<Vec<u8>> {
        self.work += 1;
        if self.tired() {
            self.limit = true;
            return None;
        }
        if at.checked_add(n as u64).is_none_or(|end| end > self.len) {
            return self.wrong();
        }
        let mut b = vec![0u8; n];
        let ok =
            self.file.seek(SeekFrom::Start(at)).is_ok() && self.file.read_exact(&mut b).is_ok();
        if ok { Some(b) } else { self.wrong() }
    }

    fn page(&mut self, at: u64, kind: u8) -> Option<Rc<Page>> {
        if let Some(p) = self.pages.get(&(at, kind)) {
            self.work += 1;
            return Some(p.clone());
        }
        let f = self.form;
        let b = self.bytes(at, f.page())?;
        let (body, entries) = (f.page_body(), f.page_entries());
        let sum = u32_at(&b, body + if f == Form::Ansi { 8 } else { 4 });
        if b[body] != kind || b[body + 1] != kind {
            return self.wrong();
        }
        self.damaged |= sum != Some(checksum(&b[..body]));
        let (count, size, level) = if f == Form::Wide {
            let count = u16_at(&b, entries)?;
            (usize::from(count), b[entries + 4], b[entries + 5])
        } else {
            (usize::from(b[entries]), b[entries + 2], b[entries + 3])
        };
        let size = usize::from(size);
        let least = match (level, kind) {
            (0, NODE_PAGE) => f.number() * 4,
            _ => f.number() * 3,
        };
        if size < least || count * size > entries || level > LEVEL_MAX {
            return self.wrong();
        }
        let page = Rc::new(Page {
            bytes: b,
            level,
            count,
            size,
        });
        if self.pages.len() >= PAGES_KEPT {
            self.pages.clear();
        }
        self.pages.insert((at, kind), page.clone());
        Some(page)
    }

    /// Nodes from `from` on, in order, up to those of one step.
    fn nodes_from(&mut self, from: u64) -> Vec<Node> {
        let mut out = vec![];
        if let Some(root) = self.page(self.nodes, NODE_PAGE) {
            self.nodes_under(&root, 0, u64::MAX, from, &mut out);
        }
        out
    }

    /// Keys of a page must rise and lie in `low..high`: no node is met twice, whatever pages point to.
    fn nodes_under(&mut self, p: &Page, low: u64, high: u64, from: u64, out: &mut Vec<Node>) {
        let f = self.form;
        let n = f.number();
        // The upper half of a node's id means nothing.
        let key = |i: usize| f.number_at(p.entry(i), 0).map(|k| k & 0xffff_ffff);
        let mut least = low;
        for i in 0..p.count {
            if out.len() >= STEP_NODES {
                return;
            }
            let e = p.entry(i);
            let Some(k) = key(i) else { continue };
            if p.level == 0 {
                if k < least || k >= high {
                    self.damaged = true;
                    continue;
                }
                least = k + 1;
                if k < from {
                    continue;
                }
                if let (Some(data), Some(inner)) = (f.number_at(e, n), f.number_at(e, n * 2)) {
                    out.push(Node { id: k, data, inner });
                }
                continue;
            }
            // The first child may begin before its key.
            let k = if i == 0 { low } else { k };
            let end = match key(i + 1).filter(|_| i + 1 < p.count) {
                Some(next) => next.min(high),
                None => high,
            };
            if k < least || k >= end {
                self.damaged = true;
                continue;
            }
            least = end;
            if end <= from {
                continue;
            }
            let Some(at) = f.number_at(e, n * 2) else {
                continue;
            };
            match self.page(at, NODE_PAGE) {
                Some(child) if child.level + 1 == p.level => {
                    self.nodes_under(&child, k, end, from, out);
                }
                Some(_) => self.damaged = true,
                None => {}
            }
        }
    }

    /// Where a block lies and how long it is.
    fn find(&mut self, block: u64) -> Option<(u64, usize)> {
        let f = self.form;
        let n = f.number();
        let want = block & !1;
        let mut page = self.page(self.blocks, BLOCK_PAGE)?;
        loop {
            let mut hit = None;
            for i in 0..page.count {
                let key = f.number_at(page.entry(i), 0)? & !1;
                if key > want {
                    break;
                }
                if page.level > 0 || key == want {
                    hit = Some(i);
                }
            }
            let Some(hit) = hit else { return self.wrong() };
            let at = f.number_at(page.entry(hit), if page.level == 0 { n } else { n * 2 })?;
            if page.level == 0 {
                return Some((at, usize::from(u16_at(page.entry(hit), n * 2)?)));
            }
            let child = self.page(at, BLOCK_PAGE)?;
            if child.level + 1 != page.level {
                return self.wrong();
            }
            page = child;
        }
    }

    fn block(&mut self, id: u64) -> Option<Vec<u8>> {
        let f = self.form;
        let (at, size) = self.find(id)?;
        let end = (size + f.block_trailer()).next_multiple_of(f.block_unit());
        let mut b = self.bytes(at, end)?;
        let trailer = b.split_off(end - f.block_trailer());
        b.truncate(size);
        let (sum, name) = match f {
            Form::Ansi => (8, 4),
            _ => (4, 8),
        };
        if f.number_at(&trailer, name).map(|n| n & !1) != Some(id & !1) {
            return self.wrong();
        }
        self.damaged |= u32_at(&trailer, sum) != Some(checksum(&b));
        let outer = id & 2 == 0;
        if f == Form::Wide {
            let unpacked = u16_at(&trailer, 18).map_or(0, usize::from);
            if unpacked != 0 && unpacked != size {
                let mut clear = inflate(&b, unpacked);
                if clear.is_none() && outer {
                    reveal(self.method, id, &mut b);
                    return inflate(&b, unpacked).or_else(|| self.wrong());
                }
                if let (Some(c), true) = (&mut clear, outer) {
                    reveal(self.method, id, c);
                }
                return clear.or_else(|| self.wrong());
            }
        }
        if outer {
            reveal(self.method, id, &mut b);
        }
        Some(b)
    }

    /// The blocks that hold a value, in order.
    fn leaves(&mut self, block: u64) -> Vec<u64> {
        if block == 0 {
            return vec![];
        }
        if block & 2 == 0 {
            return vec![block];
        }
        let mut out = vec![];
        match self.list(block) {
            Some((1, list)) => out = list,
            Some((2, lists)) => {
                for l in lists {
                    match self.list(l) {
                        Some((1, list)) => out.extend(list),
                        Some(_) => self.damaged = true,
                        None => {}
                    }
                    if out.len() > BLOCKS_MAX {
                        break;
                    }
                }
            }
            Some(_) => self.damaged = true,
            None => {}
        }
        if out.len() > BLOCKS_MAX {
            self.limit = true;
            out.truncate(BLOCKS_MAX);
        }
        out
    }

    /// A block of a tree below a node: its level, how many entries it says it has, its bytes.
    fn branch(&mut self, block: u64, kind: u8) -> Option<(u8, usize, Vec<u8>)> {
        if block & 2 == 0 {
            return self.wrong();
        }
        let b = self.block(block)?;
        match (b.first(), b.get(1), u16_at(&b, 2)) {
            (Some(k), Some(level), Some(count)) if *k == kind => {
                Some((*level, usize::from(count), b))
            }
            _ => self.wrong(),
        }
    }

    /// A block that lists blocks: its level and what it lists.
    fn list(&mut self, block: u64) -> Option<(u8, Vec<u64>)> {
        let (level, count, b) = self.branch(block, 1)?;
        let f = self.form;
        let n = f.number();
        let held = b.len().saturating_sub(8) / n;
        self.damaged |= count > held;
        let blocks = (0..count.min(held)).filter_map(|i| f.number_at(&b, 8 + i * n));
        Some((level, blocks.collect()))
    }

    /// A value put together, up to `most` bytes.
    fn value_of(&mut self, block: u64, most: usize) -> Vec<u8> {
        let mut out: Vec<u8> = vec![];
        for l in self.leaves(block) {
            let Some(b) = self.block(l) else {
                if self.tired() {
                    break;
                }
                continue;
            };
            if out.len() + b.len() > most {
                self.limit = true;
                out.extend_from_slice(&b[..most - out.len()]);
                break;
            }
            out.extend_from_slice(&b);
        }
        out
    }

    /// The nodes inside a node, sorted.
    fn inner(&mut self, block: u64) -> Vec<Node> {
        let mut out = vec![];
        if block == 0 {
            return out;
        }
        match self.inner_block(block) {
            Some((0, nodes)) => out = nodes,
            Some((1, parts)) => {
                for p in parts {
                    match self.inner_block(p.data) {
                        Some((0, nodes)) => out.extend(nodes),
                        Some(_) => self.damaged = true,
                        None => {}
                    }
                    if out.len() > INNER_MAX {
                        break;
                    }
                }
            }
            Some(_) => self.damaged = true,
            None => {}
        }
        if out.len() > INNER_MAX {
            self.limit = true;
            out.truncate(INNER_MAX);
        }
        out.sort_by_key(|n| n.id);
        out
    }

    fn inner_block(&mut self, block: u64) -> Option<(u8, Vec<Node>)> {
        let (level, count, b) = self.branch(block, 2)?;
        let f = self.form;
        let n = f.number();
        let from = if f == Form::Ansi { 4 } else { 8 };
        let size = if level == 0 { n * 3 } else { n * 2 };
        let held = b.len().saturating_sub(from) / size;
        self.damaged |= count > held;
        let nodes = (0..count.min(held)).filter_map(|i| {
            let at = from + i * size;
            Some(Node {
                // Its upper half means nothing.
                id: u64::from(u32_at(&b, at)?),
                data: f.number_at(&b, at + n)?,
                inner: if level == 0 {
                    f.number_at(&b, at + n * 2)?
                } else {
                    0
                },
            })
        });
        Some((level, nodes.collect()))
    }

    fn heap(&mut self, block: u64) -> Option<Heap> {
        let mut blocks = vec![];
        let mut total = 0;
        for l in self.leaves(block) {
            let b = self.block(l).unwrap_or_default();
            total += b.len();
            if total > HEAP_MAX {
                self.limit = true;
                break;
            }
            blocks.push(b);
        }
        if blocks.is_empty() {
            return self.wrong();
        }
        Some(Heap {
            form: self.form,
            blocks,
        })
    }

    fn object(&mut self, node: Node) -> Option<Object> {
        let heap = self.heap(node.data)?;
        let Some((0xbc, root)) = heap.root() else {
            return self.wrong();
        };
        let Some((8, records, whole)) = heap.records(root, PROPERTIES_MAX) else {
            return self.wrong();
        };
        self.damaged |= !whole;
        let properties = records
            .chunks_exact(8)
            .filter_map(|r| {
                Some(Property {
                    id: u16_at(r, 0)?,
                    kind: u16_at(r, 2)?,
                    value: u32_at(r, 4)?,
                })
            })
            .collect();
        Some(Object {
            heap,
            properties,
            inner: self.inner(node.inner),
        })
    }

    /// The bytes a heap or node id stands for.
    fn held(&mut self, heap: &Heap, inner: &[Node], id: u32, most: usize) -> Option<Vec<u8>> {
        if id == 0 {
            return Some(vec![]);
        }
        if id & 0x1f == 0 {
            return match heap.get(id) {
                Some(b) => Some(b.to_vec()),
                None => self.wrong(),
            };
        }
        match inner.binary_search_by_key(&u64::from(id), |n| n.id) {
            Ok(i) => Some(self.value_of(inner[i].data, most)),
            Err(_) => self.wrong(),
        }
    }

    /// The text of a property, several texts one a line; `None` when it holds no text.
    fn text(&mut self, o: &Object, p: Property) -> Option<Vec<u8>> {
        if !matches!(p.kind & !MANY, TEXT8 | TEXT16) {
            return None;
        }
        let b = self.held(&o.heap, &o.inner, p.value, TEXT_MAX)?;
        if p.kind & MANY == 0 {
            return Some(plain(p.kind, &b));
        }
        // A count, where each begins, the texts.
        let count = u32_at(&b, 0).unwrap_or(0) as usize;
        let mut out = vec![];
        for i in 0..count.min(b.len() / 4) {
            let from = u32_at(&b, 4 + i * 4).map(|n| n as usize);
            let to = match u32_at(&b, 8 + i * 4).filter(|_| i + 1 < count) {
                Some(to) => to as usize,
                None => b.len(),
            };
            // Texts that lie in each other are no texts.
            match from.and_then(|from| b.get(from..to)) {
                Some(t) if out.len() + t.len() <= b.len() * 2 => {
                    out.extend(plain(p.kind & !MANY, t));
                    out.push(b'\n');
                }
                _ => self.amiss(),
            }
        }
        Some(out)
    }

    fn text_of(&mut self, o: &Object, id: u16) -> Option<Vec<u8>> {
        let p = o.property(id)?;
        self.text(o, p).filter(|t| !t.trim_ascii().is_empty())
    }

    /// Named properties of the set PS_INTERNET_HEADERS: routes and checksums of the transport.
    fn name_transport(&mut self) {
        const SET: [u8; 16] = [
            0x86, 0x03, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46,
        ];
        let Some(node) = self.nodes_from(NAMES).first().copied() else {
            return;
        };
        if node.id != NAMES {
            return;
        }
        let Some(o) = self.object(node) else { return };
        let mut stream = |id| {
            let p = o.property(id).filter(|p| p.kind == BINARY)?;
            self.held(&o.heap, &o.inner, p.value, HEAP_MAX)
        };
        let (sets, entries) = (stream(2).unwrap_or_default(), stream(3).unwrap_or_default());
        for e in entries.chunks_exact(8) {
            let (Some(set), Some(place)) = (u16_at(e, 4), u16_at(e, 6)) else {
                continue;
            };
            // One and two stand for sets everybody knows.
            let at = usize::from(set >> 1).wrapping_sub(3).saturating_mul(16);
            if sets.get(at..at.saturating_add(16)) == Some(&SET[..]) {
                self.transport.insert(0x8000 | place);
            }
        }
    }

    fn tell(&mut self, bytes: &[u8], out: &mut dyn FnMut(Unit<'_>)) {
        let n = bytes.len() as u64;
        // What is left out counts too: a store that is over its bound is not read on.
        self.told = self.told.saturating_add(n);
        let Some(room) = self.room.checked_sub(n) else {
            self.limit = true;
            return;
        };
        self.room = room;
        out(Unit::Text(bytes));
    }

    /// A name alone, which may be a person's.
    fn tell_name(&mut self, name: &[u8], out: &mut dyn FnMut(Unit<'_>)) {
        self.told += name.len() as u64;
        out(Unit::Fields(&[("", name)]));
        out(Unit::End);
    }

    fn folder(&mut self, node: Node, out: &mut dyn FnMut(Unit<'_>)) {
        if node.data == 0 {
            return;
        }
        let Some(o) = self.object(node) else { return };
        for id in [0x3001, 0x3004] {
            if let Some(t) = self.text_of(&o, id) {
                self.tell_name(&t, out);
            }
        }
    }

    /// Text, people and fields as one document, then what is attached, when `all`.
    fn message(&mut self, node: Node, all: bool, depth: u32, out: &mut dyn FnMut(Unit<'_>)) {
        if depth > DEPTH_MAX {
            self.limit = true;
            return;
        }
        if node.data == 0 {
            return;
        }
        let Some(o) = self.object(node) else { return };
        let mut t: Vec<u8> = vec![];
        let mut line = |b: Vec<u8>, limit: &mut bool| {
            if t.len() + b.len() > TEXT_MAX {
                *limit = true;
                return;
            }
            t.extend(b);
            t.push(b'\n');
        };
        // The subject may begin with a sign and the length of "Re: ".
        let subject = [0x0037, 0x0e1d, 0x0070]
            .into_iter()
            .find_map(|id| self.text_of(&o, id));
        if let Some(s) = subject {
            let s = if s.first() == Some(&1) {
                s.get(2..).unwrap_or_default().to_vec()
            } else {
                s
            };
            line(s, &mut self.limit);
        }
        for id in PEOPLE {
            if let Some(b) = self.text_of(&o, *id) {
                line(b, &mut self.limit);
            }
        }
        if let Some(table) = inner_node(&o.inner, RECIPIENTS) {
            for b in self.column_texts(table, &[0x3001, 0x5ff6, 0x3003, 0x39fe]) {
                line(b, &mut self.limit);
            }
        }
        if let Some(b) = self.body(&o) {
            line(b, &mut self.limit);
        }
        // Whatever else was typed: places, companies, notes, fields of forms.
        for p in o.properties.clone() {
            let known = p.id == 0x0037
                || PEOPLE.contains(&p.id)
                || BODIES.contains(&p.id)
                || TECHNICAL.contains(&p.id)
                || CONTACT.iter().any(|c| c.0 == p.id)
                || self.transport.contains(&p.id);
            if !known && let Some(b) = self.text(&o, p).filter(|b| !b.trim_ascii().is_empty()) {
                line(b, &mut self.limit);
            }
        }
        self.tell(&t, out);
        self.contact(&o, out);
        out(Unit::End);
        if !all {
            return;
        }
        for n in &o.inner {
            if n.kind() == ATTACHMENT {
                self.attachment(*n, depth, out);
            }
        }
    }

    /// Fields of a person.
    fn contact(&mut self, o: &Object, out: &mut dyn FnMut(Unit<'_>)) {
        let mut fields: Vec<(&str, Vec<u8>)> = vec![];
        for (id, name) in CONTACT {
            let Some(p) = o.property(*id) else { continue };
            let value = if p.kind == TIME {
                self.held(&o.heap, &o.inner, p.value, 8)
                    .and_then(|b| day(&b))
            } else {
                self.text(o, p)
            };
            fields.extend(value.map(|v| (*name, v)));
        }
        fields.retain(|f| !f.1.trim_ascii().is_empty());
        if fields.is_empty() {
            return;
        }
        self.told += fields.iter().map(|f| f.1.len() as u64).sum::<u64>();
        let refs: Vec<(&str, &[u8])> = fields.iter().map(|(n, v)| (*n, v.as_slice())).collect();
        out(Unit::Fields(&refs));
    }

    /// The text of the body: the plain one, else the page, else the RTF.
    fn body(&mut self, o: &Object) -> Option<Vec<u8>> {
        if let Some(t) = self.text_of(o, 0x1000) {
            return Some(t);
        }
        if let Some(p) = o.property(0x1013) {
            let page = match p.kind {
                BINARY => self.held(&o.heap, &o.inner, p.value, TEXT_MAX),
                _ => self.text(o, p),
            };
            let t = markup::html(&page.unwrap_or_default());
            if !t.trim().is_empty() {
                return Some(t.into_bytes());
            }
        }
        let p = o.property(0x1009).filter(|p| p.kind == BINARY)?;
        let packed = self.held(&o.heap, &o.inner, p.value, TEXT_MAX)?;
        let Some((rtf, whole)) = unpack_rtf(&packed) else {
            return self.wrong();
        };
        self.damaged |= !whole;
        Some(office::rtf(&rtf).into_bytes())
    }

    fn attachment(&mut self, node: Node, depth: u32, out: &mut dyn FnMut(Unit<'_>)) {
        let Some(o) = self.object(node) else { return };
        // Its long name, else its short one, else what it is called; the path when it was only linked.
        for ids in [&[0x3707, 0x3704, 0x3001][..], &[0x370d, 0x3708]] {
            if let Some(t) = ids.iter().find_map(|id| self.text_of(&o, *id)) {
                self.tell_name(&t, out);
            }
        }
        let method = o.number(0x3705).unwrap_or(0);
        let Some(p) = o.property(0x3701) else {
            // Linked, or emptied when the mail was sent.
            self.damaged |= matches!(method, 1 | 5 | 6);
            return;
        };
        let data = if p.kind == OBJECT {
            let at = self.held(&o.heap, &o.inner, p.value, 8);
            let id = at.and_then(|b| u32_at(&b, 0)).map(u64::from);
            let Some(n) = id.and_then(|id| inner_node(&o.inner, id)) else {
                return self.amiss();
            };
            if method == 5 || n.kind() == MESSAGE {
                return self.message(n, true, depth + 1, out);
            }
            Some(self.value_of(n.data, ATTACHMENT_MAX))
        } else {
            self.held(&o.heap, &o.inner, p.value, ATTACHMENT_MAX)
        };
        let Some(data) = data else { return };
        let n = data.len() as u64;
        self.told = self.told.saturating_add(n);
        let Some(room) = self.room.checked_sub(n) else {
            self.limit = true;
            return;
        };
        self.room = room;
        out(Unit::Member(&data));
    }

    /// The texts of some columns of a table, row by row.
    fn column_texts(&mut self, node: Node, wanted: &[u16]) -> Vec<Vec<u8>> {
        let mut out = vec![];
        let Some(heap) = self.heap(node.data) else {
            return out;
        };
        let Some((0x7c, root)) = heap.root() else {
            self.damaged = true;
            return out;
        };
        let Some(info) = heap.get(root).filter(|i| i.len() >= 22) else {
            self.damaged = true;
            return out;
        };
        // Where in a row the bits lie that tell which columns it has, and how long it is.
        let (Some(bits), Some(size), Some(rows)) =
            (u16_at(info, 6), u16_at(info, 8), u32_at(info, 14))
        else {
            return out;
        };
        let (bits, size) = (usize::from(bits), usize::from(size));
        let columns: Vec<(u16, usize, usize)> = info[22..]
            .chunks_exact(8)
            .take(usize::from(info[1]))
            .filter_map(|c| {
                let (kind, id) = (u16_at(c, 0)?, u16_at(c, 2)?);
                let fits = wanted.contains(&id) && matches!(kind, TEXT8 | TEXT16) && c[6] == 4;
                fits.then_some((kind, usize::from(u16_at(c, 4)?), usize::from(c[7])))
            })
            .collect();
        if size == 0 || columns.is_empty() {
            return out;
        }
        let inner = self.inner(node.inner);
        // Rows do not cross from block to block.
        let pieces: Vec<Vec<u8>> = if rows & 0x1f == 0 {
            heap.get(rows).map(<[u8]>::to_vec).into_iter().collect()
        } else {
            match inner_node(&inner, u64::from(rows)) {
                Some(n) => self
                    .leaves(n.data)
                    .into_iter()
                    .take(HEAP_MAX / 8192)
                    .filter_map(|l| self.block(l))
                    .collect(),
                None => {
                    self.damaged = true;
                    return out;
                }
            }
        };
        let mut total = 0;
        for row in pieces.iter().flat_map(|p| p.chunks_exact(size)) {
            for (kind, at, bit) in &columns {
                let there = row
                    .get(bits + bit / 8)
                    .is_some_and(|b| b & (0x80 >> (bit % 8)) != 0);
                let Some(id) = u32_at(row, *at).filter(|_| there) else {
                    continue;
                };
                if let Some(b) = self.held(&heap, &inner, id, TEXT_MAX) {
                    total += b.len();
                    out.push(plain(*kind, &b));
                }
                if total > TEXT_MAX || out.len() > INNER_MAX * 4 {
                    self.limit = true;
                    return out;
                }
            }
        }
        out
    }
}

const NODE_PAGE: u8 = 0x81;
const BLOCK_PAGE: u8 = 0x80;

fn inner_node(inner: &[Node], id: u64) -> Option<Node> {
    inner
        .binary_search_by_key(&id, |n| n.id)
        .ok()
        .map(|i| inner[i])
}

fn plain(kind: u16, b: &[u8]) -> Vec<u8> {
    if kind == TEXT16 {
        text::narrow(b, false).into_bytes()
    } else {
        b.to_vec()
    }
}

fn inflate(b: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut out = vec![];
    flate2::read::ZlibDecoder::new(b)
        .take(most as u64)
        .read_to_end(&mut out)
        .ok()?;
    (out.len() == most).then_some(out)
}

/// The day of a moment in 100-nanosecond steps since 1601. A day that was typed is kept as its midnight somewhere on earth:
/// the nearest midnight is meant.
fn day(b: &[u8]) -> Option<Vec<u8>> {
    let ticks = u64_at(b, 0)?;
    let days = i64::try_from((ticks / 10_000_000).checked_add(43_200)? / 86_400).ok()?;
    // Days of the proleptic calendar, from 1 March of year 0, in eras of 400 years.
    let z = days + 584_694;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (d, m) = (
        of_year - (153 * shifted + 2) / 5 + 1,
        if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        },
    );
    let y = year + era * 400 + i64::from(m <= 2);
    (1800..2200)
        .contains(&y)
        .then(|| format!("{y:04}-{m:02}-{d:02}").into_bytes())
}

/// Compressed RTF ([MS-OXRTFCP] §2): (RTF, whether all of it was there).
pub fn unpack_rtf(b: &[u8]) -> Option<(Vec<u8>, bool)> {
    const BEGIN: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
    let size = u32_at(b, 4)? as usize;
    let data = b.get(16..)?;
    match b.get(8..12)? {
        b"MELA" => return Some((data[..size.min(data.len())].to_vec(), size <= data.len())),
        b"LZFu" => {}
        _ => return None,
    }
    let mut window = [b' '; 4096];
    window[..BEGIN.len()].copy_from_slice(BEGIN);
    let mut at = BEGIN.len();
    let mut out = vec![];
    let mut input = data.iter().copied();
    while let Some(flags) = input.next() {
        for bit in 0..8 {
            let Some(a) = input.next() else {
                return Some((out, false));
            };
            if flags >> bit & 1 == 0 {
                window[at] = a;
                at = (at + 1) % 4096;
                out.push(a);
                continue;
            }
            let Some(z) = input.next() else {
                return Some((out, false));
            };
            let from = usize::from(a) << 4 | usize::from(z >> 4);
            if from == at {
                return Some((out, true));
            }
            for i in 0..usize::from(z & 0x0f) + 2 {
                let c = window[(from + i) % 4096];
                window[at] = c;
                at = (at + 1) % 4096;
                out.push(c);
            }
            if out.len() > TEXT_MAX {
                return Some((out, false));
            }
        }
    }
    Some((out, false))
}

/// Who wrote, for whom, to whom: names and addresses, as [MS-OXPROPS] numbers them.
const PEOPLE: &[u16] = &[
    0x0c1a, 0x0c1f, 0x5d01, 0x0042, 0x0065, 0x5d02, 0x0e04, 0x0e03, 0x0e02, 0x0040, 0x0044,
];
const BODIES: &[u16] = &[0x1000, 0x1013, 0x1009];
/// Texts nobody typed: class, kinds of address, lines of the transport, names of messages, repeated subjects.
const TECHNICAL: &[u16] = &[
    0x001a, 0x003d, 0x0064, 0x0070, 0x0075, 0x0076, 0x0077, 0x0078, 0x007d, 0x0c1e, 0x0e1d, 0x1035,
    0x1039, 0x1042, 0x1046, 0x3002, 0x340f, 0x3ff8, 0x3ffa, 0x5d0a, 0x5d0b, 0x64f0,
];
/// Fields of a person, under the (folded) headings that a table would give them.
const CONTACT: &[(u16, &str)] = &[
    (0x3a11, "nom"),
    (0x3a06, "prenom"),
    (0x3a44, "deuxieme prenom"),
    (0x3a42, "date de naissance"),
    (0x3a15, "adresse postale"),
    (0x3a5d, "adresse du domicile"),
    (0x3a59, "ville"),
    (0x3a5b, "code postal"),
    (0x3a1c, "telephone mobile"),
    (0x3a09, "telephone du domicile"),
    (0x3a08, "telephone du bureau"),
    (0x3a17, "fonction"),
    (0x3a48, "conjoint"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_and_days_are_those_of_the_standard() {
        // The usual CRC-32 of "123456789" is CBF43926; begun from zero and not turned, it is this.
        assert_eq!(checksum(b"123456789"), 0x2dfd_2d88);
        // 1 January 1970 is 11,644,473,600 seconds after 1601; a birth day in Paris is kept as 23:00 or 22:00 of the day before.
        for (seconds, want) in [
            (11_644_473_600u64, "1970-01-01"),
            (11_644_473_600 - 3600, "1970-01-01"),
            (11_644_473_600 + 5 * 3600, "1970-01-01"),
            (11_644_473_600 + 19_782 * 86_400 - 7200, "2024-02-29"),
        ] {
            let b = (seconds * 10_000_000).to_le_bytes();
            assert_eq!(day(&b).as_deref(), Some(want.as_bytes()), "{seconds}");
        }
        assert_eq!(day(&u64::MAX.to_le_bytes()), None);
    }

    #[test]
    fn what_hides_shows() {
        // The second table undoes itself; method 2 does too.
        for b in 0..=255u8 {
            assert_eq!(MIX[1][usize::from(MIX[1][usize::from(b)])], b);
            assert_eq!(BACK[usize::from(MIX[0][usize::from(b)])], b);
        }
        let mut b = *b"Bonjour";
        reveal(2, 0x1234_5678, &mut b);
        assert_ne!(&b, b"Bonjour");
        reveal(2, 0x1234_5678, &mut b);
        assert_eq!(&b, b"Bonjour");
    }

    /// The example of [MS-OXRTFCP] §4.1.
    #[test]
    fn compressed_rtf_of_the_standard() {
        let packed = [
            0x2d, 0, 0, 0, 0x2b, 0, 0, 0, b'L', b'Z', b'F', b'u', 0xf1, 0xc5, 0xc7, 0xa7, 0x03, 0,
            0x0a, 0, b'r', b'c', b'p', b'g', b'1', b'2', b'5', 0x42, 0x32, 0x0a, 0xf3, 0x20, b'h',
            b'e', b'l', 0x09, 0, 0x20, b'b', b'w', 0x05, 0xb0, b'l', b'd', b'}', 0x0a, 0x80, 0x0f,
            0xa0,
        ];
        let (rtf, whole) = unpack_rtf(&packed).unwrap();
        assert!(whole);
        assert_eq!(
            String::from_utf8(rtf).unwrap(),
            "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
        );
        // Cut anywhere: less, and said so.
        for n in 16..packed.len() {
            assert!(!unpack_rtf(&packed[..n]).unwrap().1);
        }
    }
}
