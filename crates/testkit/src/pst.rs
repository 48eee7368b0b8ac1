//! A writer of Outlook stores: one folder with messages, straight from [MS-PST] (§2.2 nodes and blocks, §2.3 heap, properties
//! and tables, §2.4 messages) and as other readers open it. No allocation maps, no search folders: for reading only.
//! The layout with pages of 4096 bytes is in no standard; it is written as Outlook's own files show it.
use std::io::Write as _;

/// The three layouts of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Before Outlook 2003: numbers of four bytes, texts of eight-bit letters.
    Ansi,
    /// Numbers of eight bytes, texts in UTF-16.
    Unicode,
    /// Outlook 2013 and later, for mirrors of a server: large pages, blocks packed by zlib.
    Wide,
}

/// What a property holds.
#[derive(Debug, Clone)]
pub enum Value {
    Text(String),
    Texts(Vec<String>),
    Bytes(Vec<u8>),
    Number(u32),
    /// 100-nanosecond steps since 1601.
    Time(u64),
}

/// A message, contact or appointment.
#[derive(Debug, Clone, Default)]
pub struct Message {
    pub subject: String,
    /// Any properties: 0x1000 is the plain body, 0x1013 the page, 0x1009 compressed RTF.
    pub properties: Vec<(u16, Value)>,
    /// Name and address.
    pub recipients: Vec<(String, String)>,
    pub attachments: Vec<Attachment>,
}

#[derive(Debug, Clone)]
pub enum Attachment {
    File(String, Vec<u8>),
    Message(Message),
}

/// How the store is written.
pub struct Shape<'a> {
    pub layout: Layout,
    /// 0, or what `hide` does to the bytes of the block so named: 1 and 2 are those of [MS-PST] §5.1 and §5.2.
    pub method: u8,
    pub hide: &'a dyn Fn(u64, &mut [u8]),
}

impl Shape<'_> {
    /// Nothing hidden.
    pub fn plain(layout: Layout) -> Shape<'static> {
        Shape {
            layout,
            method: 0,
            hide: &|_, _| {},
        }
    }
}

/// A whole store with one folder.
pub fn store(shape: &Shape<'_>, folder: &str, messages: &[Message]) -> Vec<u8> {
    let wide = shape.layout == Layout::Wide;
    let mut w = Writer {
        shape,
        out: vec![0; if wide { 0x24000 } else { 0x4800 }],
        blocks: vec![],
        next: 4,
        inner: 0x400,
    };
    let id = [7u8; 16];
    let root = 0x122u32;
    let (subtree, inbox) = (0x8022u32, 0x8042u32);
    let entry = |node: u32| {
        let mut e = vec![0u8; 4];
        e.extend(id);
        e.extend(node.to_le_bytes());
        Value::Bytes(e)
    };
    let of_folder = |name: &str, count: usize, inner: bool| {
        vec![
            (0x3001, Value::Text(name.into())),
            (0x3602, Value::Number(count as u32)),
            (0x3603, Value::Number(0)),
            (0x360a, Value::Number(u32::from(inner))),
        ]
    };
    let mut nodes = vec![];
    let mut add = |w: &mut Writer<'_>, id: u32, parent: u32, p: &[(u16, Value)]| {
        let (data, inner) = w.object(p, vec![]);
        nodes.push((id, data, inner, parent));
    };
    add(
        &mut w,
        0x21,
        0,
        &[
            (0x0ff9, Value::Bytes(id.to_vec())),
            (0x3001, Value::Text("Boîte".into())),
            (0x35df, Value::Number(0x89)),
            (0x35e0, entry(subtree)),
            (0x35e3, entry(subtree)),
            (0x67ff, Value::Number(0)),
        ],
    );
    // One named property, 0x8000, of the transport's headers, and one, 0x8001, that a person typed.
    let headers = [
        0x86, 0x03, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46,
    ];
    let mut names = vec![];
    for (set, place) in [(3u16, 0u16), (2, 1)] {
        names.extend(u32::from(place * 8).to_le_bytes());
        names.extend((set << 1 | 1).to_le_bytes());
        names.extend(place.to_le_bytes());
    }
    let mut strings = vec![];
    for s in ["X", "Y"] {
        strings.extend(2u32.to_le_bytes());
        strings.extend(s.encode_utf16().flat_map(u16::to_le_bytes));
        strings.extend([0, 0]);
    }
    add(
        &mut w,
        0x61,
        0,
        &[
            (0x0001, Value::Number(251)),
            (0x0002, Value::Bytes(headers.to_vec())),
            (0x0003, Value::Bytes(names)),
            (0x0004, Value::Bytes(strings)),
        ],
    );
    add(&mut w, root, root, &of_folder("Racine", 0, true));
    add(&mut w, subtree, root, &of_folder("Dossiers", 0, true));
    add(
        &mut w,
        inbox,
        subtree,
        &of_folder(folder, messages.len(), false),
    );
    for (i, m) in messages.iter().enumerate() {
        let (data, inner) = w.message(m);
        nodes.push((0x0020_0004 + 0x20 * i as u32, data, inner, inbox));
    }
    nodes.sort_by_key(|n| n.0);
    w.finish(&nodes)
}

