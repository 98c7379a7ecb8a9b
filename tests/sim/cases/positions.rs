//! P1 to P6: what positions mean.

use tidewall_api::bookmark::{Bookmark, Seq};
use tidewall_edge::control::entry::{Scope, Severity};

use crate::cases::check;
use crate::client::Client;
use crate::flaw::Flaw;
use crate::reading::From;
use crate::resource::Resource::{Item, List};
use crate::weather::Link;
use crate::world::Settings;

#[test]
fn p1_a_log_begun_anew_does_not_look_older() {
    check(&Settings::calm(), &[Flaw::AnyLog], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.outbox.is_paused.set(true);
        reader.reads(0, Item(0)).await;
        writer.writes(1, 0, true, false).await;
        world.lose_log();
        world.begin_log().await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
        writer.reads(0, Item(0)).await;
    });
}

#[test]
fn p1_a_log_begun_anew_knows_how_far_the_wal_is() {
    check(&Settings::calm(), &[Flaw::LogWithoutFloor], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.database.replicas[0].is_paused.set(true);
        world.outbox.is_paused.set(true);
        writer.writes(1, 0, true, false).await;
        world.lose_log();
        world.begin_log().await;
        world.clock.sleep(1_500).await;
        // Read by the lagging replica, and stored by an isolate that has no other log.
        reader.reads(0, Item(0)).await;
        // The new log knows of this write, and of none before.
        writer.writes(1, 1, true, false).await;
        writer.reads(0, Item(0)).await;
    });
}

