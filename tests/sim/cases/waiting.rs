//! S7: what waiters get.

use std::pin::Pin;

use crate::cases::check;
use crate::client::Client;
use crate::clock::all;
use crate::flaw::Flaw;
use crate::resource::Resource::Item;
use crate::weather::Link;
use crate::world::Settings;

/// How many wait.
const WAITERS: u64 = 20;

#[test]
fn s7_waiters_judge_what_the_leader_got() {
    check(&Settings::calm(), &[Flaw::WaitersTrustLeader], async |world| {
        let (leader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.weather.plan(Link::FromOrigin, 2_000);
        world.clock.spawn(async move {
            leader.reads(0, Item(0)).await;
        });
        world.clock.sleep(50).await;
        writer.writes(1, 0, true, false).await;
        writer.reads(0, Item(0)).await;
    });
}

#[test]
fn s7_the_leader_stores_before_it_releases() {
    check(&Settings::calm(), &[Flaw::ReleasesBeforeStoring], async |world| {
        let reading = (0..WAITERS).map(|number| -> Pin<Box<dyn Future<Output = ()>>> {
            let reader = Client::new(&world, number, false);
            Box::pin(async move {
                reader.reads(0, Item(0)).await;
            })
        });
        all(reading.collect()).await;
        world.expects(world.counts.get("asked") == 1, "one asks for all");
    });
}

#[test]
fn s7_an_answer_that_is_behind_elects_one_new_leader() {
    check(&Settings::calm(), &[Flaw::WaitersAllLead], async |world| {
        let (leader, writer) = (Client::new(&world, 90, false), Client::new(&world, 91, true));
        world.weather.plan(Link::FromOrigin, 2_000);
        world.clock.spawn(async move {
            leader.reads(0, Item(0)).await;
        });
        world.clock.sleep(50).await;
        writer.writes(1, 0, true, false).await;
        let reading = (0..WAITERS).map(|number| -> Pin<Box<dyn Future<Output = ()>>> {
            let reader = Client::new(&world, number, true);
            reader.takes(writer.bookmark());
            Box::pin(async move {
                reader.reads(0, Item(0)).await;
            })
        });
        all(reading.collect()).await;
        world.expects(world.counts.get("asked") == 2, "one asks again for all");
    });
}