struct Writer<'a> {
    shape: &'a Shape<'a>,
    out: Vec<u8>,
    /// Block, place, size.
    blocks: Vec<(u64, u64, usize)>,
    next: u64,
    /// Number of the next node inside a node.
    inner: u32,
}

/// A node inside a node: id, data, inner.
type Inner = (u32, u64, u64);

impl Writer<'_> {
    fn number(&self, n: u64) -> Vec<u8> {
        match self.shape.layout {
            Layout::Ansi => (n as u32).to_le_bytes().to_vec(),
            _ => n.to_le_bytes().to_vec(),
        }
    }

    /// What ends a page or block, in the order of its layout.
    fn name_and_sum(&self, b: &mut Vec<u8>, id: u64, sum: u32) {
        let (id, sum) = (self.number(id), sum.to_le_bytes());
        match self.shape.layout {
            Layout::Ansi => b.extend([&id[..], &sum].concat()),
            _ => b.extend([&sum[..], &id].concat()),
        }
    }

    fn block_max(&self) -> usize {
        match self.shape.layout {
            Layout::Ansi => 8180,
            Layout::Unicode => 8176,
            Layout::Wide => 65_512,
        }
    }

    fn block(&mut self, mut b: Vec<u8>, listed: bool) -> u64 {
        let layout = self.shape.layout;
        let id = self.next | u64::from(listed) << 1;
        self.next += 4;
        let whole = b.len();
        if !listed {
            (self.shape.hide)(id, &mut b);
        }
        if layout == Layout::Wide && whole > 512 {
            let mut z = flate2::write::ZlibEncoder::new(vec![], flate2::Compression::fast());
            let packed = z.write_all(&b).and_then(|()| z.finish());
            b = packed.ok().filter(|p| p.len() < whole).unwrap_or(b);
        }
        let (trailer, unit) = match layout {
            Layout::Ansi => (12, 64),
            Layout::Unicode => (16, 64),
            Layout::Wide => (24, 512),
        };
        let at = self.out.len() as u64;
        let sum = checksum(&b);
        let size = b.len();
        b.resize((size + trailer).next_multiple_of(unit) - trailer, 0);
        b.extend((size as u16).to_le_bytes());
        b.extend(sign(at, id).to_le_bytes());
        self.name_and_sum(&mut b, id, sum);
        if layout == Layout::Wide {
            b.extend(1u16.to_le_bytes());
            b.extend((if whole == size { 0 } else { whole as u16 }).to_le_bytes());
            b.extend([0; 4]);
        }
        self.out.extend(b);
        self.blocks.push((id, at, size));
        id
    }

    /// A value of any length: one block, a list of blocks, a list of lists.
    fn value(&mut self, b: &[u8]) -> u64 {
        let max = self.block_max();
        if b.len() <= max {
            return self.block(b.to_vec(), false);
        }
        let parts: Vec<(u64, usize)> = b
            .chunks(max)
            .map(|c| (self.block(c.to_vec(), false), c.len()))
            .collect();
        let most = (8176 - 8) / self.number(0).len();
        let mut lists: Vec<(u64, usize)> = vec![];
        for some in parts.chunks(most) {
            lists.push(self.list(1, some));
        }
        if lists.len() == 1 {
            lists[0].0
        } else {
            self.list(2, &lists).0
        }
    }

    fn list(&mut self, level: u8, parts: &[(u64, usize)]) -> (u64, usize) {
        let total: usize = parts.iter().map(|p| p.1).sum();
        let mut b = vec![1, level];
        b.extend((parts.len() as u16).to_le_bytes());
        b.extend((total as u32).to_le_bytes());
        for p in parts {
            b.extend(self.number(p.0));
        }
        (self.block(b, true), total)
    }

    fn inner_of(&mut self, mut nodes: Vec<Inner>) -> u64 {
        if nodes.is_empty() {
            return 0;
        }
        nodes.sort_by_key(|n| n.0);
        let wide = self.shape.layout != Layout::Ansi;
        let head = |level: u8, count: usize| {
            let mut b = vec![2, level];
            b.extend((count as u16).to_le_bytes());
            if wide {
                b.extend([0; 4]);
            }
            b
        };
        let mut leaves = vec![];
        for some in nodes.chunks(300) {
            let mut b = head(0, some.len());
            for (id, data, inner) in some {
                b.extend(self.number(u64::from(*id)));
                b.extend(self.number(*data));
                b.extend(self.number(*inner));
            }
            leaves.push((some[0].0, self.block(b, true)));
        }
        if let [(_, one)] = leaves[..] {
            return one;
        }
        let mut b = head(1, leaves.len());
        for (id, block) in leaves {
            b.extend(self.number(u64::from(id)));
            b.extend(self.number(block));
        }
        self.block(b, true)
    }

    fn fresh(&mut self, kind: u32) -> u32 {
        self.inner += 1;
        self.inner << 5 | kind
    }

    fn bytes_of(&self, v: &Value) -> (u16, Vec<u8>) {
        let ansi = self.shape.layout == Layout::Ansi;
        let text = |t: &str| -> Vec<u8> {
            if ansi {
                t.chars()
                    .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
                    .collect()
            } else {
                t.encode_utf16().flat_map(u16::to_le_bytes).collect()
            }
        };
        let kind = if ansi { 0x1e } else { 0x1f };
        match v {
            Value::Text(t) => (kind, text(t)),
            Value::Texts(all) => {
                let parts: Vec<Vec<u8>> = all.iter().map(|t| text(t)).collect();
                let mut b = (all.len() as u32).to_le_bytes().to_vec();
                let mut at = 4 + 4 * all.len();
                for p in &parts {
                    b.extend((at as u32).to_le_bytes());
                    at += p.len();
                }
                b.extend(parts.concat());
                (0x1000 | kind, b)
            }
            Value::Bytes(b) => (0x0102, b.clone()),
            Value::Number(n) => (3, n.to_le_bytes().to_vec()),
            Value::Time(t) => (0x40, t.to_le_bytes().to_vec()),
        }
    }

    /// Puts a value on the heap, or beside it when it is long; gives its id.
    fn put(&mut self, heap: &mut Heap, inner: &mut Vec<Inner>, b: Vec<u8>) -> u32 {
        if b.is_empty() {
            return 0;
        }
        if b.len() <= 3580 {
            return heap.put(b);
        }
        let id = self.fresh(0x1f);
        let data = self.value(&b);
        inner.push((id, data, 0));
        id
    }

    fn heap(&self) -> Heap {
        Heap {
            wide: self.shape.layout == Layout::Wide,
            max: self.block_max() - 600,
            pages: vec![vec![]],
        }
    }

    /// Writes a heap page by page and gives its block.
    fn heap_done(&mut self, heap: Heap, kind: u8, root: u32) -> u64 {
        let pages = heap.bytes(kind, root);
        if let [one] = &pages[..] {
            return self.block(one.clone(), false);
        }
        let parts: Vec<(u64, usize)> = pages
            .into_iter()
            .map(|p| {
                let n = p.len();
                (self.block(p, false), n)
            })
            .collect();
        self.list(1, &parts).0
    }

    /// An object with these properties and nodes inside: (data, inner).
    fn object(&mut self, properties: &[(u16, Value)], mut inner: Vec<Inner>) -> (u64, u64) {
        let mut sorted = properties.to_vec();
        sorted.sort_by_key(|p| p.0);
        let mut heap = self.heap();
        // The heading of the tree is the first thing on the heap.
        let root = heap.put(vec![0; 8]);
        let mut records = vec![];
        for (id, v) in &sorted {
            // What is attached as an object names the node that holds it.
            let (mut kind, b) = self.bytes_of(v);
            let value = match v {
                Value::Number(n) => *n,
                Value::Bytes(_) if *id == 0x3701 && b.len() == 8 => {
                    kind = 0x0d;
                    heap.put(b)
                }
                _ => self.put(&mut heap, &mut inner, b),
            };
            if matches!(id, 0x360a | 0x0e1b) {
                kind = 0x0b;
            }
            records.extend(id.to_le_bytes());
            records.extend(kind.to_le_bytes());
            records.extend(value.to_le_bytes());
        }
        let at = heap.put(records);
        heap.set(root, &tree_head(2, 6, at));
        let data = self.heap_done(heap, 0xbc, root);
        (data, self.inner_of(inner))
    }

    fn message(&mut self, m: &Message) -> (u64, u64) {
        let mut inner = vec![];
        let mut p = vec![
            (0x001a, Value::Text("IPM.Note".into())),
            (0x0037, Value::Text(m.subject.clone())),
            (
                0x0e07,
                Value::Number(1 | u32::from(!m.attachments.is_empty()) << 4),
            ),
            (0x0e08, Value::Number(1000)),
            (0x0e17, Value::Number(0)),
            (0x0039, Value::Time(133_540_000_000_000_000)),
            (0x0e06, Value::Time(133_540_000_000_000_000)),
        ];
        for (id, v) in &m.properties {
            p.retain(|x| x.0 != *id);
            p.push((*id, v.clone()));
        }
        if !m.recipients.is_empty() {
            let (data, nodes) = self.recipients(&m.recipients);
            inner.push((0x692, data, nodes));
        }
        let rows: Vec<u32> = m.attachments.iter().map(|_| self.fresh(5)).collect();
        for (a, id) in m.attachments.iter().zip(&rows) {
            let (data, nodes) = match a {
                Attachment::File(name, bytes) => self.object(
                    &[
                        (0x0e20, Value::Number(bytes.len() as u32)),
                        (0x3701, Value::Bytes(bytes.clone())),
                        (0x3705, Value::Number(1)),
                        (0x3707, Value::Text(name.clone())),
                        (0x370b, Value::Number(u32::MAX)),
                    ],
                    vec![],
                ),
                Attachment::Message(m) => {
                    let node = self.fresh(4);
                    let (data, nodes) = self.message(m);
                    let mut b = node.to_le_bytes().to_vec();
                    b.extend(1000u32.to_le_bytes());
                    self.object(
                        &[
                            (0x0e20, Value::Number(1000)),
                            (0x3701, Value::Bytes(b)),
                            (0x3705, Value::Number(5)),
                            (0x370b, Value::Number(u32::MAX)),
                        ],
                        vec![(node, data, nodes)],
                    )
                }
            };
            inner.push((*id, data, nodes));
        }
        if !rows.is_empty() {
            let columns = [(0x0e20, 3), (0x3705, 3)];
            let cells: Vec<Vec<Vec<u8>>> = rows
                .iter()
                .map(|_| vec![0u32.to_le_bytes().to_vec(), 1u32.to_le_bytes().to_vec()])
                .collect();
            let (data, nodes) = self.table(&columns, &rows, &cells);
            inner.push((0x671, data, nodes));
        }
        self.object(&p, inner)
    }

    fn recipients(&mut self, people: &[(String, String)]) -> (u64, u64) {
        let text = self.bytes_of(&Value::Text(String::new())).0;
        let columns = [(0x0c15, 3), (0x3001, text), (0x3002, text), (0x3003, text)];
        let ids: Vec<u32> = (0..people.len() as u32).collect();
        let cells: Vec<Vec<Vec<u8>>> = people
            .iter()
            .map(|(name, address)| {
                let t = |s: &str| self.bytes_of(&Value::Text(s.into())).1;
                vec![1u32.to_le_bytes().to_vec(), t(name), t("SMTP"), t(address)]
            })
            .collect();
        self.table(&columns, &ids, &cells)
    }

    /// A table: columns of (tag, type) sorted by tag, all four bytes wide; rows by id.
    fn table(&mut self, columns: &[(u16, u16)], ids: &[u32], rows: &[Vec<Vec<u8>>]) -> (u64, u64) {
        let ansi = self.shape.layout == Layout::Ansi;
        let mut heap = self.heap();
        let mut inner = vec![];
        let mut all: Vec<(u16, u16)> = columns.to_vec();
        // The row's id and version come first in a row.
        all.extend([(0x67f2, 3), (0x67f3, 3)]);
        let width = all.len() * 4;
        let size = width + all.len().div_ceil(8);
        let place = |i: usize| {
            if i < columns.len() {
                i + 2
            } else {
                i - columns.len()
            }
        };
        let info = heap.put(vec![0; 22 + all.len() * 8]);
        let head = heap.put(vec![0; 8]);
        let mut matrix = vec![];
        let mut index = vec![];
        // Rows do not cross from block to block.
        let (per_block, gap) = (self.block_max() / size, self.block_max() % size);
        for (n, (id, cells)) in ids.iter().zip(rows).enumerate() {
            index.extend(id.to_le_bytes());
            if ansi {
                index.extend((n as u16).to_le_bytes());
            } else {
                index.extend((n as u32).to_le_bytes());
            }
            if n > 0 && n % per_block == 0 && rows.len() * size > 3580 {
                matrix.extend(vec![0; gap]);
            }
            matrix.extend(id.to_le_bytes());
            matrix.extend(1u32.to_le_bytes());
            for (cell, (_, kind)) in cells.iter().zip(columns) {
                if *kind == 3 {
                    matrix.extend(cell);
                } else {
                    let at = self.put(&mut heap, &mut inner, cell.clone());
                    matrix.extend(at.to_le_bytes());
                }
            }
            let mut bits = vec![0u8; size - width];
            for i in 0..all.len() {
                bits[i / 8] |= 0x80 >> (i % 8);
            }
            matrix.extend(bits);
        }
        let rows_at = self.put(&mut heap, &mut inner, matrix);
        let entry = if ansi { 2 } else { 4 };
        // Long tables need a level more; the index of a short one lies on one page.
        let index_at = heap.tree(4, entry, index);
        heap.set(head, &index_at);
        let mut b = vec![0x7c, all.len() as u8];
        for end in [width, width, width, size] {
            b.extend((end as u16).to_le_bytes());
        }
        b.extend(head.to_le_bytes());
        b.extend(rows_at.to_le_bytes());
        b.extend([0; 4]);
        for (i, (tag, kind)) in all.iter().enumerate() {
            b.extend(kind.to_le_bytes());
            b.extend(tag.to_le_bytes());
            b.extend((place(i) as u16 * 4).to_le_bytes());
            b.push(4);
            b.push(place(i) as u8);
        }
        heap.set(info, &b);
        let data = self.heap_done(heap, 0x7c, info);
        (data, self.inner_of(inner))
    }

    /// A B-tree of pages over entries of one size; gives (block, place) of its root.
    fn pages(&mut self, mut entries: Vec<Vec<u8>>, kind: u8) -> (u64, u64) {
        let layout = self.shape.layout;
        let (page, body, room) = match layout {
            Layout::Ansi => (512, 500, 496),
            Layout::Unicode => (512, 496, 488),
            Layout::Wide => (4096, 4072, 4056),
        };
        let mut level = 0u8;
        loop {
            let size = entries[0].len();
            let most = room / size;
            let mut above = vec![];
            let mut last = (0, 0);
            for some in entries.chunks(most) {
                let len = self.out.len().next_multiple_of(page);
                self.out.resize(len, 0);
                let (at, id) = (len as u64, self.next);
                self.next += 4;
                let mut b: Vec<u8> = some.concat();
                b.resize(room, 0);
                if layout == Layout::Wide {
                    b.extend((some.len() as u16).to_le_bytes());
                    b.extend((most as u16).to_le_bytes());
                } else {
                    b.extend([some.len() as u8, most as u8]);
                }
                b.extend([size as u8, level]);
                b.resize(body, 0);
                let sum = checksum(&b);
                b.extend([kind, kind]);
                b.extend(sign(at, id).to_le_bytes());
                self.name_and_sum(&mut b, id, sum);
                b.resize(page, 0);
                self.out.extend(b);
                let key = &some[0][..self.number(0).len()];
                above.push([key, &self.number(id), &self.number(at)].concat());
                last = (id, at);
            }
            if above.len() == 1 {
                return last;
            }
            entries = above;
            level += 1;
        }
    }

    fn finish(mut self, nodes: &[(u32, u64, u64, u32)]) -> Vec<u8> {
        let ansi = self.shape.layout == Layout::Ansi;
        let of_nodes = nodes
            .iter()
            .map(|(id, data, inner, parent)| {
                let mut e = self.number(u64::from(*id));
                e.extend(self.number(*data));
                e.extend(self.number(*inner));
                e.extend(self.number(u64::from(*parent)));
                e
            })
            .collect();
        let mut sorted = self.blocks.clone();
        sorted.sort_unstable();
        let of_blocks = sorted
            .iter()
            .map(|(id, at, size)| {
                let mut e = self.number(*id);
                e.extend(self.number(*at));
                e.extend((*size as u16).to_le_bytes());
                e.extend(2u16.to_le_bytes());
                if !ansi {
                    e.extend([0; 4]);
                }
                e
            })
            .collect();
        let n = self.pages(of_nodes, 0x81);
        let b = self.pages(of_blocks, 0x80);
        let end = self.out.len() as u64;
        let mut h = b"!BDN\0\0\0\0".to_vec();
        h.extend(if self.shape.layout == Layout::Wide {
            b"SO"
        } else {
            b"SM"
        });
        let version: u16 = match self.shape.layout {
            Layout::Ansi => 14,
            Layout::Unicode => 23,
            Layout::Wide => 36,
        };
        h.extend(version.to_le_bytes());
        h.extend([19, 0, 1, 1]);
        h.resize(24, 0);
        let next = self.number(self.next);
        if ansi {
            h.extend(&next);
            h.extend(&next);
        } else {
            h.extend([0; 8]);
            h.extend(&next);
        }
        h.extend(1u32.to_le_bytes());
        for i in 0..32u32 {
            h.extend((0x400 + self.inner + i).to_le_bytes());
        }
        h.resize(if ansi { 164 } else { 180 }, 0);
        // The root: where the file ends, its last map, free bytes, the two trees; its maps are not valid.
        h.extend([0; 4]);
        h.extend(self.number(end));
        for _ in 0..3 {
            h.extend(self.number(0));
        }
        for t in [n, b] {
            h.extend(self.number(t.0));
            h.extend(self.number(t.1));
        }
        h.extend([0; 4]);
        if !ansi {
            h.extend([0; 4]);
        }
        h.extend([0xff; 256]);
        h.extend([0x80, self.shape.method, 0, 0]);
        if ansi {
            h.resize(512, 0);
        } else {
            h.extend(next);
            let whole = checksum(&h[8..524]);
            h.extend(whole.to_le_bytes());
            h.resize(564, 0);
        }
        let part = checksum(&h[8..479]);
        h[4..8].copy_from_slice(&part.to_le_bytes());
        self.out[..h.len()].copy_from_slice(&h);
        self.out
    }
}

