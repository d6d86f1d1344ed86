//! Where commands write. Colours only where a person sees them.

use crate::gateway::telemetry::{LogFormat, problem_line};
use crate::problem::{Problem, render};
use crate::source::secrets;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Standard output and standard error, or two texts in a test.
pub struct Terminal {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    out_colors: bool,
    err_colors: bool,
    /// Of the log, which standard error is while the gateway serves.
    log_format: LogFormat,
    /// What is written is seen on a screen.
    has_screen: bool,
}

impl Terminal {
    #[must_use]
    pub fn of_process() -> Self {
        // https://no-color.org: set and not empty means no.
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            out_colors: wanted && io::stdout().is_terminal(),
            err_colors: wanted && io::stderr().is_terminal(),
            log_format: LogFormat::usual(),
            has_screen: io::stdout().is_terminal(),
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
        }
    }

    /// One that keeps what is written: output and errors.
    #[must_use]
    pub fn captured() -> (Self, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        let terminal = Self {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            out_colors: false,
            err_colors: false,
            log_format: LogFormat::Pretty,
            has_screen: false,
        };
        (terminal, out, err)
    }

    /// Writes an answer. A reader that has gone away (`| head`) is no reason to fail.
    pub fn out(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    /// Writes lines over what was drawn before; one after another where there is no screen. `first` clears it.
    pub fn draw(&mut self, lines: &str, first: bool) {
        if !self.has_screen {
            return self.out(&format!("{lines}\n"));
        }
        // The cursor goes home; each line is emptied before it is written, since behind its last column there is no
        // place to be emptied from; and what is below the last one goes.
        let begin = if first { "\x1b[2J\x1b[H" } else { "\x1b[H" };
        let lines = lines.replace('\n', "\n\x1b[K");
        self.out(&format!("{begin}\x1b[K{lines}\x1b[J"));
    }

    /// Writes what is not the answer.
    pub fn err(&mut self, text: &str) {
        let text = secrets::mask(text);
        let _ = self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush());
    }

    /// Shows problems, each with excerpt and caret, where answers go.
    pub fn out_problems(&mut self, problems: &[Problem]) {
        let text = render(problems, self.out_colors);
        self.out(&text);
    }

    /// Shows problems, each with excerpt and caret, beside the answer.
    pub fn err_problems(&mut self, problems: &[Problem]) {
        let text = render(problems, self.err_colors);
        self.err(&text);
    }

    /// The format of the log from now on.
    pub fn log_as(&mut self, format: LogFormat) {
        self.log_format = format;
    }

    /// Writes problems to the log of a gateway that starts: a line each where it is JSON, otherwise with excerpt and caret.
    pub fn log_problems(&mut self, problems: &[Problem]) {
        match self.log_format {
            LogFormat::Pretty => self.err_problems(problems),
            LogFormat::Json => {
                for problem in problems {
                    self.err(&problem_line(problem));
                }
            }
        }
    }

    /// Bold, where a person sees it.
    #[must_use]
    pub fn bold(&self, text: &str) -> String {
        if self.out_colors { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// What was written so far.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
