//! Variables gathered into the rows of their conceptual tables (RFC 2578 §7.1.12).
//!
//! Tables with the same rows are one: `ifXTable` augments `ifTable`, so both together have one row an interface.

use std::collections::BTreeMap;
use std::io::{self, Write};

use hamsa_snmp::mib::{Mib, NodeKind, Object};
use hamsa_snmp::{Oid, VarBind};
use serde_json::Value as Json;

use super::csv::write_record;
use super::json::{Members, index_value, json_value, label};
use super::line::{name_text, plain_text};
use super::table::{Column, Grid};
use crate::failure::usage;
use crate::options::LineFormat;
use crate::terminal::in_one_line;

/// What was found, by table and row.
pub struct Rows {
    format: LineFormat,
    as_json: bool,
    /// In the order of the first variable of each.
    tables: Vec<Table>,
    /// Variables of no table: name and value.
    others: Vec<(String, Cell)>,
}

struct Table {
    /// The row that gives the index.
    row: Oid,
    /// Columns found, each with its name; in OID order.
    columns: BTreeMap<Oid, String>,
    /// By instance.
    rows: BTreeMap<Vec<u32>, Row>,
}

#[derive(Default)]
struct Row {
    index: Vec<(String, Cell)>,
    cells: BTreeMap<Oid, Cell>,
}

/// A value, ready to be printed.
enum Cell {
    Text(String),
    Json(Json),
}

impl Rows {
    /// Nothing yet. `as_json` keeps values for [`Rows::write_json`], else for the other two.
    pub fn new(format: LineFormat, as_json: bool) -> Self {
        Rows { format, as_json, tables: Vec::new(), others: Vec::new() }
    }

    /// Takes a variable.
    pub fn add(&mut self, mib: &Mib, variable: &VarBind<'_>) {
        let found = mib.object_of(variable.name);
        let object = found.map(|(object, _)| object);
        let cell = match self.as_json {
            true => Cell::Json(self.json_cell(mib, object, variable)),
            false => Cell::Text(plain_text(mib, &self.format, object, &variable.value)),
        };
        let place = found.and_then(|(object, suffix)| {
            let row = Some(object).filter(|object| object.kind() == NodeKind::Column)?.base_row()?;
            Some((object, row, object.decode_index(suffix).ok()?, suffix.arcs().collect::<Vec<u32>>()))
        });
        let Some((object, base, fields, instance)) = place else {
            return self.others.push((name_text(mib, self.format.names, variable.name), cell));
        };
        let base = base.oid().to_owned();
        let at = self.tables.iter().position(|table| table.row == base).unwrap_or_else(|| {
            self.tables.push(Table { row: base, columns: BTreeMap::new(), rows: BTreeMap::new() });
            self.tables.len() - 1
        });
        let table = &mut self.tables[at];
        let row = table.rows.entry(instance).or_insert_with(|| {
            let cell = |field| match self.as_json {
                true => Cell::Json(index_value(field)),
                false => Cell::Text(field.text()),
            };
            Row { index: fields.iter().map(|field| (field.name().to_owned(), cell(field))).collect(), ..Row::default() }
        });
        // What the index says already is no column of its own.
        if !row.index.iter().any(|(name, _)| name == object.name()) {
            let column = object.oid().to_owned();
            row.cells.insert(column.clone(), cell);
            table.columns.entry(column).or_insert_with(|| object.name().to_owned());
        }
    }

    fn json_cell(&self, mib: &Mib, object: Option<Object<'_>>, variable: &VarBind<'_>) -> Json {
        match label(object, &variable.value).filter(|_| !self.format.numeric_enumerations) {
            Some(label) => label.into(),
            None => json_value(mib, object, &variable.value).0,
        }
    }

