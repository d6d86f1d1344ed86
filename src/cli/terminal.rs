//! Output of commands. Colors are used only on a terminal.

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
    /// Format of the log, to which standard error belongs while the gateway serves.
    log_format: LogFormat,
    /// The output is shown on a screen.
    has_screen: bool,
}

impl Terminal {
    #[must_use]
    pub fn of_process() -> Self {
        // https://no-color.org: set and not empty disables colors.
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

    /// Returns a terminal that keeps its output and its errors.
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

    /// Writes an answer. A closed reader (`| head`) is not an error.
    pub fn out(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    /// Replaces the lines drawn before; without a screen, appends. `first` clears the screen.
    pub fn draw(&mut self, lines: &str, first: bool) {
        if !self.has_screen {
            return self.out(&format!("{lines}\n"));
        }
        // The cursor moves home. Each line is erased before it is written, because after its last column there is no
        // position to erase from. Then everything below is erased.
        let begin = if first { "\x1b[2J\x1b[H" } else { "\x1b[H" };
        let lines = lines.replace('\n', "\n\x1b[K");
        self.out(&format!("{begin}\x1b[K{lines}\x1b[J"));
    }

    /// Writes everything that is not the answer.
    pub fn err(&mut self, text: &str) {
        let text = secrets::mask(text);
        let _ = self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush());
    }

    /// Writes problems, each with excerpt and caret, to standard output.
    pub fn out_problems(&mut self, problems: &[Problem]) {
        let text = render(problems, self.out_colors);
        self.out(&text);
    }

    /// Writes problems, each with excerpt and caret, to standard error.
    pub fn err_problems(&mut self, problems: &[Problem]) {
        let text = render(problems, self.err_colors);
        self.err(&text);
    }

    /// Sets the format of the log from now on.
    pub fn log_as(&mut self, format: LogFormat) {
        self.log_format = format;
    }

    /// Writes problems to the log of a starting gateway: one line each as JSON, otherwise with excerpt and caret.
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

    /// Returns the text in bold, if a person sees it.
    #[must_use]
    pub fn bold(&self, text: &str) -> String {
        if self.out_colors { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Output captured so far.
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
