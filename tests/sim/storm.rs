//! What goes wrong, again and again: connections, stores, servers, isolates, the log itself.

use std::rc::Rc;

use crate::random::Random;
use crate::world::World;

/// The bad things of one world.
struct Storm {
    world: Rc<World>,
    random: Random,
    until: u64,
}

/// Begins the storm of a world, and ends it at `until`; what lags then goes on lagging.
pub(crate) fn begin(world: &Rc<World>, until: u64) {
    let storm = |part| Storm { world: world.clone(), random: Random::of(world.settings.seed, part), until };
    world.clock.spawn(storm(50).cuts_connections());
    world.clock.spawn(storm(51).stops_the_keeper());
    world.clock.spawn(storm(52).stops_stores());
    world.clock.spawn(storm(53).pauses_servers());
    world.clock.spawn(storm(54).pauses_replicas());
    world.clock.spawn(storm(55).restarts_isolates());
    let chance = Random::of(world.settings.seed, 56);
    if chance.chance(40) {
        world.clock.spawn(storm(57).loses_the_log());
    }
    if chance.chance(40) {
        world.clock.spawn(storm(58).promotes());
    }
}

impl Storm {
    /// Waits for the next time; false when the storm is over.
    async fn lasts(&self, from: u64, to: u64) -> bool {
        self.world.clock.sleep(self.random.between(from, to)).await;
        self.world.clock.now() < self.until
    }

    async fn waits(&self, from: u64, to: u64) {
        let ms = self.random.between(from, to).min(self.until.saturating_sub(self.world.clock.now()));
        self.world.clock.sleep(ms).await;
    }

    async fn cuts_connections(self) {
        while self.lasts(500, 5_000).await {
            let keeper = &self.world.keeper;
            let who = self.random.below(self.world.isolates.len() + 1);
            let is_deaf = self.random.chance(40);
            let cut = if is_deaf { &keeper.is_deaf_to } else { &keeper.cut };
            cut.borrow_mut()[who] = true;
            self.waits(100, 8_000).await;
            cut.borrow_mut()[who] = false;
        }
    }

    async fn stops_the_keeper(self) {
        while self.lasts(8_000, 30_000).await {
            self.world.keeper.is_down.set(true);
            self.waits(200, 8_000).await;
            self.world.keeper.is_down.set(false);
        }
    }

    async fn stops_stores(self) {
        while self.lasts(1_000, 15_000).await {
            if self.random.chance(50) {
                self.world.caches[self.random.below(self.world.caches.len())].clear();
                continue;
            }
            self.world.kv.is_down.set(true);
            self.waits(200, 8_000).await;
            self.world.kv.is_down.set(false);
        }
    }

    async fn pauses_servers(self) {
        while self.lasts(2_000, 12_000).await {
            if self.random.chance(30) {
                self.world.outbox.is_paused.set(true);
                self.waits(500, 10_000).await;
                self.world.outbox.is_paused.set(false);
                continue;
            }
            let origin = &self.world.origins[self.random.below(self.world.origins.len())];
            origin.is_paused.set(true);
            self.waits(100, 4_000).await;
            origin.is_paused.set(false);
        }
    }

    async fn pauses_replicas(self) {
        while self.lasts(50, 3_000).await {
            let replicas = &self.world.database.replicas;
            let replica = &replicas[self.random.below(replicas.len())];
            replica.is_paused.set(self.random.chance(60));
        }
    }

    async fn restarts_isolates(self) {
        while self.lasts(1_000, 8_000).await {
            self.world.restart(self.random.below(self.world.isolates.len()));
        }
    }

    async fn loses_the_log(self) {
        if self.lasts(5_000, 35_000).await {
            self.world.lose_log();
            self.world.counts.note("lost logs");
            let off = self.world.settings.clocks_differ_ms;
            let ahead = self.random.between(0, 2 * off) as i64 - off as i64;
            self.world.keeper.clock_ahead.set(ahead);
            self.waits(0, 500).await;
            self.world.begin_log().await;
        }
    }

    async fn promotes(self) {
        if self.lasts(5_000, 35_000).await {
            let database = &self.world.database;
            database.is_up.set(false);
            self.world.clock.sleep(self.random.between(100, 1_500)).await;
            self.world.promotes();
            self.world.clock.sleep(self.random.between(500, 6_000)).await;
            database.rejoin();
        }
    }
}

impl World {
    /// A replica becomes the primary.
    pub(crate) fn promotes(&self) {
        let lost = self.database.promote(self.clock.now());
        self.counts.note("promotions");
        self.counts.add("lost commits", lost.len() as u64);
        self.oracle.promoted(lost, self.origins.len());
    }
}
