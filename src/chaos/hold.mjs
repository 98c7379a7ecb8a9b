// Holds the write locks of the SQLite databases that it is told, until its standard input ends: whoever
// wants to write to them can't.
import { DatabaseSync } from "node:sqlite";

const held = process.argv.slice(2).map((path) => {
    const database = new DatabaseSync(path);
    database.exec("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE");
    return database;
});
process.stdout.write("held\n");
process.stdin.resume().on("end", () => {
    for (const database of held) {
        database.exec("ROLLBACK");
        database.close();
    }
});
