//! Writes a target's built-in inputs into a folder, for a fuzzer to start from:
//! `cargo run -p hamsa-fuzz --example write_seeds -- v3_message FOLDER`.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("two arguments, please: a target and a folder".into());
    };
    let target = hamsa_fuzz::target(&name).ok_or_else(|| format!("no target is named {name}"))?;
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder)?;
    for (i, input) in (target.seeds)().into_iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{i:03}")), input)?;
    }
    Ok(())
}