/// A heap while it is filled: pieces per page.
struct Heap {
    wide: bool,
    /// Bytes of a page that are filled.
    max: usize,
    pages: Vec<Vec<Vec<u8>>>,
}

fn tree_head(key: u8, entry: u8, at: u32) -> Vec<u8> {
    let mut h = vec![0xb5, key, entry, 0];
    h.extend(at.to_le_bytes());
    h
}

impl Heap {
    fn put(&mut self, b: Vec<u8>) -> u32 {
        let used = |p: &Vec<Vec<u8>>| p.iter().map(|x| x.len() + 2).sum::<usize>();
        let places = if self.wide { 16_000 } else { 2_000 };
        let full = self
            .pages
            .last()
            .is_none_or(|p| used(p) + b.len() > self.max || p.len() >= places);
        if full {
            self.pages.push(vec![]);
        }
        let page = self.pages.len() - 1;
        self.pages[page].push(b);
        let place = self.pages[page].len();
        let shift = if self.wide { 19 } else { 16 };
        (page as u32) << shift | (place as u32) << 5
    }

    fn set(&mut self, id: u32, b: &[u8]) {
        let (shift, mask) = if self.wide { (19, 0x3fff) } else { (16, 0x7ff) };
        let place = (id >> 5 & mask) as usize - 1;
        self.pages[(id >> shift) as usize][place] = b.to_vec();
    }