    /// One object a row, and one with all that is in no table.
    ///
    /// # Errors
    /// The writer's.
    pub fn write_json(self, out: &mut impl Write, mib: &Mib) -> io::Result<()> {
        if !self.others.is_empty() {
            let members = self.others.into_iter().map(|(name, cell)| (name, cell.into_json()));
            write_object(out, members.collect())?;
        }
        for table in self.tables {
            let name = table.title(mib);
            for row in table.rows.into_values() {
                let mut members = vec![("table".to_owned(), name.clone().into())];
                members.extend(row.index.into_iter().map(|(name, cell)| (name, cell.into_json())));
                let cells =
                    row.cells.into_iter().map(|(column, cell)| (table.columns[&column].clone(), cell.into_json()));
                members.extend(cells);
                write_object(out, members)?;
            }
        }
        Ok(())
    }

    /// One line a row, for one table.
    ///
    /// # Errors
    /// There are several tables, or variables of none: they have different columns. Or the writer's.
    pub fn write_csv(self, out: &mut impl Write, mib: &Mib) -> anyhow::Result<()> {
        if self.tables.len() > 1 || (!self.tables.is_empty() && !self.others.is_empty()) {
            let names: Vec<String> = self.tables.iter().map(|table| table.title(mib)).collect();
            return Err(usage(format!(
                "CSV has one header, but what was found belongs to several tables ({}): ask for one of them, or leave \
                 --rows out",
                names.join(", ")
            )));
        }
        if !self.others.is_empty() {
            write_record(out, ["name", "value"])?;
            for (name, cell) in &self.others {
                write_record(out, [name.as_str(), cell.text()])?;
            }
        }
        for table in &self.tables {
            let (header, lines) = table.grid();
            write_record(out, header.iter().map(String::as_str))?;
            for line in lines {
                write_record(out, line)?;
            }
        }
        Ok(())
    }

    /// Each table under its name.
    ///
    /// # Errors
    /// The writer's.
    pub fn write_tables(self, out: &mut impl Write, mib: &Mib, width: Option<usize>) -> io::Result<()> {
        let mut between = "";
        if !self.others.is_empty() {
            let mut grid = Grid::new(vec![Column::text("NAME"), Column::text("VALUE")]);
            for (name, cell) in &self.others {
                grid.push(vec![in_one_line(name), in_one_line(cell.text())]);
            }
            grid.write(out, width, 1)?;
            between = "\n";
        }
        for table in &self.tables {
            writeln!(out, "{between}{}", table.title(mib))?;
            between = "\n";
            let (header, lines) = table.grid();
            let index_columns = header.len() - table.columns.len();
            let mut grid = Grid::new(header.iter().map(|name| Column::automatic(name)).collect());
            for line in lines {
                grid.push(line.into_iter().map(in_one_line).collect());
            }
            grid.write(out, width, index_columns)?;
        }
        Ok(())
    }
}

impl Table {
    /// The name of the table whose rows these are.
    fn title(&self, mib: &Mib) -> String {
        let row = mib.node_at(self.row.as_oid()).and_then(|node| node.object());
        let table = row.and_then(Object::table);
        table.map_or_else(|| self.row.to_string(), |table| table.to_string())
    }

    /// Header and lines: the index first, then the columns; a cell that is not there is empty.
    fn grid(&self) -> (Vec<String>, Vec<Vec<&str>>) {
        let index = self.rows.values().next().map_or(&[][..], |row| &row.index);
        let header = index.iter().map(|(name, _)| name).chain(self.columns.values()).cloned().collect();
        (header, self.rows.values().map(|row| self.line(row)).collect())
    }

    fn line<'t>(&'t self, row: &'t Row) -> Vec<&'t str> {
        let cells = self.columns.keys().map(|column| row.cells.get(column).map_or("", Cell::text));
        row.index.iter().map(|(_, cell)| cell.text()).chain(cells).collect()
    }
}

fn write_object(out: &mut impl Write, members: Vec<(String, Json)>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Members(members))?;
    writeln!(out)
}

impl Cell {
    fn text(&self) -> &str {
        match self {
            Cell::Text(text) => text,
            Cell::Json(Json::String(text)) => text,
            Cell::Json(_) => "",
        }
    }

    fn into_json(self) -> Json {
        match self {
            Cell::Json(json) => json,
            Cell::Text(text) => text.into(),
        }
    }
}
