//! Columns of text. On a terminal long cells are cut, and a table that is too wide goes on in further blocks, each of
//! which starts with the columns that name its rows. Elsewhere nothing is cut: programs read it.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::limits::MAX_CELL_WIDTH;

/// Blanks between two columns.
const GAP: usize = 2;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    name: String,
    is_text: bool,
}

impl Column {
    /// Flush left.
    pub fn text(name: &str) -> Self {
        Column { name: name.to_owned(), is_text: true }
    }

    /// Flush right if all of its cells are numbers.
    pub fn automatic(name: &str) -> Self {
        Column { name: name.to_owned(), is_text: false }
    }
}

/// A table in the making.
#[derive(Debug)]
pub struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// A table without rows.
    pub fn new(columns: Vec<Column>) -> Self {
        Grid { columns, rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are columns; none has an end of line in it.
    pub fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Prints header and rows. `width` is the terminal's; the first `repeated` columns stand in every block.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&self, out: &mut impl Write, width: Option<usize>, repeated: usize) -> io::Result<()> {
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| self.width_of(column, width)).collect();
        for (i, block) in blocks(&widths, width, repeated).iter().enumerate() {
            if i > 0 {
                writeln!(out)?;
            }
            let rights: Vec<bool> = block.iter().map(|&column| self.is_numeric(column)).collect();
            let header: Vec<&str> = block.iter().map(|&column| self.columns[column].name.as_str()).collect();
            write_line(out, &header, block, &widths, &rights)?;
            for row in &self.rows {
                let cells: Vec<&str> = block.iter().map(|&column| row[column].as_str()).collect();
                write_line(out, &cells, block, &widths, &rights)?;
            }
        }
        Ok(())
    }

    fn cells(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().map(move |row| row[column].as_str())
    }

    fn width_of(&self, column: usize, terminal: Option<usize>) -> usize {
        let name = self.columns[column].name.width();
        let widest = self.cells(column).map(UnicodeWidthStr::width).max().unwrap_or(0).max(name);
        match terminal {
            Some(terminal) => widest.min(MAX_CELL_WIDTH.max(name)).min(terminal),
            None => widest,
        }
    }

    fn is_numeric(&self, column: usize) -> bool {
        let is_number = |cell: &str| cell.is_empty() || cell.parse::<f64>().is_ok();
        !self.columns[column].is_text && self.cells(column).all(is_number)
    }
}

/// The columns of each block, by index.
fn blocks(widths: &[usize], terminal: Option<usize>, repeated: usize) -> Vec<Vec<usize>> {
    let Some(terminal) = terminal else { return vec![(0..widths.len()).collect()] };
    let total =
        |columns: &[usize]| columns.iter().map(|&column| widths[column] + GAP).sum::<usize>().saturating_sub(GAP);
    let mut first: Vec<usize> = (0..repeated.min(widths.len())).collect();
    // Names of rows that fill the line leave no room for what is to be told of them.
    if total(&first) > terminal / 2 && first.len() < widths.len() {
        first.truncate(1);
    }
    let mut blocks = Vec::new();
    let mut block = first.clone();
    for column in first.len()..widths.len() {
        block.push(column);
        if total(&block) > terminal && block.len() > first.len() + 1 {
            block.pop();
            blocks.push(std::mem::replace(&mut block, [&first[..], &[column]].concat()));
        }
    }
    blocks.push(block);
    blocks
}

fn write_line(
    out: &mut impl Write,
    cells: &[&str],
    block: &[usize],
    widths: &[usize],
    rights: &[bool],
) -> io::Result<()> {
    let mut line = String::new();
    for ((cell, &column), &right) in cells.iter().zip(block).zip(rights) {
        let cell = cut(cell, widths[column]);
        let padding = " ".repeat(widths[column].saturating_sub(cell.width()));
        if right {
            line.push_str(&padding);
        }
        line.push_str(&cell);
        if !right {
            line.push_str(&padding);
        }
        line.push_str(&" ".repeat(GAP));
    }
    writeln!(out, "{}", line.trim_end())
}

/// A text in so many columns; where it is cut, an ellipsis says so.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |c: &char| {
        let wide = c.width().unwrap_or(0);
        let fits = wide <= left;
        left = left.saturating_sub(wide);
        fits
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let mut grid =
            Grid::new(vec![Column::automatic("ifIndex"), Column::automatic("ifDescr"), Column::automatic("ifMtu")]);
        grid.push(vec!["1".into(), "lo".into(), "65536".into()]);
        grid.push(vec!["12".into(), "Gigabit–ü".into(), "1500".into()]);
        grid
    }

    fn shown(grid: &Grid, width: Option<usize>) -> String {
        let mut out = Vec::new();
        grid.write(&mut out, width, 1).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_flush_right_and_text_left() {
        let expected = "ifIndex  ifDescr    ifMtu\n      1  lo         65536\n     12  Gigabit–ü   1500\n";
        assert_eq!(shown(&grid(), None), expected);
        assert_eq!(shown(&grid(), Some(80)), expected);
    }

    #[test]
    fn a_narrow_terminal_gets_blocks_that_repeat_the_index() {
        let expected =
            "ifIndex  ifDescr\n      1  lo\n     12  Gigabit–ü\n\nifIndex  ifMtu\n      1  65536\n     12   1500\n";
        assert_eq!(shown(&grid(), Some(20)), expected);
    }

    #[test]
    fn long_cells_are_cut_on_a_terminal_only() {
        let mut grid = Grid::new(vec![Column::text("NAME"), Column::text("VALUE")]);
        grid.push(vec!["x".into(), "y".repeat(200)]);
        assert!(shown(&grid, None).contains(&"y".repeat(200)));
        let narrow = shown(&grid, Some(80));
        assert!(narrow.contains(&format!("{}…", "y".repeat(MAX_CELL_WIDTH - 1))), "{narrow}");
        assert!(narrow.lines().all(|line| line.width() <= 80));
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("漢字漢字", 8), "漢字漢字");
    }

    #[test]
    fn every_column_is_in_some_block() {
        let widths = [10, 30, 5, 5, 70, 3];
        for terminal in 20..200 {
            let blocks = blocks(&widths, Some(terminal), 2);
            for column in 0..widths.len() {
                assert!(blocks.iter().any(|block| block.contains(&column)), "{terminal} {blocks:?}");
            }
        }
    }
}
