//! Lines and columns of positions in a text, for many lookups: one walk over the text, then a short one for each
//! lookup.

use super::Location;

/// Distance of the remembered positions, in bytes.
const STEP: usize = 64;

/// The lines of a text.
pub struct Lines<'t> {
    text: &'t str,
    /// The location of the first character at or after each multiple of [`STEP`], with its offset.
    marks: Vec<(usize, Location)>,
}

impl<'t> Lines<'t> {
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        let mut marks = Vec::with_capacity(text.len() / STEP + 1);
        let mut at = Location { line: 1, column: 1 };
        let mut due = 0;
        for (offset, found) in text.char_indices() {
            if offset >= due {
                marks.push((offset, at));
                due = offset + STEP;
            }
            at = at.after(text, offset, found);
        }
        Self { text, marks }
    }

    /// Returns the location of a byte.
    #[must_use]
    pub fn place(&self, offset: usize) -> Location {
        let mark = self.marks.partition_point(|(start, _)| *start <= offset);
        let begin = mark.checked_sub(1).and_then(|mark| self.marks.get(mark).copied());
        let (start, mut at) = begin.unwrap_or((0, Location { line: 1, column: 1 }));
        let rest = self.text.get(start..).unwrap_or_default();
        for (ahead, found) in rest.char_indices() {
            if start + ahead >= offset {
                break;
            }
            at = at.after(self.text, start + ahead, found);
        }
        at
    }
}

impl Location {
    /// Returns the location of a byte, for a single lookup.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let mut at = Self { line: 1, column: 1 };
        for (start, found) in text.char_indices().take_while(|(start, _)| *start < offset) {
            at = at.after(text, start, found);
        }
        at
    }

    /// Returns the location after a character.
    fn after(self, text: &str, offset: usize, found: char) -> Self {
        // `\r\n` is one end of a line.
        let ends = match found {
            '\n' => true,
            '\r' => text.as_bytes().get(offset + 1) != Some(&b'\n'),
            _ => false,
        };
        if ends {
            Self { line: self.line + 1, column: 1 }
        } else {
            Self { column: self.column + 1, ..self }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_the_same_place() {
        let text = "äb\r\n\rc\n".repeat(40) + &"ü, x".repeat(50) + "\n\n" + &"y".repeat(200);
        let lines = Lines::new(&text);
        for (offset, _) in text.char_indices() {
            assert_eq!(lines.place(offset), Location::of(&text, offset), "{offset}");
        }
        assert_eq!(lines.place(text.len()), Location::of(&text, text.len()));
        assert_eq!(lines.place(text.len() + 100), Location::of(&text, text.len()));
        assert_eq!(Lines::new("").place(0), Location { line: 1, column: 1 });
    }
}
