//! Variables on standard output: lines as net-snmp's tools print them, tables, JSON, CSV.
//!
//! Lines and objects go out as they come; tables only when all their rows are there.

mod csv;
mod json;
mod line;
mod rows;
mod table;

use std::io::{self, BufWriter, StdoutLock, Write};

use hamsa_snmp::VarBind;

pub use csv::write_record;
pub use line::name_text;
pub use table::{Column, Grid};

use crate::failure::usage;
use crate::options::{Layout, LazyMib, LineFormat, OutputOptions};
use crate::terminal;
use json::Variable;
use rows::Rows;

/// Prints one line, or several.
///
/// # Errors
/// Standard output is closed or full.
pub fn line_out(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

/// Prints variables.
pub struct Printer<'m> {
    mib: &'m LazyMib,
    format: LineFormat,
    layout: Layout,
    rows: Option<Rows>,
    out: BufWriter<StdoutLock<'static>>,
    count: usize,
}

impl<'m> Printer<'m> {
    /// A printer on standard output.
    ///
    /// # Errors
    /// The options make no sense.
    pub fn new(options: &OutputOptions, mib: &'m LazyMib) -> anyhow::Result<Self> {
        let format = options.values.line_format()?;
        if options.rows && options.layout == Layout::Plain {
            return Err(usage("--rows goes with --output table, json or csv"));
        }
        let by_rows = options.rows || options.layout == Layout::Table;
        let rows = by_rows.then(|| Rows::new(format, options.layout == Layout::Json));
        Ok(Printer { mib, format, layout: options.layout, rows, out: BufWriter::new(io::stdout().lock()), count: 0 })
    }

    /// Prints a variable, or keeps it until all are there.
    ///
    /// # Errors
    /// Standard output is closed or full.
    pub fn variable(&mut self, variable: VarBind<'_>) -> io::Result<()> {
        self.count += 1;
        let mib = self.mib.get();
        if let Some(rows) = &mut self.rows {
            rows.add(mib, &variable);
            return Ok(());
        }
        match self.layout {
            Layout::Plain | Layout::Table => {
                let text = terminal::harmless(&line::line(mib, &self.format, &variable));
                writeln!(self.out, "{text}")
            }
            Layout::Json => {
                serde_json::to_writer(&mut self.out, &Variable::new(mib, &self.format, &variable))?;
                writeln!(self.out)
            }
            Layout::Csv => {
                if self.count == 1 {
                    write_record(&mut self.out, ["oid", "name", "instance", "type", "value", "units"])?;
                }
                let object = mib.object_of(variable.name);
                let instance = object.map_or_else(String::new, |(_, suffix)| suffix.to_string());
                let units = object.and_then(|(object, _)| object.units()).unwrap_or_default();
                let value = line::plain_text(mib, &self.format, object.map(|(object, _)| object), &variable.value);
                let name = name_text(mib, self.format.names, variable.name);
                let oid = variable.name.to_string();
                write_record(&mut self.out, [&*oid, &name, &instance, json::type_name(&variable.value), &value, units])
            }
        }
    }

    /// How many variables were printed or kept.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Shows what was printed so far: a reader need not wait for the end.
    ///
    /// # Errors
    /// Standard output is closed or full.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Prints what was kept.
    ///
    /// # Errors
    /// Standard output is closed or full, or CSV can't hold what was found.
    pub fn finish(mut self) -> anyhow::Result<()> {
        if let Some(rows) = self.rows.take() {
            let mib = self.mib.get();
            match self.layout {
                Layout::Json => rows.write_json(&mut self.out, mib)?,
                Layout::Csv => rows.write_csv(&mut self.out, mib)?,
                Layout::Plain | Layout::Table => rows.write_tables(&mut self.out, mib, terminal::width())?,
            }
        }
        self.out.flush()?;
        Ok(())
    }
}
