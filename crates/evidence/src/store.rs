//! The file calls of a lake, all of them, so that each can be made to fail in a test. Paths are relative to the lake, with `/`.
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Where a lake lives. Errors are plain I/O errors; the caller adds the place.
pub trait Store: Send + Sync {
    /// Opens `path` for writing from nothing; an earlier file of that name is emptied.
    fn create(&self, path: &str) -> io::Result<Box<dyn StoreFile>>;
    /// Replaces `to` by `from` in one step.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes the names in `dir` survive a power loss. `""` is the lake itself.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
    /// Makes one folder; it may exist already.
    fn make_dir(&self, dir: &str) -> io::Result<()>;
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
    /// Exactly `len` bytes from `offset`.
    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    fn size(&self, path: &str) -> io::Result<u64>;
    /// Names in a folder, sorted; none when the folder is missing.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Takes the writer's lock until the value is dropped or the process ends, however it ends. `None`: another holds it.
    fn lock(&self, path: &str) -> io::Result<Option<Box<dyn Send + Sync>>>;
    /// Lets another writer get on; called between two tries of [`Store::lock`].
    fn pause(&self, milliseconds: u64);
}

/// A file being written.
pub trait StoreFile: Send {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when the bytes survive a power loss.
    fn sync(&mut self) -> io::Result<()>;
}

/// A local folder.
pub struct FolderStore {
    root: PathBuf,
}

impl FolderStore {
    pub fn new(root: &Path) -> FolderStore {
        FolderStore {
            root: root.to_path_buf(),
        }
    }
    fn at(&self, path: &str) -> PathBuf {
        if path.is_empty() {
            self.root.clone()
        } else {
            self.root.join(path)
        }
    }
}

impl StoreFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Store for FolderStore {
    fn create(&self, path: &str) -> io::Result<Box<dyn StoreFile>> {
        Ok(Box::new(
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .open(self.at(path))?,
        ))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.at(from), self.at(to))
    }
    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        // Only Unix can open a folder to sync it; elsewhere the file system orders names itself.
        if cfg!(unix) {
            File::open(self.at(dir))?.sync_all()
        } else {
            Ok(())
        }
    }
    fn make_dir(&self, dir: &str) -> io::Result<()> {
        match std::fs::create_dir(self.at(dir)) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound && dir.is_empty() => {
                std::fs::create_dir_all(self.at(dir))
            }
            other => other,
        }
    }
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.at(path))
    }
    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.at(path))?;
        // The length is checked before it is reserved: a damaged table must not ask for all memory.
        if offset.saturating_add(len as u64) > file.metadata()?.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; len];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
    fn size(&self, path: &str) -> io::Result<u64> {
        Ok(std::fs::metadata(self.at(path))?.len())
    }
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(self.at(dir)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            other => other?,
        };
        let mut names = vec![];
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        std::fs::remove_file(self.at(path))
    }
    fn lock(&self, path: &str) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.at(path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
    fn pause(&self, milliseconds: u64) {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    }
}