    /// The heading of a tree over records, of two levels when they do not fit into one piece.
    fn tree(&mut self, key: usize, entry: usize, records: Vec<u8>) -> Vec<u8> {
        let size = key + entry;
        if records.len() <= 3580 {
            let at = if records.is_empty() {
                0
            } else {
                self.put(records)
            };
            return tree_head(key as u8, entry as u8, at);
        }
        let mut above = vec![];
        for some in records.chunks(3580 / size * size) {
            let at = self.put(some.to_vec());
            above.extend(&some[..key]);
            above.extend(at.to_le_bytes());
        }
        let mut h = tree_head(key as u8, entry as u8, self.put(above));
        h[3] = 1;
        h
    }

    fn bytes(&self, kind: u8, root: u32) -> Vec<Vec<u8>> {
        let mut out = vec![];
        for (i, pieces) in self.pages.iter().enumerate() {
            let mut b = vec![0, 0];
            // The first page says what the heap holds; every 128th from the ninth on tells how full pages are.
            if i == 0 {
                b.extend([0xec, kind]);
                b.extend(root.to_le_bytes());
                b.extend([0; 4]);
            } else if i % 128 == 8 {
                b.extend([0; 64]);
            }
            let mut ends = vec![b.len() as u16];
            for p in pieces {
                b.extend(p);
                ends.push(b.len() as u16);
            }
            if b.len() % 2 == 1 {
                b.push(0);
            }
            let map = b.len() as u16;
            b[..2].copy_from_slice(&map.to_le_bytes());
            b.extend((pieces.len() as u16).to_le_bytes());
            b.extend([0, 0]);
            for e in ends {
                b.extend(e.to_le_bytes());
            }
            out.push(b);
        }
        out
    }
}

/// [MS-PST] §5.5.
fn sign(at: u64, id: u64) -> u16 {
    let x = (at ^ id) as u32;
    (x >> 16) as u16 ^ x as u16
}

/// [MS-PST] §5.3.
fn checksum(b: &[u8]) -> u32 {
    b.iter().fold(0, |mut c, b| {
        c ^= u32::from(*b);
        for _ in 0..8 {
            c = if c & 1 == 1 {
                c >> 1 ^ 0xedb8_8320
            } else {
                c >> 1
            };
        }
        c
    })
}
