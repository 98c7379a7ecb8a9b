//! S1 to S6: what may be served.

use std::time::Duration;

use tidewall_edge::control::entry::Severity;
use tidewall_edge::control::view::Limits;

use crate::cases::check;
use crate::client::Client;
use crate::flaw::Flaw;
use crate::reading::From;
use crate::resource::Resource::{Item, List, Note};
use crate::weather::Link;
use crate::world::Settings;

#[test]
fn s1_the_fence_is_compared() {
    let settings = Settings { replicas: 0, ..Settings::calm() };
    check(&settings, &[Flaw::LsnOnly], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(0)).await;
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn s1_the_lsn_is_compared() {
    let settings = Settings { heeds_lsn: false, ..Settings::calm() };
    check(&settings, &[Flaw::FenceOnly], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.database.replicas[0].is_paused.set(true);
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn s1_the_fence_is_taken_when_the_exchange_begins() {
    let settings = Settings { replicas: 0, ..Settings::calm() };
    check(&settings, &[Flaw::FenceOfAnswer], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.weather.plan(Link::FromOrigin, 3_000);
        let slow = reader.clone();
        world.clock.spawn(async move {
            slow.reads(0, Item(0)).await;
        });
        world.clock.sleep(80).await;
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(1)).await;
        world.clock.sleep(2_000).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn s1_the_same_test_guards_storing() {
    check(&Settings::calm(), &[Flaw::StoresUnjudged], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.weather.plan(Link::FromOrigin, 3_000);
        let slow = reader.clone();
        world.clock.spawn(async move {
            slow.reads(0, Item(0)).await;
        });
        world.clock.sleep(50).await;
        writer.writes(0, 0, true, false).await;
        world.clock.sleep(4_000).await;
        world.expects(reader.reads(0, Item(0)).await.from == From::Hit, "the later answer is kept");
    });
}

#[test]
fn s2_a_view_expires_without_the_log() {
    check(&Settings::calm(), &[Flaw::ViewNeverExpires], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(0)).await;
        world.keeper.set_cut(0, true);
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(3_000).await;
        world.expects(reader.reads(0, Item(0)).await.from == From::Hit, "a hit within the grace");
        world.clock.sleep(3_000).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn s2_a_views_age_counts_from_when_its_refresh_was_sent() {
    check(&Settings::calm(), &[Flaw::AgeFromAnswer], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(0)).await;
        world.clock.sleep(700).await;
        world.weather.plan(Link::FromLog, 900);
        reader.reads(0, Item(0)).await;
        world.clock.sleep(20).await;
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn s2_who_comes_late_waits_for_no_earlier_refresh() {
    check(&Settings::calm(), &[Flaw::JoinsAnyRefresh], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(0)).await;
        world.clock.sleep(1_500).await;
        world.weather.plan(Link::FromLog, 3_000);
        let early = reader.clone();
        world.clock.spawn(async move {
            early.reads(0, Item(0)).await;
        });
        world.clock.sleep(20).await;
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn s2_without_a_view_nothing_is_served() {
    check(&Settings::calm(), &[Flaw::ServesWithoutView], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(0)).await;
        world.restart(0);
        world.keeper.set_cut(0, true);
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn s2_without_an_age_a_purge_counts_at_once() {
    let limits = Limits { max_age: Duration::ZERO, grace: Duration::from_secs(5) };
    let settings = Settings { limits, ..Settings::calm() };
    check(&settings, &[Flaw::ViewNeverExpires, Flaw::JoinsAnyRefresh], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(0)).await;
        world.weather.plan(Link::FromLog, 200);
        let early = reader.clone();
        world.clock.spawn(async move {
            early.reads(0, Item(0)).await;
        });
        world.clock.sleep(20).await;
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(1).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn s3_a_view_behind_the_bookmark_is_refreshed_first() {
    check(&Settings::calm(), &[Flaw::NoRefreshForBookmark], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(0)).await;
        reader.reads(0, Item(1)).await;
        writer.writes(1, 0, true, false).await;
        writer.reads(0, Item(0)).await;
        world.expects(writer.reads(0, Item(1)).await.from == From::Hit, "the others stay hits");
    });
}

#[test]
fn s4_what_could_not_be_logged_keeps_its_author_from_every_store() {
    let flaws = [Flaw::UnloggedIsForgotten, Flaw::UnloggedMeansGrouped];
    check(&Settings::calm(), &flaws, async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(0)).await;
        reader.reads(0, Note(4)).await;
        world.outbox.is_paused.set(true);
        // So that this isolate has a view.
        reader.reads(1, Item(1)).await;
        world.keeper.set_cut(1, true);
        writer.writes(1, 0, true, false).await;
        writer.writes(1, 4, true, false).await;
        writer.reads(0, Item(0)).await;
        writer.reads(0, Note(4)).await;
        // Neither does a later write that is logged make up for it.
        writer.writes(0, 1, true, false).await;
        writer.reads(0, Item(0)).await;
        world.expects(reader.reads(0, List(1)).await.from == From::Origin, "nothing there yet");
        world.expects(reader.reads(0, List(1)).await.from == From::Hit, "a hit for the others");
    });
}

#[test]
fn s5_an_origin_is_told_the_greatest_lsn_of_the_view() {
    check(&Settings::calm(), &[Flaw::NoLsnOnFill], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.database.replicas[0].is_paused.set(true);
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
        world.expects(reader.reads(0, Item(0)).await.from == From::Hit, "stored");
    });
}

#[test]
fn s6_what_is_invalidated_is_not_served_while_it_is_revalidated() {
    check(&Settings::calm(), &[Flaw::ServesFencedWhileRevalidating], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(0)).await;
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn s6_what_is_invalidated_is_not_served_instead_of_an_error() {
    check(&Settings::calm(), &[Flaw::ServesFencedOnError], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(0)).await;
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(1_500).await;
        for origin in &world.origins {
            origin.is_paused.set(true);
        }
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn s6_what_a_soft_invalidation_made_stale_is_not_for_its_author() {
    let settings = Settings { severity: Severity::Soft, ..Settings::calm() };
    check(&settings, &[Flaw::ServesStaleToItsWriter], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.outbox.is_paused.set(true);
        reader.reads(0, List(0)).await;
        writer.writes(0, 0, true, false).await;
        let others = reader.reads(0, List(0));
        let own = writer.reads(0, List(0));
        world.expects(others.await.from == From::Stale, "stale for the others");
        own.await;
    });
}