#[test]
fn p1_the_clock_of_the_next_keeper_may_be_behind() {
    let settings = Settings { replicas: 0, ..Settings::calm() };
    check(&settings, &[Flaw::AnyLog], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.outbox.is_paused.set(true);
        world.clock.sleep(20_000).await;
        world.keeper.clock_ahead.set(300);
        world.purge(0, Scope::Group("other".to_owned()), Severity::Hard, false).await;
        reader.reads(0, Item(0)).await;
        writer.writes(1, 0, true, false).await;
        world.lose_log();
        world.keeper.clock_ahead.set(-300);
        world.begin_log().await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn p1_a_bookmark_past_the_head_counts_as_unlogged() {
    check(&Settings::calm(), &[Flaw::NoRefreshForBookmark], async |world| {
        let (reader, lost) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(0)).await;
        lost.takes(Bookmark { seq: Seq::At(world.head() + 1_000_000), lsn: 1 });
        world.expects(lost.reads(0, Item(0)).await.from == From::Origin, "of a log that nobody knows");
        world.expects(reader.reads(0, Item(0)).await.from == From::Hit, "a hit for the others");
    });
}

#[test]
fn p2_writers_may_be_logged_in_another_order_than_they_committed() {
    check(&Settings::calm(), &[Flaw::MarksOfLastAppend], async |world| {
        let (reader, first) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        let second = Client::new(&world, 3, true);
        world.outbox.is_paused.set(true);
        world.weather.plan(Link::ToLog, 500);
        world.clock.spawn(async move { first.writes(0, 0, true, false).await });
        world.clock.sleep(50).await;
        // It has the first write, and not the second.
        world.database.replicas[0].is_paused.set(true);
        second.writes(1, 0, true, false).await;
        world.clock.sleep(2_000).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn p3_a_commits_position_is_asked_after_it() {
    check(&Settings::calm(), &[Flaw::LsnBeforeCommit], async |world| {
        let writer = Client::new(&world, 1, true);
        world.clock.sleep(50).await;
        world.database.replicas[0].is_paused.set(true);
        writer.writes(0, 0, true, false).await;
        writer.reads(0, List(0)).await;
    });
}

#[test]
fn p3_what_is_flushed_need_not_be_visible() {
    let settings = Settings { replicas: 0, ..Settings::calm() };
    check(&settings, &[Flaw::FlushLsnAsContent], async |world| {
        let (reader, program) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.outbox.is_paused.set(true);
        world.weather.plan(Link::Visible, 400);
        let writes = program.clone();
        world.clock.spawn(async move { writes.writes_past_the_edge(0, false).await });
        world.clock.sleep(50).await;
        reader.reads(0, Item(0)).await;
        world.clock.sleep(400).await;
        program.reads(0, Item(0)).await;
    });
}

#[test]
fn p4_a_reads_position_is_taken_before_its_snapshot() {
    check(&Settings::calm(), &[Flaw::LsnAfterSnapshot], async |world| {
        let (reader, program) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        let replica = &world.database.replicas[0];
        world.outbox.is_paused.set(true);
        world.clock.sleep(50).await;
        replica.is_paused.set(true);
        program.writes_past_the_edge(0, false).await;
        world.weather.plan(Link::Statement, 1);
        world.weather.plan(Link::Statement, 50);
        let reading = reader.clone();
        world.clock.spawn(async move {
            reading.reads(0, Item(0)).await;
        });
        world.clock.sleep(50).await;
        replica.is_paused.set(false);
        world.clock.sleep(200).await;
        program.reads(0, Item(0)).await;
    });
}

#[test]
fn p5_a_304_brings_a_position_of_its_own() {
    check(&Settings::calm(), &[Flaw::KeepsOldPosition], async |world| {
        let reader = Client::new(&world, 1, false);
        reader.reads(0, Item(0)).await;
        world.purge(0, Scope::Group("item:0".to_owned()), Severity::Hard, true).await;
        reader.reads(0, Item(0)).await;
        world.expects(reader.reads(0, Item(0)).await.from == From::Hit, "stored again");
    });
}

#[test]
fn p5_a_304_replaces_the_position_whole() {
    let settings = Settings { heeds_lsn: false, ..Settings::calm() };
    check(&settings, &[Flaw::MergesPositions], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(1)).await;
        // Stored with the answer: as read on the primary.
        writer.writes(0, 0, true, false).await;
        world.clock.sleep(50).await;
        world.database.replicas[0].is_paused.set(true);
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(1_500).await;
        // The replica still shows the first write, as the stored response does.
        reader.reads(0, Item(0)).await;
        reader.reads(0, Item(0)).await;
    });
}

/// Two replicas, of which the first lacks the last write; it is promoted.
fn with_promotion() -> Settings {
    Settings { replicas: 2, ..Settings::calm() }
}

#[test]
fn p6_a_promotion_invalidates_everything() {
    check(&with_promotion(), &[Flaw::PromotionWithoutAll], async |world| {
        let writer = Client::new(&world, 1, true);
        world.database.replicas[0].is_paused.set(true);
        writer.writes(0, 0, true, false).await;
        writer.reads(0, List(0)).await;
        world.promotes();
        world.clock.sleep(8_000).await;
        world.check_the_end().await;
    });
}

#[test]
fn p6_each_origin_invalidates_when_it_has_seen_the_promotion() {
    check(&with_promotion(), &[Flaw::OnlyFirstOriginAppendsAll], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.database.replicas[0].is_paused.set(true);
        writer.writes(0, 0, true, false).await;
        world.weather.plan(Link::Look, 50);
        world.weather.plan(Link::Look, 3_000);
        world.clock.sleep(60).await;
        world.promotes();
        world.clock.sleep(1_500).await;
        // The second origin takes the other replica for one of its primary's.
        world.origins[0].is_paused.set(true);
        reader.reads(0, List(0)).await;
        world.origins[0].is_paused.set(false);
        world.clock.sleep(8_000).await;
        world.check_the_end().await;
    });
}

#[test]
fn p6_a_replica_on_a_former_timeline_serves_nothing() {
    check(&with_promotion(), &[Flaw::ReadsFormerTimeline], async |world| {
        let writer = Client::new(&world, 1, true);
        world.database.replicas[0].is_paused.set(true);
        writer.writes(0, 0, true, false).await;
        world.clock.sleep(50).await;
        world.promotes();
        world.clock.sleep(8_000).await;
        world.check_the_end().await;
    });
}

#[test]
fn p6_a_write_that_may_bear_the_id_of_another_has_no_name() {
    check(&with_promotion(), &[Flaw::NamesWritesAfterPromotion], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.database.replicas[0].is_paused.set(true);
        // A write that is lost is logged when the promotion has had everything invalidated.
        let late = Client::new(&world, 3, false);
        world.weather.plan(Link::ToLog, 4_000);
        world.clock.spawn(async move { late.writes(0, 0, true, false).await });
        world.clock.sleep(200).await;
        world.promotes();
        world.clock.sleep(8_000).await;
        reader.reads(0, List(0)).await;
        // Its transaction has the same id.
        writer.writes(1, 0, true, false).await;
        writer.reads(0, List(0)).await;
    });
}
