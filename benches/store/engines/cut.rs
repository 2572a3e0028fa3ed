//! What a power cut leaves of a directory: of all that was written since the last sync, any pages and not others.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::workload::Random;

const PAGE: usize = 4096;

/// All files below a directory with their contents.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

/// Reads a directory.
pub(crate) fn image(directory: &Path) -> Image {
    let mut image = Image::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).expect("list").flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(directory).expect("below").to_str().expect("name").to_owned();
                image.insert(name, fs::read(entry.path()).expect("read"));
            }
        }
    }
    image
}

/// Writes to `directory` what was synced in `before`, and any of the pages in which `after` differs. A file that got
/// shorter keeps its length: redb cuts a file only when the sync that ends a commit is done.
pub(crate) fn write_torn(before: &Image, after: &Image, directory: &Path, random: &mut Random) {
    for (name, contents) in after {
        let synced = before.get(name).map_or(&[][..], |c| c);
        let mut torn = contents.clone();
        if let Some(cut_off) = synced.get(contents.len()..) {
            torn.extend_from_slice(cut_off);
        }
        for (i, page) in torn.chunks_mut(PAGE).enumerate() {
            let old = synced.get(i * PAGE..).unwrap_or_default();
            let old = &old[..old.len().min(page.len())];
            if old != page && random.below(2) == 0 {
                page.fill(0);
                page[..old.len()].copy_from_slice(old);
            }
        }
        let path = directory.join(name);
        fs::create_dir_all(path.parent().expect("parent")).expect("directory");
        write_with_holes(&path, &torn);
    }
}

/// A journal is mostly nothing yet, which need not be written.
fn write_with_holes(path: &Path, contents: &[u8]) {
    use std::os::unix::fs::FileExt;
    let file = fs::File::create(path).expect("create");
    file.set_len(contents.len() as u64).expect("length");
    for (i, page) in contents.chunks(PAGE).enumerate() {
        if page.iter().any(|octet| *octet != 0) {
            file.write_all_at(page, (i * PAGE) as u64).expect("write");
        }
    }
}
