//! `portcullis demo --chaos`: runs fault drills one after another, and prints a table of what was measured.

use super::{Exit, Terminal};
use crate::demo::chaos::{Drill, Ground, Report};

/// Runs drills, and prints the report of each as soon as it ends.
pub(super) async fn run(drills: &[Drill], ground: &Ground, terminal: &mut Terminal) -> Exit {
    let title = terminal.bold("Fault drills: what is broken, what must hold, what was measured");
    terminal.out(&format!("{title}\n\n"));
    let mut failed = Vec::new();
    for drill in drills {
        terminal.err(&format!("running {} …\n", drill.name));
        let report = drill.run(ground).await;
        if !report.holds() {
            failed.push(drill.name);
        }
        terminal.out(&row(drill, &report, terminal));
    }
    match failed.as_slice() {
        [] => {
            terminal.out(&format!("All {} drills held.\n", drills.len()));
            Exit::Done
        }
        names => {
            let (count, names) = (names.len(), names.join(", "));
            terminal.out(&format!("{count} of {} drills FAILED: {names}\n", drills.len()));
            Exit::Problems
        }
    }
}

fn row(drill: &Drill, report: &Report, terminal: &Terminal) -> String {
    let verdict = if report.holds() { "ok" } else { "FAILED" };
    let name = terminal.bold(drill.name);
    let seconds = report.took.as_secs_f64();
    let mut row = format!("{verdict:<7} {name}  {} ({seconds:.1} s)\n", drill.what);
    row.push_str(&format!("        must hold  {}\n", drill.must_hold));
    let mut label = "measured";
    for line in report.lines() {
        row.push_str(&format!("        {label:<9}  {line}\n"));
        label = "";
    }
    row.push('\n');
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::chaos::{Findings, Length};
    use futures_util::future::{FutureExt as _, ready};

    fn drill(name: &'static str, holds: bool) -> Drill {
        let steps = if holds {
            |_| ready(Ok(Findings::of(true, "1 of 2"))).boxed()
        } else {
            |_| ready(Ok(Findings::of(false, "2 of 2"))).boxed()
        };
        Drill { name, what: "something is broken", must_hold: "at most 1", steps }
    }

    #[tokio::test]
    async fn what_does_not_hold_is_said_and_is_the_exit_code() {
        let short = Ground { length: Length::Short, programs: None };
        let (mut terminal, out, _) = Terminal::captured();
        let good = [drill("good", true)];
        assert_eq!(run(&good, &short, &mut terminal).await, Exit::Done);
        let (mut terminal, shown, _) = Terminal::captured();
        let both = [drill("good", true), drill("bad", false)];
        assert_eq!(run(&both, &short, &mut terminal).await, Exit::Problems);
        assert!(out.text().contains("All 1 drills held"), "{}", out.text());
        for part in [
            "ok      good  something is broken",
            "        must hold  at most 1\n        measured   1 of 2\n",
            "FAILED  bad",
            "measured   NOT HELD: 2 of 2",
            "1 of 2 drills FAILED: bad",
        ] {
            assert!(shown.text().contains(part), "{part} is missing in\n{}", shown.text());
        }
    }
}
