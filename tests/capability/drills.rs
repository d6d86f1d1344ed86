//! Fault drills, as short as their bounds allow; `portcullis demo --chaos` runs them in full.

use portcullis::demo::chaos::{DRILLS, Length};

async fn hold(name: &str) {
    let drill = DRILLS.iter().find(|drill| drill.name == name);
    let drill = drill.unwrap_or_else(|| panic!("there is no drill `{name}`"));
    let report = drill.run(Length::Short).await;
    let (lines, what) = (report.lines().join("\n  "), drill.what);
    println!("{what}\n  {lines}");
    assert!(report.holds(), "{what}: {}\n  {lines}", drill.must_hold);
}

macro_rules! drills {
    ($($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                hold(stringify!($name)).await;
            }
        )*

        #[test]
        fn every_drill_is_run() {
            assert_eq!(DRILLS.map(|drill| drill.name), [$(stringify!($name)),*]);
        }
    };
}

drills! { killed hanging failing outage retries hedged rolling slow moved cancelled }
