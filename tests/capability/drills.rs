//! Fault drills, as short as their bounds allow; `portcullis demo --chaos` runs them in full. The later ones run instances
//! and gateways as processes of their own.

use portcullis::demo::chaos::{DRILLS, Ground, Length, Programs};
use std::path::PathBuf;
use std::sync::Arc;

async fn hold(name: &str, programs: Option<Arc<Programs>>) {
    let drill = DRILLS.iter().find(|drill| drill.name == name);
    let drill = drill.unwrap_or_else(|| panic!("there is no drill `{name}`"));
    let report = drill.run(&Ground { length: Length::Short, programs }).await;
    let (lines, what) = (report.lines().join("\n  "), drill.what);
    println!("{what}\n  {lines}");
    assert!(report.holds(), "{what}: {}\n  {lines}", drill.must_hold);
}

fn programs() -> Arc<Programs> {
    let instance = PathBuf::from(env!("CARGO_BIN_EXE_portcullis"));
    Arc::new(Programs { gateway: instance.clone(), instance })
}

macro_rules! drills {
    (here: $($here:ident)*; apart: $($apart:ident)*; by_hand: $($by_hand:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $here() {
                hold(stringify!($here), None).await;
            }
        )*

        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $apart() {
                hold(stringify!($apart), Some(programs())).await;
            }
        )*

        #[test]
        fn every_drill_is_run() {
            let run = [$(stringify!($here),)* $(stringify!($apart),)*];
            let by_hand = [$(stringify!($by_hand),)*];
            let listed = DRILLS.map(|drill| drill.name);
            let tested = listed.into_iter().filter(|name| !by_hand.contains(name));
            assert_eq!(tested.collect::<Vec<_>>(), run);
            assert_eq!(listed.len(), run.len() + by_hand.len());
        }
    };
}

drills! {
    here: killed hanging failing outage retries hedged rolling slow moved cancelled;
    apart: killed_most restarts unavailable graceful silent hung recovery;
    // Its bounds are those of a quiet machine; `upstream::bulkhead::tests` checks them on a paused clock.
    by_hand: overload
}
