//! W1 to W6: what a write does.

use tidewall_edge::control::entry::{Scope, Severity};
use tidewall_edge::control::log::Bounds;

use crate::cases::check;
use crate::client::Client;
use crate::flaw::Flaw;
use crate::isolate::NO_BOOKMARK;
use crate::reading::From;
use crate::resource::Resource::{Item, List};
use crate::weather::Link;
use crate::world::Settings;
use crate::writing::Write;

#[test]
fn w1_a_write_is_logged_before_it_is_answered() {
    check(&Settings::calm(), &[Flaw::AnswersBeforeAppending], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.outbox.is_paused.set(true);
        reader.reads(0, Item(0)).await;
        world.weather.plan(Link::ToLog, 500);
        writer.writes(1, 0, true, false).await;
        writer.reads(0, Item(0)).await;
    });
}

#[test]
fn w2_what_could_not_be_logged_waits_in_the_outbox() {
    check(&Settings::calm(), &[Flaw::NoOutbox], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, List(0)).await;
        world.keeper.set_cut(1, true);
        writer.writes(1, 0, true, false).await;
        world.keeper.set_cut(1, false);
        world.clock.sleep(1_500).await;
        world.check_the_end().await;
    });
}

#[test]
fn w2_the_second_of_a_write_is_dropped() {
    check(&Settings::calm(), &[Flaw::LogsTwice], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.outbox.is_paused.set(true);
        writer.writes(1, 0, true, false).await;
        writer.reads(0, List(0)).await;
        world.outbox.is_paused.set(false);
        world.clock.sleep(1_500).await;
        world.expects(world.outbox_len() == 0, "delivered");
        world.expects(reader.reads(0, List(0)).await.from == From::Hit, "not purged again");
    });
}

#[test]
fn w2_the_outbox_asks_for_the_lsn_when_it_has_seen_the_row() {
    check(&Settings::calm(), &[Flaw::OutboxLsnBeforeRow], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.clock.sleep(300).await;
        world.database.replicas[0].is_paused.set(true);
        world.keeper.set_cut(1, true);
        writer.writes(1, 0, true, false).await;
        world.clock.sleep(1_800).await;
        reader.reads(0, List(0)).await;
    });
}

#[test]
fn w3_writers_that_cross_store_nothing() {
    check(&Settings::calm(), &[Flaw::StoresEveryWrite], async |world| {
        let (reader, first) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        let second = Client::new(&world, 3, true);
        world.weather.plan(Link::FromOrigin, 500);
        world.expects(reader.reads(0, Item(1)).await.from == From::Origin, "a view");
        world.weather.plan(Link::FromOrigin, 500);
        world.clock.spawn(async move { first.writes(0, 0, true, false).await });
        world.clock.sleep(50).await;
        second.writes(1, 0, true, false).await;
        world.clock.sleep(2_000).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn w3_a_write_alone_is_stored_everywhere() {
    check(&Settings::calm(), &[Flaw::LogsTwice], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(1)).await;
        world.outbox.is_paused.set(true);
        writer.writes(0, 0, true, false).await;
        world.expects(writer.reads(0, Item(0)).await.from == From::Hit, "written through");
        world.outbox.is_paused.set(false);
        world.clock.sleep(1_500).await;
        world.expects(reader.reads(1, Item(0)).await.from == From::Hit, "in KV as well");
    });
}

#[test]
fn w3_an_answer_that_the_origin_remembers_is_not_the_last_state() {
    check(&Settings::calm(), &[Flaw::StoresKeyedWrite], async |world| {
        let (reader, second) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        reader.reads(0, Item(0)).await;
        world.outbox.is_paused.set(true);
        // The first answer never comes, and nothing of it is logged.
        let remembered = world.origin_writes(0, 0, true).await.ok();
        second.writes(1, 0, true, false).await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(1)).await;
        let again = Write { row: 0, exists: true, bookmark: NO_BOOKMARK, is_keyed: true, remembered };
        world.write(0, again).await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn w4_what_is_evicted_is_still_invalidated() {
    let settings = Settings {
        bounds: Bounds { entries_max: 5, uris_max: 3, prefixes_max: 2, ..Bounds::default() },
        ..Settings::calm()
    };
    check(&settings, &[Flaw::ForgetsEvicted], async |world| {
        let (reader, writer) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.outbox.is_paused.set(true);
        reader.reads(0, Item(0)).await;
        writer.writes(1, 0, true, false).await;
        for other in 0..6 {
            world.purge(1, Scope::Group(format!("other:{other}")), Severity::Hard, true).await;
        }
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn w4_prefixes_beyond_their_bound_are_not_forgotten() {
    let settings = Settings { bounds: Bounds { prefixes_max: 2, ..Bounds::default() }, ..Settings::calm() };
    check(&settings, &[Flaw::ForgetsEvicted], async |world| {
        let reader = Client::new(&world, 1, false);
        reader.reads(0, Item(0)).await;
        for prefix in ["/items/", "/a", "/b", "/c"] {
            world.purge(1, Scope::Prefix(prefix.to_owned()), Severity::Hard, false).await;
        }
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn w5_a_negative_answer_is_in_the_group_of_what_it_denies() {
    check(&Settings::calm(), &[Flaw::NegativeWithoutGroup], async |world| {
        let (reader, program) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        Client::new(&world, 3, true).writes(1, 0, false, false).await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
        program.writes_past_the_edge(0, false).await;
        world.clock.sleep(1_500).await;
        reader.reads(0, Item(0)).await;
    });
}

#[test]
fn w6_bookmarks_of_parallel_answers_are_merged() {
    check(&Settings::calm(), &[Flaw::LastBookmarkWins], async |world| {
        let (reader, client) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.outbox.is_paused.set(true);
        reader.reads(0, Item(0)).await;
        reader.reads(0, Item(1)).await;
        world.clock.sleep(1_500).await;
        world.weather.plan(Link::FromLog, 400);
        let first = client.clone();
        world.clock.spawn(async move { first.writes(1, 0, true, false).await });
        world.clock.sleep(50).await;
        // Past the first write, and not the second.
        reader.reads(0, Item(2)).await;
        client.writes(1, 1, true, false).await;
        world.clock.sleep(400).await;
        client.reads(0, Item(1)).await;
    });
}

#[test]
fn w6_a_finished_jobs_answer_has_the_bookmark_of_its_effect() {
    let flaws = [Flaw::JobWithoutBookmark, Flaw::WalBookmarkVanishes];
    check(&Settings::calm(), &flaws, async |world| {
        let (reader, client) = (Client::new(&world, 1, false), Client::new(&world, 2, true));
        world.outbox.is_paused.set(true);
        reader.reads(0, Item(0)).await;
        client.writes(0, 1, true, false).await;
        client.writes_past_the_edge(0, true).await;
        client.reads(0, Item(0)).await;
    });
}
